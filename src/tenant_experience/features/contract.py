"""What the result of ``features.sql`` must be, with what stands in for a column that it leaves out.

One place checks it, for both engines, for a release and for a preview: columns and their types first, then ids,
partitions and the other columns that every row needs. A row whose number is outside its bounds is refused, as it is in
a table, and the others stay.
"""

# ruff: noqa: S608 - names in SQL are quoted by duckdb_session
from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import duckdb

from tenant_experience.data_layout import GLOBAL_PARTITION, SIDE_COLUMNS
from tenant_experience.errors import UserError
from tenant_experience.intake.duckdb_session import count, identifier, literal, single, sql_timestamp
from tenant_experience.intake.mapping import Rule, malformed_id, malformed_name
from tenant_experience.intake.table import outside, unknown_classes
from tenant_experience.use_case.features import Feature
from tenant_experience.use_case.id_sql import normal_id, normalised
from tenant_experience.use_case.schema import SQL_FILE, USE_CASE_FILE, UseCase

# There only where a record may have several rows to learn from: the columns of ``features``.
EXAMPLES_TABLE = "examples"

HISTORIES = ("sufficient", "provisional", "insufficient")
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_TEXTS = ("VARCHAR", "ENUM", *_WHOLE)
_TYPES = {
    "text": ((*_TEXTS, "BOOLEAN"), "text", "CAST({} AS VARCHAR)"),
    "id": (_TEXTS, "text or a whole number", "CAST({} AS VARCHAR)"),
    "number": ((*_WHOLE, "UHUGEINT", "DECIMAL", "FLOAT", "DOUBLE", "BOOLEAN"), "a number", "CAST({} AS DOUBLE)"),
    "time": (("TIMESTAMP", "DATE"), "a timestamp in UTC without a zone", "CAST({} AS TIMESTAMP)"),
    "flag": (("BOOLEAN",), "true or false", "coalesce({}, false)"),
    "word": (("VARCHAR", "ENUM"), "text", "CAST({} AS VARCHAR)"),
}


@dataclass(frozen=True)
class RefusedFeatures:
    """Rows of the result that were refused.

    Attributes:
        rows: how many rows the result has.
        reasons: (reason, column, rows), the most common first.
    """

    rows: int
    reasons: list[tuple[str, str, int]]

    @property
    def refused(self) -> int:
        """How many rows."""
        return sum(rows for _, _, rows in self.reasons)


def label_columns(use_case: UseCase) -> list[str]:
    """The column of labels, unless they are groups."""
    return [use_case.labels.column] if use_case.labels.column else []


def given_labels(use_case: UseCase) -> list[str]:
    """The same, where the data gives it: a label from later events is not known yet when the features are."""
    return label_columns(use_case) if use_case.labels.from_ == "column" else []


