"""``features.sql`` that breaks its contract, each in one way, and one that keeps it."""

from __future__ import annotations

GOOD = """
CREATE VIEW counted AS
SELECT tenant_id, count(*) AS calls FROM events WHERE opened_at < $as_of GROUP BY tenant_id;
SELECT tenant_id, calls, CASE WHEN calls > 2 THEN 'many' ELSE 'few' END AS outcome FROM counted
"""
LABEL = "CASE WHEN count(*) > 2 THEN 'many' ELSE 'few' END AS outcome"


def select(columns: str, rest: str = "GROUP BY tenant_id") -> str:
    return f"SELECT {columns}\nFROM events\n{rest}"


# SQL -> what the sentence says beside the name of the file.
BROKEN = {
    # what it may use
    select(f"tenant_id, epoch(now()) AS calls, {LABEL}"): r"line 1: uses now, .*write \$as_of",
    select(f"tenant_id,\nepoch(current_date) AS calls, {LABEL}"): "line 2: uses current_date",
    select(f"tenant_id, epoch(current_timestamp) AS calls, {LABEL}"): "uses current_timestamp",
    select(f"tenant_id, epoch(main.today()) AS calls, {LABEL}"): "uses today",
    select(f'tenant_id, "random"() AS calls, {LABEL}'): "uses random",
    select(f"tenant_id, uuid() AS calls, {LABEL}"): "uses uuid",
    select(f"tenant_id, getvariable('x') AS calls, {LABEL}"): "uses getvariable",
    select(f"tenant_id, epoch(min(age(opened_at))) AS calls, {LABEL}"): "uses age",
    select(f"tenant_id, count(*) AS calls, {LABEL}", "WHERE opened_at < $cutoff"): r"line 3: \$cutoff is not known",
    select(f"tenant_id, count(*) AS calls, {LABEL}", "WHERE opened_at < ?"): "is not known: write one of",
    "SELECT * FROM 'export.csv'": "reads 'export.csv', which is neither events nor a view",
    "SELECT * FROM read_csv('export.csv')": r"reads read_csv\(\.\.\.\)",
    "SELECT * FROM information_schema.tables": "reads 'information_schema.tables'",
    'WITH a AS (WITH "export.csv" AS (SELECT 1) SELECT 1) SELECT * FROM "export.csv"': "reads 'export.csv'",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM r) SELECT n FROM r": "may never end",
    "SELECT * FROM events USING SAMPLE 3": "draws a sample",
    "COPY events TO 'x.csv'": "line 1: this statement is not one SELECT",
    f"ATTACH 'x.db';\n{GOOD}": "line 1: every statement but the last must be CREATE VIEW",
    f"INSTALL httpfs;\n{GOOD}": "every statement but the last must be CREATE VIEW",
    f"SET threads = 1;\n{GOOD}": "every statement but the last must be CREATE VIEW",
    f"\nPRAGMA version;\n{GOOD}": "line 2: every statement but the last must be CREATE VIEW",
    f"CREATE MACRO clock() AS now();\n{GOOD}": "every statement but the last must be CREATE VIEW",
    "WITH gone AS (DELETE FROM quarantine RETURNING *) SELECT * FROM events": "line 1: changes or writes something",
    "WITH new AS (INSERT INTO events VALUES (1)) SELECT * FROM events": "changes or writes something",
    "WITH set AS (UPDATE events SET channel = 'x') SELECT * FROM events": "changes or writes something",
    "SELECT * FROM (WITH out AS (COPY events TO 'x.csv') SELECT * FROM events)": "changes or writes something",
    "SELECT * FROM quarantine, (WITH quarantine AS (SELECT 1) SELECT * FROM quarantine)": "reads 'quarantine'",
    "WITH a AS (SELECT * FROM b), b AS (SELECT * FROM events) SELECT * FROM a": "reads 'b'",
    "SELECT * FROM events WHERE EXISTS (WITH staged AS (SELECT * FROM staged) SELECT * FROM staged)": "reads 'staged'",
    select(f"tenant_id, epoch(ago(INTERVAL 1 DAY)) AS calls, {LABEL}"): "uses ago",
    select(f"tenant_id, epoch(pg_postmaster_start_time()) AS calls, {LABEL}"): "uses pg_postmaster_start_time",
    select(f"tenant_id, reservoir_quantile(1, 0.5) AS calls, {LABEL}"): "uses reservoir_quantile",
    select(f"tenant_id, {'abs(' * 600}1{')' * 600} AS calls, {LABEL}"): "nested too deeply",
    "SELEC 1": "is not SQL",
    "": "has no statement",
    # what it gives
    select(f"tenant_id, {LABEL}"): "gives no column 'calls'.*AS \"calls\"",
    select("tenant_id, count(*) AS calls"): "gives no column 'outcome'",
    select(f"tenant_id, count(*) AS calls, max(channel) AS channel, {LABEL}"): "gives a column 'channel'.*leave it out",
    select(f"tenant_id, 'many' AS calls, {LABEL}"): "column 'calls' is VARCHAR, but must be a number: convert it",
    select(f"tenant_id, [count(*)] AS calls, {LABEL}"): r"column 'calls' is BIGINT\[\]",
    select(f"tenant_id, count(*) AS calls, {LABEL}, 'x' AS as_of"): "column 'as_of' is VARCHAR, but must be a time",
    select(f"tenant_id, count(*) AS calls, {LABEL}, 1 AS may_train"): "column 'may_train' is INTEGER, but must be true",
    select(
        f"nullif(tenant_id, 'K3') AS tenant_id, count(*) AS calls, {LABEL}"
    ): "1 values of column 'tenant_id' have no",
    select(f"tenant_id || '/' AS tenant_id, count(*) AS calls, {LABEL}"): "120 values of column 'tenant_id' have an id",
    select(f"tenant_id, count(*) AS calls, {LABEL}", "GROUP BY event_id, tenant_id"): "must be unique, but 120 ids",
    select(f"tenant_id, count(*) AS calls, {LABEL}, nullif(tenant_id, 'K3') AS portfolio_id"): (
        "1 values of column 'portfolio_id' are NULL: .*coalesce"
    ),
    select(f"tenant_id, count(*) AS calls, {LABEL}, repeat('x', 200) AS portfolio_id"): "longer than 128 characters",
    select(f"tenant_id, count(*) AS calls, {LABEL}, $as_of + INTERVAL 1 DAY AS as_of"): r"later than \$as_of",
    select(f"tenant_id, count(*) AS calls, {LABEL}, CAST('-infinity' AS TIMESTAMP) AS as_of"): "before the year 1",
    select(f"tenant_id, count(*) AS calls, {LABEL}, 1 AS x$foo"): r"gives a column 'x\$foo'.*leave it out",
    select(f"tenant_id, count(*) AS calls, {LABEL}, 'enough' AS history"): "not one of sufficient",
    select(f"tenant_id, CAST(max(channel) AS DOUBLE) AS calls, {LABEL}"): r"fails at a value \(Conversion Error\)",
    select(f"tenant_id, max(calls) AS calls, {LABEL}"): "line 1 cannot be run: Binder Error",
}
