"""The contract of ``features.sql``: the preview refuses each break, as BuildFeatures does, in a sentence."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from tenant_experience.errors import TenantExperienceError, UserError
from tests.support.broken_sql import BROKEN, GOOD, LABEL, select
from tests.support.written_use_case import AS_OF, Written, events_of


def test_hyperparameters_that_the_trainer_does_not_know_are_refused_before_it_is_asked(tmp_path: Path) -> None:
    written = events_of(tmp_path, GOOD, hyperparameters={"bogus": 3})
    assert "does not know the hyperparameters bogus" in str(written.preview().refusals)
    with pytest.raises(UserError, match="does not know the hyperparameters bogus"):
        written.release()


def test_a_label_that_is_no_class_is_refused_and_not_shown(tmp_path: Path) -> None:
    shown = events_of(tmp_path, GOOD.replace("'few'", "'Ann Ames'")).preview().refusals
    assert shown[0][0] == "too_many_bad_rows"
    assert "unknown_class, column 'outcome', 60 times, whose classes are few, many" in shown[0][1]
    assert "Ann" not in str(shown)


def test_what_is_named_by_with_is_read_within_its_own_select_and_by_the_names_after_it(tmp_path: Path) -> None:
    named = (
        "WITH a AS (SELECT tenant_id FROM events), b AS (WITH a AS (SELECT * FROM a) SELECT * FROM a), "
        "c AS (SELECT tenant_id FROM a UNION ALL (SELECT tenant_id FROM b LIMIT 0))"
    )
    counted = select(f"tenant_id, count(*) AS calls, {LABEL}").replace("FROM events", "FROM (SELECT * FROM c)")
    sql = f"{named} {counted}"
    assert events_of(tmp_path, sql).preview().refusals == []


def test_the_good_one_ends_in_a_model_with_defaults_for_what_it_leaves_out(tmp_path: Path) -> None:
    written = events_of(tmp_path, GOOD)
    assert written.preview().refusals == []
    assert written.release() == ["all"]
    rows = pq.read_table(tmp_path / "job/features/features.parquet").to_pylist()
    assert len(rows) == 120
    one = next(row for row in rows if row["tenant_id"] == "K1")
    assert one == {
        "tenant_id": "K1",
        "portfolio_id": "all",
        "partition": "all",
        "partition_slug": "all",
        "as_of": AS_OF,
        "history": "sufficient",
        "may_train": True,
        "calls": 3.0,
        "outcome": "many",
        "exposure_days": None,
        "open_count": None,
        "oldest_open_hr": None,
    }


@pytest.mark.parametrize("sql", BROKEN, ids=range(len(BROKEN)))
def test_each_break_is_a_sentence_of_the_preview_and_of_the_job(sql: str, tmp_path: Path) -> None:
    written = events_of(tmp_path, sql)
    with pytest.raises(UserError, match=r"features\.sql") as shown:
        written.preview()
    with pytest.raises(UserError) as built:
        written.build()
    assert (built.value.code, built.value.message) == (shown.value.code, shown.value.message)
    assert shown.value.code in ("invalid_use_case", "invalid_features")
    with pytest.raises(UserError, match=BROKEN[sql].replace("\n", " ")):
        raise UserError(" ".join(shown.value.message.split()), code="x")
    assert "K3" not in shown.value.message.replace(sql, "")


def test_values_outside_the_bounds_are_quarantined_and_counted(tmp_path: Path) -> None:
    """Of 120 tenants: one below the minimum, one above the maximum, one infinite, one that is not a number."""
    calls = (
        "CASE tenant_id WHEN 'K3' THEN -1 WHEN 'K4' THEN 101 WHEN 'K5' THEN CAST('inf' AS DOUBLE) "
        "WHEN 'K6' THEN CAST('nan' AS DOUBLE) ELSE count(*) END AS calls"
    )
    written = events_of(tmp_path, select(f"tenant_id, {calls}, {LABEL}"))
    shown = written.preview()
    assert shown.refusals == []
    assert shown.quality["quarantined_by_reason"] == [
        {"reason": "out_of_range", "column": "calls", "rows": 4, "first_file": "the result of features.sql"}
        | {"first_line": shown.quality["quarantined_by_reason"][0]["first_line"]}
    ]
    assert any("features.sql gave 4 of 120 records" in warning for warning in shown.quality["warnings"])
    assert written.build().figures["tenants"] == 116
    refused = pq.read_table(tmp_path / "job/quarantine/quarantine.parquet").to_pylist()
    assert sorted(row["raw_tenant_id"] for row in refused) == ["K3", "K4", "K5", "K6"]


def test_too_many_such_values_refuse_the_release_with_the_bounds(tmp_path: Path) -> None:
    written = events_of(tmp_path, select(f"tenant_id, -count(*) AS calls, {LABEL}"))
    refusals = dict(written.preview().refusals)
    assert "120 of 120 records (100.0%) were refused" in refusals["too_many_bad_rows"]
    assert "column 'calls', 120 times, minimum 0, maximum 100" in refusals["too_many_bad_rows"]
    with pytest.raises(UserError, match="120 of 120 records"):
        written.build()


def test_history_follows_from_exposure_and_a_record_without_a_label_may_not_train(tmp_path: Path) -> None:
    exposure = "CASE tenant_id WHEN 'K1' THEN 10 WHEN 'K2' THEN 100 WHEN 'K3' THEN 200 WHEN 'K4' THEN NULL ELSE 365 END"
    label = "CASE WHEN tenant_id <> 'K5' THEN CASE WHEN count(*) > 2 THEN 'many' ELSE 'few' END END AS outcome"
    written = events_of(tmp_path, select(f"tenant_id, {exposure} AS exposure_days, count(*) AS calls, {label}"))
    written.build()
    rows = pq.read_table(tmp_path / "job/features/features.parquet").to_pylist()
    found = {row["tenant_id"]: (row["history"], row["may_train"]) for row in rows}
    assert [found[f"K{number}"] for number in range(1, 7)] == [
        ("insufficient", False),
        ("provisional", False),
        ("sufficient", True),
        ("insufficient", False),
        ("sufficient", False),
        ("sufficient", True),
    ]


def test_a_parameter_in_a_text_or_a_comment_stays_as_it_is(tmp_path: Path) -> None:
    sql = select(
        "tenant_id, count(*) AS calls, 'ü$as_of' AS outcome -- ö $nothing", "WHERE opened_at < $as_of GROUP BY ALL"
    )
    written = events_of(tmp_path, sql, labels=CLASSES)
    with pytest.raises(TenantExperienceError, match=r"no record has the class 'other'"):
        written.build()


CLASSES = {"from": "column", "column": "outcome", "classes": ["other", "ü$as_of"], "positive": "ü$as_of"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    written: Written = events_of(tmp_path, GOOD)
    (written.folder / "features.sql").unlink()
    with pytest.raises(UserError, match=r"features\.sql is missing in written/"):
        written.preview()


def test_duckdb_names_functions_that_change_from_run_to_run() -> None:
    """The rule hangs on this column of DuckDB's own catalog."""
    found = duckdb.sql("SELECT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'").fetchall()
    assert {"now", "random", "uuid", "getvariable", "today"} <= {name for (name,) in found}