def settle_features(
    connection: duckdb.DuckDBPyConnection,
    use_case: UseCase,
    computed: str,
    as_of: datetime,
    table: str,
    *,
    train: bool = True,
    unknown: Collection[str] = (),
) -> RefusedFeatures:
    """Makes ``table`` from the result, with every column that features have, and ``<table>_refused``.

    Args:
        connection: holds the result.
        use_case: names the columns.
        computed: the table that holds the result; it is dropped.
        as_of: the moment of the release.
        table: what to make; ``<table>_refused`` has row number, reason, column and record id of each row refused.
            Where a record may have several rows, ``examples`` is made too.
        train: whether labels matter; they are null otherwise.
        unknown: features that are null in every row, whatever the result says.

    Raises:
        UserError: ``invalid_use_case`` when a column is missing, unknown or of a wrong type; ``invalid_features`` when
            a row has no id, partition or time, or an id has two rows, or two of one time. No message holds a value of
            a row.
    """
    given = {str(name): str(kind) for name, kind, *_ in connection.execute(f"DESCRIBE {computed}").fetchall()}
    meanings = _meanings(use_case)
    _check_columns(use_case, {name.lower(): kind for name, kind in given.items()}, meanings)
    typed = {name: _typed(name, use_case, given, meaning) for name, meaning in meanings.items()}
    if not train:
        typed |= dict.fromkeys(label_columns(use_case), f"CAST(NULL AS {_label_type(use_case)})")
    typed |= {name: f"CAST(NULL AS {'VARCHAR' if name in use_case.categories else 'DOUBLE'})" for name in unknown}
    defaults = _defaults(use_case, {name.lower() for name in given}, as_of)
    rules = _rules(use_case)
    broken = f"CASE {' '.join(f'WHEN {rule.broken} THEN {place}' for place, rule in enumerate(rules))} END"
    # The defaults of may_train and history read other columns, so they are computed over the typed ones.
    inner = ", ".join(f"{expression} AS {identifier(name)}" for name, expression in typed.items() if expression)
    columns = ", ".join(
        identifier(name) if typed[name] else f"{defaults[name]} AS {identifier(name)}" for name in meanings
    )
    connection.execute(
        f"CREATE TEMP VIEW settled AS SELECT *, CAST({broken} AS INTEGER) AS _rule FROM "
        f"(SELECT _row, {columns} FROM (SELECT rowid + 1 AS _row, {inner} FROM {computed}))"
    )
    try:
        _check_rows(connection, use_case, as_of)
        kept = "SELECT * EXCLUDE (_row, _rule) FROM settled WHERE _rule IS NULL"
        if use_case.examples == "several":
            settle_examples(connection, use_case, kept, table)
        else:
            connection.execute(f"CREATE TABLE {table} AS {kept}")
        reasons, names = ([literal(getattr(rule, key)) for rule in rules] for key in ("reason", "column"))
        connection.execute(
            f"CREATE TABLE {table}_refused AS SELECT _row, [{', '.join(reasons)}][_rule + 1] AS reason, "
            f"[{', '.join(names)}][_rule + 1] AS column_name, {identifier(use_case.record_id)} AS record_id "
            "FROM settled WHERE _rule IS NOT NULL"
        )
        rows = count(connection, f"SELECT count(*) FROM {computed}")
    finally:
        connection.execute("DROP VIEW settled")
    connection.execute(f"DROP TABLE {computed}")
    found = connection.execute(
        f"SELECT reason, column_name, count(*) AS n FROM {table}_refused GROUP BY ALL ORDER BY n DESC, column_name"
    ).fetchall()
    return RefusedFeatures(rows, [(str(reason), str(column), int(n)) for reason, column, n in found])


def settle_examples(connection: duckdb.DuckDBPyConnection, use_case: UseCase, rows: str, table: str) -> None:
    """Makes ``examples`` from the rows with a label, and ``table`` from the latest row of each record.

    Args:
        connection: what ``rows`` reads.
        use_case: names the columns.
        rows: a SELECT of every row.
        table: what to make.
    """
    (label,), record_id = label_columns(use_case), identifier(use_case.record_id)
    connection.execute(f"CREATE TEMP TABLE every_row AS {rows}")
    connection.execute(f"CREATE TABLE {EXAMPLES_TABLE} AS FROM every_row WHERE {identifier(label)} IS NOT NULL")
    connection.execute(
        f"CREATE TABLE {table} AS FROM every_row QUALIFY as_of = max(as_of) OVER (PARTITION BY {record_id})"
    )
    connection.execute("DROP TABLE every_row")


def quarantine_features(connection: duckdb.DuckDBPyConnection, use_case: UseCase, table: str) -> None:
    """Adds the refused rows to ``quarantine``. ``line`` is the row of the result."""
    kept = [name for name, *_ in connection.execute("DESCRIBE quarantine").fetchall()]
    raw = f"raw_{use_case.record_id}"
    names, values = (f", {identifier(raw)}", ", record_id") if raw in kept else ("", "")
    connection.execute(
        f"INSERT INTO quarantine (reason, column_name, file, line, lines{names}) "
        f"SELECT reason, column_name, {literal(RESULT)}, _row, 1{values} FROM {table}_refused"
    )


RESULT = f"the result of {SQL_FILE}"


def check_refused_features(refused: RefusedFeatures | None, use_case: UseCase) -> None:
    """Refuses a release when more than ``quarantine_share`` of its records were refused.

    Raises:
        UserError: ``too_many_bad_rows``; names the worst column with its bounds.
    """
    limit = use_case.gates.quarantine_share
    if refused is None or limit is None or refused.refused <= limit * refused.rows:
        return
    reason, column, rows = refused.reasons[0]
    raise UserError(
        f"{SQL_FILE}: {refused.refused} of {refused.rows} records ({refused.refused / refused.rows:.1%}) were refused; "
        f"the gate quarantine_share allows {limit:.1%}. Most often: {reason}, column {column!r}, {rows} times"
        f"{_bounds(use_case, column)}. Correct the column in {SQL_FILE}, or "
        f"{'labels.classes' if reason == 'unknown_class' else 'its bounds'} in {USE_CASE_FILE}",
        code="too_many_bad_rows",
    )


