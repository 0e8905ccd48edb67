"""``$as_of`` in the columns of a table: the moment that the features describe, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tenant_experience.errors import UserError
from tests.support.written_use_case import AS_OF, Written, table_of


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
        ({"where": "CAST(c2 AS INTEGER) < year($as_of)"}, "where must not use $as_of"),
        ({"kind": "events", "columns": {"amount": "date_diff('day', c2, $as_of)"}}, "is for kind: table"),
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
