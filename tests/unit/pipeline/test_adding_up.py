"""Batches that add up: what counts beside a batch, what it keeps, and when."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tenant_experience.errors import AlgorithmError, UserError
from tenant_experience.intake.kept_events import EventFolder, KeptEvents
from tenant_experience.pipeline import build_features
from tenant_experience.pipeline.adding_up import AddingUp
from tests.support.erasing import erasing_from_own
from tests.support.html_pages import words_of
from tests.support.places import USE_CASES
from tests.support.written_use_case import SETTINGS, Written

APPEND: dict[str, Any] = {"mode": "append"}
# Not all use cases have groups, whose rules look further back, so here the window is all that counts: 365 days.
SQL = """
CREATE VIEW ranked AS
SELECT *, row_number() OVER (
    PARTITION BY event_id ORDER BY coalesce(recorded_at, TIMESTAMP '1900-01-01') DESC, opened_at) AS place
FROM events WHERE opened_at < $as_of AND coalesce(recorded_at < $as_of, true);
SELECT tenant_id, portfolio_id, CAST(count(*) AS DOUBLE) AS calls,
    CASE WHEN right(tenant_id, 1) IN ('1', '3') THEN 'few' ELSE 'many' END AS outcome
FROM ranked WHERE place = 1 GROUP BY ALL
"""
NAMES = ("event_id", "tenant_id", "portfolio_id", "opened_at", "recorded_at", "deleted")
# Enough tenants to learn from; each has one call.
CROWD = [(f"E{number}", f"K{number}", "2026-06-03", "2026-06-03", "") for number in range(60)]
Row = tuple[str, str, str, str, str]


class Log:
    """A use case whose batches add up below ``base``."""

    def __init__(self, base: Path, sql: str = SQL, **changes: Any) -> None:
        self.base, self.sql, self.changes = base, sql, changes
        self.store = EventFolder(base / "kept")
        self.store.root.mkdir(parents=True)
        self.count = 0
        self.last: Written | None = None

    def written(self, rows: Sequence[Row], columns: Sequence[str] = NAMES) -> Written:
        self.count += 1
        lines = [
            dict(zip(NAMES, (event, tenant, "north", at, recorded, gone), strict=True))
            for event, tenant, at, recorded, gone in rows
        ]
        settings = {
            **SETTINGS,
            "record_id": "tenant_id",
            "partition_column": "portfolio_id",
            "events": {"time": "opened_at"},
            "features": {"calls": {"minimum": 0, "maximum": 100}},
            "labels": {"from": "column", "column": "outcome", "classes": ["few", "many"], "positive": "many"},
            **self.changes,
        }
        kind = self.changes.get("kind", "events")
        settings.pop("kind", None)
        source = {"kind": kind, "columns": {name: name for name in columns}}
        self.last = Written(
            self.base / str(self.count),
            settings,
            source,
            {name: [line[name] for line in lines] for name in NAMES},
            self.sql,
        )
        return self.last

    def add(self, name: str, rows: Sequence[Row], manifest: dict[str, Any] | None = None, **changes: Any) -> None:
        columns = changes.pop("columns", NAMES)
        days, hidden = changes.pop("retention_days", None), "pseudonym_key" in changes
        adding_up = AddingUp(self.store, name, hidden=hidden, retention_days=days)
        written = self.written(rows, columns)
        written.build({**APPEND, **(manifest or {})}, adding_up=adding_up, release=f"r{self.count}", **changes)

    def calls(self) -> dict[str, int]:
        """Tenant -> its calls in the last release, of those with another number than the crowd."""
        assert self.last is not None
        rows = pq.read_table(self.last.base / "job/features/features.parquet").to_pylist()
        return {row["tenant_id"]: int(row["calls"]) for row in rows if row["calls"] != 1 or row["tenant_id"][0] != "K"}

    def quality(self) -> Any:
        assert self.last is not None
        return json.loads((self.last.base / "job/reports/data_quality.json").read_text())


def upload(base: Path, rows: Sequence[Row], as_of: datetime | None = None) -> dict[str, int]:
    """What one upload of everything gives."""
    log = Log(base)
    log.written(rows).build(as_of=as_of)
    return log.calls()


A, B = ("A", "K1", "2026-07-01", "2026-07-02", ""), ("B", "K1", "2026-08-01", "2026-08-01", "false")
A_IS_GONE = ("A", "K1", "2026-07-01", "2026-09-01", "true")
A_IS_BACK = ("A", "K2", "2026-07-01", "2026-10-01", "0")


def test_an_event_is_deleted_and_comes_back_as_it_was_known(tmp_path: Path) -> None:
    log = Log(tmp_path)
    with pytest.raises(AlgorithmError, match="The events of this batch are kept, and count together with those of"):
        log.add("late", [A_IS_BACK, A_IS_GONE])
    log.add("early", [*CROWD, A])
    known = {
        (2026, 8, 20): {"K1": 3},
        (2026, 9, 1): {"K1": 3},
        (2026, 9, 2): {"K1": 2},
        (2026, 10, 2): {"K1": 2, "K2": 2},
    }
    for number, (day, calls) in enumerate(known.items()):
        moment = datetime(*day, tzinfo=UTC)
        log.add("last", [B], as_of=moment)
        assert log.calls() == calls
        assert upload(tmp_path / f"one-{number}", [*CROWD, A_IS_BACK, A, B, A_IS_GONE], moment) == calls


def test_a_log_may_begin_with_batches_of_one_class_each(tmp_path: Path) -> None:
    log = Log(tmp_path)
    few, many = ([(f"{end}-{n}", f"P{n}-{end}", "2026-06-03", "", "") for n in range(60)] for end in (1, 2))
    says = r"no record has the class .many.*The events of this batch are kept"
    with pytest.raises(UserError, match=says) as caught:
        log.add("few", few)
    assert caught.value.code == "missing_class"
    log.add("many", many)
    assert len(log.calls()) == 120


def test_a_row_that_comes_in_two_batches_counts_once_whatever_features_sql_asks(tmp_path: Path) -> None:
    log = Log(
        tmp_path,
        "SELECT tenant_id, portfolio_id, CAST(count(*) AS DOUBLE) AS calls, "
        "CASE WHEN right(tenant_id, 1) IN ('1', '3') THEN 'few' ELSE 'many' END AS outcome FROM events GROUP BY ALL",
    )
    log.add("first", CROWD)
    log.add("second", [*CROWD, B])
    log.add("third", [*CROWD, B, B])
    assert log.calls() == {"K1": 2}
    months = {each["month"]: (each["rows"], each["new"]) for each in log.quality()["kept"]["months"]}
    assert months == {"2026-06": (180, 60), "2026-08": (3, 2)}
    assert log.quality()["rows"] == 62
    assert log.last is not None
    page = (log.last.base / "job/reports/data_quality.html").read_text()
    assert "121 rows of events of 2 earlier batches, from 2025-11 on" in words_of(page)


def test_a_batch_takes_the_place_of_an_earlier_one_of_its_name(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add("june", CROWD)
    log.add("july", [A, B])
    log.add("july", [A])
    assert log.calls() == {"K1": 2}
    log.add("august", [("C", "K3", "2026-08-01", "", "")])
    assert log.calls() == {"K1": 2, "K3": 2}


def test_only_months_that_a_release_looks_back_on_are_read(tmp_path: Path) -> None:
    """As of 2026-11-01 with 365 days: November 2025 and later."""
    old = [("O", "K1", "2025-10-31", "2025-10-31", ""), ("P", "K2", "2025-11-01", "", "")]
    moved = [("M", "K3", "2025-10-01", "2026-02-01", "")]  # corrected: it happened before anything that counts
    log = Log(tmp_path)
    log.add("first", [*CROWD, *old, ("M", "K3", "2025-12-01", "2026-01-01", "")])
    log.add("second", moved)
    # The correction of an event counts for as long as the event: the row of the earlier date does not come back.
    assert log.calls() == {"K2": 2, "K3": 2}
    assert (log.quality()["kept"]["since"], log.quality()["kept"]["batches"]) == ("2025-11", 1)
    assert log.quality()["kept"]["too_old"] == 0
    assert not [key for key in log.store.keys() if "2025-10" in key]  # noqa: SIM118 - a store is no dictionary
    log.add("third", [("Q", "K4", "2020-01-01", "", "")])
    assert log.quality()["kept"]["too_old"] == 1
    assert "1 rows are of months before 2025-11, by opened_at and recorded_at, and are left out" in " ".join(
        log.quality()["warnings"]
    )
    longer = Log(tmp_path / "longer", events={"time": "opened_at", "kept_days": 400})
    longer.add("first", [*CROWD, *old])
    assert longer.calls() == {"K1": 2, "K2": 2}


def killed(_kept: KeptEvents) -> None:
    raise KeyboardInterrupt  # as when the machine goes away


def test_a_refused_batch_leaves_nothing_that_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(tmp_path, gates=SETTINGS["gates"] | {"quarantine_share": 0.5})
    log.add("june", CROWD)
    with pytest.raises(UserError, match="quarantine_share"):
        log.add("july", [A, ("X", "", "never", "", ""), ("Y", "", "", "", "")])
    with monkeypatch.context() as patch:
        patch.setattr(build_features, "accept", killed)
        with pytest.raises(KeyboardInterrupt):
            log.add("july", [A])
    log.add("august", [("C", "K3", "2026-08-01", "", "")])
    assert log.calls() == {"K3": 2}


def test_a_damaged_or_foreign_part_is_refused_by_its_key(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add("june", CROWD)
    log.add("july", [A])
    june, july = (key for key in log.store.keys() if key.startswith("month="))  # noqa: SIM118 - a store is no dictionary
    path = log.store.root / june
    whole = path.read_bytes()
    for damaged in (
        b"",
        whole[:-30],
        whole[:60] + b"\xff" * 120 + whole[180:],
        whole[:200] + b"\xff" * 200 + whole[400:],
    ):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=re.escape(june)) as caught:
            log.add("august", [B])
        assert caught.value.code == "kept_events_damaged"
    path.write_bytes(whole)
    pq.write_table(pa.table({"event_id": ["X"], "other": [1]}), log.store.root / july)
    with pytest.raises(UserError, match=f"{re.escape(july)} has no column tenant_id") as caught:
        log.add("august", [B])
    assert caught.value.code == "kept_events_differ"


def test_history_reads_what_was_kept_and_keeps_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add("june", CROWD)
    before = log.store.keys()
    log.add("july", [A], as_of=datetime(2026, 8, 1, tzinfo=UTC))
    assert log.calls() == {"K1": 2}
    assert log.store.keys() == before


def test_kept_events_hold_pseudonyms_where_the_stack_does(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add("june", CROWD, pseudonym_key=b"key")
    log.add("july", [A, A], pseudonym_key=b"key")
    assert sorted(log.calls().values()).count(2) == 1
    for key in log.store.keys():  # noqa: SIM118 - a store is no dictionary
        if key.endswith(".parquet"):
            assert all(len(tenant) > 20 for tenant in pq.read_table(log.store.root / key)["tenant_id"].to_pylist())
    with pytest.raises(UserError, match="events with pseudonyms, and this batch has rows of kind: events with ids"):
        log.add("august", [B])


def test_ids_that_were_kept_with_another_rule_of_case_are_refused(tmp_path: Path) -> None:
    """They would be other people: K1 in what was kept, and k1 from now on."""
    log = Log(tmp_path)
    log.add("june", CROWD)
    log.changes = {"record_id_case": "insensitive"}
    says = (
        "rows of kind: events with ids, and this batch has rows of kind: events with ids of record_id_case: insensitive"
    )
    with pytest.raises(UserError, match=says) as caught:
        log.add("july", [A])
    assert caught.value.code == "kept_events_differ"


def test_a_column_that_is_new_is_blank_in_what_was_kept_and_one_of_another_type_is_refused(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add("june", CROWD)
    log.changes = {"events": {"time": "opened_at", "columns": {"mood": {"type": "number", "optional": True}}}}
    log.add("july", [A])
    assert log.calls() == {"K1": 2}
    log.changes = {"events": {"time": "opened_at", "columns": {"mood": {"type": "text", "optional": True}}}}
    with pytest.raises(UserError, match=r"column mood is DOUBLE in month=2026-07/.* and VARCHAR now") as caught:
        log.add("august", [B])
    assert caught.value.code == "kept_events_differ"


def test_what_cannot_add_up_is_refused_by_name(tmp_path: Path) -> None:
    log = Log(tmp_path)
    with pytest.raises(UserError, match="maps no event_id, so an event that comes twice would count twice"):
        log.add("a", CROWD, columns=NAMES[1:4])
    with pytest.raises(UserError, match="has deleted, but not recorded_at"):
        log.add("a", CROWD, columns=[*NAMES[:4], "deleted"])
    with pytest.raises(UserError, match="key 'mode' must be one of replace, append, not \"add\""):
        log.add("a", CROWD, {"mode": "add"})
    with pytest.raises(UserError, match="set its parameter EventRetentionDays to 427 or more") as caught:
        log.add("a", CROWD, retention_days=426)
    assert caught.value.code == "events_removed_too_early"
    log.add("a", CROWD, retention_days=427)
    log.changes = {"examples": "several"}
    with pytest.raises(UserError, match="not how many days they count: set its key"):
        log.add("a", CROWD)


def test_old_loans_of_a_shipped_use_case_still_are_examples(tmp_path: Path) -> None:
    """Six years of loans, of which those of the last year have no outcome yet."""
    names = ("loan_id", "client_id", "branch", "granted", "amount", "birthday", "employed_since", "owns_car", "status")
    loans = [
        (
            f"L{n}",
            f"K{n // 6}",
            "market",
            f"202{n % 6}-03-01",
            100 + n,
            "1980-01-01",
            "",
            "yes",
            ("repaid", "defaulted")[n % 2],
        )
        for n in range(360)
    ]
    folder = USE_CASES / "credit_risk"
    settings, source = (yaml.safe_load((folder / name).read_text()) for name in ("use_case.yaml", "sources/loans.yaml"))
    settings |= {"default_source": "export", "gates": SETTINGS["gates"]}
    rows = dict(zip(names, map(list, zip(*loans, strict=True)), strict=True))
    written = Written(tmp_path, settings, source, rows, (folder / "features.sql").read_text())
    store = EventFolder(tmp_path / "kept")
    store.root.mkdir()
    written.build({"mode": "append"}, adding_up=AddingUp(store, "all"))
    assert pq.read_metadata(tmp_path / "job/features/examples.parquet").num_rows == 360


def test_cases_of_an_activity_log_add_up(tmp_path: Path) -> None:
    """The rows of a case come in several batches, one of them twice."""
    sql = SQL.replace("FROM events WHERE", "FROM events WHERE tenant_id <> 'nobody' AND")
    log = Log(tmp_path, sql, kind="activities")
    columns = NAMES[:5]
    late = [("A", "K2", "2026-07-09", "2026-07-09", "")]
    with pytest.raises(AlgorithmError):
        log.add("late", late, columns=columns)
    log.add("early", [*CROWD, ("A", "K1", "2026-07-01", "2026-07-01", "")], columns=columns)
    assert log.calls() == {"K2": 2}
    log.add("late again", [*CROWD, *late], columns=columns)
    assert log.calls() == {"K2": 2}
    log.changes = {}
    with pytest.raises(UserError, match="they are rows of kind: activities with ids"):
        log.add("events", [B])


def test_a_tenant_who_was_erased_does_not_come_back_from_what_was_kept(tmp_path: Path) -> None:
    log, me = Log(tmp_path), "Tenant-14"
    log.add("june", [*CROWD, ("X", me, "2026-06-01", "", "")])
    log.add("july", [("Y", me, "2026-07-01", "", "")])
    assert log.calls() == {me: 2}
    removed = 0
    with erasing_from_own(tmp_path, me) as erase:
        for key in log.store.keys():  # noqa: SIM118 - a store is no dictionary
            found, content = erase(f"events/written/{key}", (log.store.root / key).read_bytes())
            removed += found.removed
            if found.left == "rewritten":
                (log.store.root / key).write_bytes(content)
    assert removed == 2
    log.add("august", [A])
    assert log.calls() == {"K1": 2}


def test_events_of_a_batch_without_training_count_in_the_next_one(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add("june", CROWD)
    assert log.last is not None
    live = log.last.base / "job/features"
    log.add("july", [A], {"train": False}, previous=live)
    assert log.calls() == {"K1": 2}
    log.add("august", [B])
    assert log.calls() == {"K1": 3}