def refused_warning(refused: RefusedFeatures | None, use_case: UseCase) -> list[str]:
    """A sentence about records that were refused."""
    if refused is None or not refused.refused:
        return []
    reason, column, rows = refused.reasons[0]
    return [
        f"{SQL_FILE} gave {refused.refused} of {refused.rows} records a value that they cannot have, and these records "
        f"are in the quarantine; most often {reason} in column {column} ({rows} records{_bounds(use_case, column)})"
    ]


def _bounds(use_case: UseCase, column: str) -> str:
    """What a column may hold, behind a comma."""
    if column == use_case.labels.column and use_case.labels.classes:
        return f", whose classes are {', '.join(use_case.labels.classes)}"
    feature = use_case.features.get(column, Feature())
    bounds = {"minimum": feature.minimum, "maximum": feature.maximum}
    return "".join(f", {name} {value:g}" for name, value in bounds.items() if value is not None)


def _meanings(use_case: UseCase) -> dict[str, str]:
    """Every column of features, in order -> what its values mean."""
    features = {name: "text" if name in use_case.categories else "number" for name in use_case.features}
    label = dict.fromkeys(label_columns(use_case), "text" if use_case.labels.classes else "number")
    first = {use_case.record_id: "id", use_case.partition_column: "text"}
    settled = {"as_of": "time", "history": "word", "may_train": "flag"}
    kept = dict.fromkeys(use_case.kept_columns, "text")
    return {**first, **settled, **features, **label, **kept, **dict.fromkeys(SIDE_COLUMNS, "number")}


def _check_columns(use_case: UseCase, given: dict[str, str], meanings: dict[str, str]) -> None:
    for name in label_columns(use_case):
        if name in given and name not in given_labels(use_case):
            raise UserError(
                f"{SQL_FILE} gives a column {name!r}, but with labels.from: events this application computes the label "
                "itself, from what happens after $as_of: leave it out of the last SELECT",
                code="invalid_use_case",
            )
    of_rows = ["as_of"] if use_case.examples == "several" else []
    for name in (
        use_case.record_id,
        *use_case.features,
        *given_labels(use_case),
        *use_case.kept_columns,
        *of_rows,
    ):
        if name in of_rows and name not in given:
            raise UserError(
                f"{SQL_FILE} gives no column 'as_of', but with examples: several in {USE_CASE_FILE} each row of a "
                "record needs a time of its own: write ... AS as_of in the last SELECT",
                code="invalid_use_case",
            )
        if name not in given:
            raise UserError(
                f"{SQL_FILE} gives no column {name!r}, which {USE_CASE_FILE} names; it gives "
                f"{', '.join(sorted(given))}. Write it in the last SELECT: ... AS {identifier(name)}",
                code="invalid_use_case",
            )
    further = [name for name in given if name not in meanings]
    if further:
        raise UserError(
            f"{SQL_FILE} gives a column {further[0]!r}, which {USE_CASE_FILE} does not name: leave it out of the last "
            "SELECT, or declare it under features",
            code="invalid_use_case",
        )
    for name, kind in given.items():
        allowed, expected, _ = _TYPES[meanings[name]]
        if not _is_one_of(kind, allowed):
            raise UserError(
                f"{SQL_FILE}: column {name!r} is {kind.split('(')[0]}, but must be {expected}: convert it with CAST in "
                "the last SELECT",
                code="invalid_use_case",
            )


def _is_one_of(kind: str, allowed: tuple[str, ...]) -> bool:
    is_nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION"))
    return not is_nested and kind != "TIMESTAMP WITH TIME ZONE" and kind.startswith(allowed)


def _typed(name: str, use_case: UseCase, given: dict[str, str], meaning: str) -> str | None:
    """SQL for a column of the result in the type and the normal form that it must have; None when it is left out."""
    found = next((each for each in given if each.lower() == name), None)
    if found is None:
        return None
    value = _TYPES[meaning][2].format(identifier(found))
    if name == use_case.record_id:
        return f"nullif({normal_id(value, use_case.record_id_case)}, '')"
    return f"nullif({normalised(value)}, '')" if meaning == "text" else value


