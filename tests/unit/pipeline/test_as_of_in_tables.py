"""``$as_of`` in the columns of a table: the moment that the features describe, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tenant_experience.errors import UserError
from tests.support.loans import loans
from tests.support.written_use_case import AS_OF, Written, events_of, table_of


def written(base: Path, **columns: str) -> Written:
    made = table_of(base)
    made.source["columns"] |= columns
    return Written(made.base / "again", made.settings, made.source, made.rows | {"born": ["1990-01-01"] * 240})


def test_an_age_is_that_at_the_moment_of_the_release(tmp_path: Path) -> None:
    made = written(tmp_path, amount="date_diff('day', CAST(born AS DATE), $as_of)")
    made.build()
    found = pq.read_table(made.base / "job/features/features.parquet")["amount"].to_pylist()
    assert set(found) == {float((AS_OF - datetime(1990, 1, 1, tzinfo=UTC)).days)}


def test_a_batch_of_an_earlier_moment_has_earlier_ages_and_texts_stay_as_they_are(tmp_path: Path) -> None:
    text = "CASE WHEN 'a $as_of' = 'a ' || chr(36) || 'as_of' THEN date_diff('day', CAST(born AS DATE), $as_of) END"
    made = written(tmp_path, amount=text)
    made.build({"as_of": "1990-01-11T00:00:00Z"})
    assert set(pq.read_table(made.base / "job/features/features.parquet")["amount"].to_pylist()) == {10.0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": {"client": "c0 || CAST($as_of AS VARCHAR)"}}, "columns.client' uses $as_of, but an id must be"),
        ({"columns": {"amount": "$other"}}, "must not use a parameter other than $as_of"),
        ({"columns": {"amount": "?"}}, "must not use a parameter other than $as_of"),
        ({"where": "CAST(c2 AS INTEGER) < year($as_of)"}, "key 'where' uses $as_of, but the filter looks at one row"),
        ({"columns": {"amount": "$ as_of"}}, "must not use a parameter other than $as_of"),
        ({"columns": {"amount": "$/* the moment */as_of"}}, "must not use a parameter other than $as_of"),
        ({"columns": {"amount": "$as_of\u00e9"}}, "must not use a parameter other than $as_of"),
        ({"columns": {"amount": " "}}, "must be one SQL expression, such as a column of the file, or NULL"),
    ],
)
def test_where_it_cannot_be_it_is_refused_with_the_line(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    made = table_of(tmp_path)
    source = made.source | change | {"columns": made.source["columns"] | change.get("columns", {})}
    with pytest.raises(UserError) as refused:
        Written(tmp_path / "again", made.settings, source, made.rows).build()
    assert refused.value.code == "invalid_source"
    assert message in refused.value.message
    assert "export.yaml: line " in refused.value.message


def test_it_is_for_tables_and_the_refusal_names_the_line_of_the_column(tmp_path: Path) -> None:
    made = events_of(tmp_path, "SELECT 1")
    columns = made.source["columns"] | {"channel": "CASE WHEN channel < CAST($as_of AS VARCHAR) THEN channel END"}
    with pytest.raises(UserError) as refused:
        Written(tmp_path / "again", made.settings, made.source | {"columns": columns}, made.rows, made.sql).build()
    assert refused.value.message.startswith("export.yaml: line 6: key 'columns.channel' uses $as_of, which is for kind")


@pytest.mark.parametrize("name", ["\u00e9$as_of", "x$as_of", '"a $as_of"'])
def test_a_column_of_the_file_may_have_it_in_its_name(name: str, tmp_path: Path) -> None:
    made = written(tmp_path, amount=f"CAST({name} AS INTEGER) + 0 * year($as_of)")
    Written(made.base / "more", made.settings, made.source, made.rows | {name.strip('"'): [7] * 240}).build()
    found = pq.read_table(made.base / "more/job/features/features.parquet")["amount"].to_pylist()
    assert set(found) == {7.0}


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("told", ["2026-10-31T22:00:00Z", "2026-10-31T18:00:00-04:00"])
def test_hours_are_counted_right_whatever_the_zone_of_the_source(zone: str, told: str, tmp_path: Path) -> None:
    made = written(tmp_path, amount="date_diff('hour', CAST(seen AS TIMESTAMPTZ), $as_of)")
    source = made.source | {"time_zone": zone}
    Written(made.base / "more", made.settings, source, made.rows | {"seen": [told] * 240}).build()
    found = pq.read_table(made.base / "more/job/features/features.parquet")["amount"].to_pylist()
    assert set(found) == {2.0}


def test_a_time_without_an_offset_is_one_of_the_zone_of_the_source(tmp_path: Path) -> None:
    made = written(tmp_path, amount="date_diff('hour', CAST(seen AS TIMESTAMP), $as_of)")
    source = made.source | {"time_zone": "Europe/Berlin"}
    # In summer, Berlin is two hours before UTC, and on 1 November one hour.
    Written(made.base / "more", made.settings, source, made.rows | {"seen": ["2026-10-24 23:00:00"] * 240}).build()
    found = pq.read_table(made.base / "more/job/features/features.parquet")["amount"].to_pylist()
    assert set(found) == {7 * 24 + 3.0}


@pytest.mark.parametrize("column", ["amount", "colour", "outcome", "as_of"])
def test_rows_that_describe_moments_of_their_own_may_not_know_that_of_the_release(tmp_path: Path, column: str) -> None:
    case = loans(tmp_path)
    columns = case.source["columns"] | {column: "date_diff('day', TIMESTAMP '2020-01-01', $as_of)"}
    source = case.source | {"columns": columns}
    with pytest.raises(UserError) as refused:
        Written(tmp_path / "again", case.settings, source, case.rows).build()
    assert refused.value.code == "invalid_source"
    assert f"key 'columns.{column}' uses $as_of, the moment of the release, but with examples: several" in (
        refused.value.message
    )
    own = source["columns"] | {column: case.source["columns"][column]}
    own["amount"] = "date_diff('day', TIMESTAMP '2020-01-01', CAST(granted AS TIMESTAMP))"
    made = Written(tmp_path / "own", case.settings, source | {"columns": own}, case.rows)
    made.build()
    assert len(set(pq.read_table(made.base / "job/features/examples.parquet")["amount"].to_pylist())) > 100