def _defaults(use_case: UseCase, given: set[str], as_of: datetime) -> dict[str, str]:
    """SQL over the typed columns for each column that may be left out."""
    limits = use_case.history
    by_exposure = (
        f"CASE WHEN exposure_days >= {limits.provisional_below} THEN 'sufficient' "
        f"WHEN exposure_days >= {limits.minimum_days} THEN 'provisional' ELSE 'insufficient' END"
    )
    history = by_exposure if "exposure_days" in given else "'sufficient'"
    settled = "history" if "history" in given else f"({history})"
    labelled = [f"{identifier(name)} IS NOT NULL" for name in given_labels(use_case)]
    return {
        **dict.fromkeys(label_columns(use_case), f"CAST(NULL AS {_label_type(use_case)})"),
        use_case.partition_column: literal(GLOBAL_PARTITION),
        "as_of": sql_timestamp(as_of),
        "history": history,
        "may_train": " AND ".join([f"{settled} = 'sufficient'", *labelled]),
        **dict.fromkeys(SIDE_COLUMNS, "CAST(NULL AS DOUBLE)"),
    }


def _rules(use_case: UseCase) -> list[Rule]:
    """Why a row is refused: what a table's row is refused for too."""
    numbers = [name for name, meaning in _meanings(use_case).items() if meaning == "number"]
    rules = [Rule("out_of_range", name, outside(name, use_case.features.get(name, Feature()))) for name in numbers]
    names = (*use_case.categories, *use_case.kept_columns)
    rules += [Rule("malformed_category", name, malformed_name(identifier(name))) for name in names]
    return rules + unknown_classes(use_case)


def _label_type(use_case: UseCase) -> str:
    return "VARCHAR" if use_case.labels.classes else "DOUBLE"


def _check_rows(connection: duckdb.DuckDBPyConnection, use_case: UseCase, as_of: datetime) -> None:
    """Refuses the result as a whole for what no row may lack."""
    record_id, partition = identifier(use_case.record_id), identifier(use_case.partition_column)
    words = ", ".join(map(literal, HISTORIES))
    faults = [
        (use_case.record_id, f"{record_id} IS NULL", "have no id", f"add WHERE {record_id} IS NOT NULL"),
        (use_case.record_id, malformed_id(record_id), "have an id that can be none", "see docs/use_cases.md for ids"),
        (
            use_case.partition_column,
            f"{partition} IS NULL",
            "are NULL",
            f"write coalesce({partition}, 'unknown') AS {partition}, or leave those rows out",
        ),
        (
            use_case.partition_column,
            malformed_name(partition),
            "are longer than 128 characters or hold invisible characters",
            "shorten or clean the names",
        ),
        (
            "as_of",
            # Years before 1 and -infinity are times of the engine, and of no calendar of Python.
            f"as_of IS NULL OR as_of > {sql_timestamp(as_of)} OR as_of < CAST('0001-01-01' AS TIMESTAMP)",
            "are NULL, later than $as_of or before the year 1",
            "write $as_of AS as_of, or leave the column out",
        ),
        (
            "history",
            f"history IS NULL OR history NOT IN ({words})",
            f"are not one of {', '.join(HISTORIES)}",
            "use them",
        ),
    ]
    # Which row of a result is the first differs from run to run, so that none is named.
    counts = ", ".join(f"count(*) FILTER ({broken})" for _, broken, *_ in faults)
    found = single(connection, f"SELECT {counts} FROM settled")
    for place, (column, _, what, advice) in enumerate(faults):
        if found[place]:
            raise _refused_rows(column, int(str(found[place])), what, advice)
    several = use_case.examples == "several"
    of_row = f"{record_id}, as_of" if several else record_id
    (repeated,) = single(
        connection, f"SELECT count(*) FROM (SELECT {of_row} FROM settled GROUP BY {of_row} HAVING count(*) > 1)"
    )
    if repeated and several:
        raise UserError(
            f"{SQL_FILE}: each row of one {use_case.record_id} needs another as_of, but {repeated} pairs of "
            f"{use_case.record_id} and as_of are in more than one row: write GROUP BY {record_id}, as_of in the last "
            "SELECT",
            code="invalid_features",
        )
    if repeated:
        raise UserError(
            f"{SQL_FILE}: column {use_case.record_id!r} must be unique, but {repeated} ids are in more than one row: "
            f"write GROUP BY {record_id} in the last SELECT, or join "
            "on columns that name one row",
            code="invalid_features",
        )


def _refused_rows(column: str, rows: int, what: str, advice: str) -> UserError:
    return UserError(
        f"{SQL_FILE}: {rows} values of column {column!r} {what}: {advice}",
        code="invalid_features",
    )
