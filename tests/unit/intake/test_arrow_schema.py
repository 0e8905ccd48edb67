"""Which columns of a Parquet file are durations is read without Arrow."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from tenant_experience.intake._arrow_schema import durations


def schema_of(table: pa.Table, tmp_path: Path) -> bytes:
    parquet.write_table(table, tmp_path / "t.parquet")
    found: bytes = parquet.read_metadata(tmp_path / "t.parquet").metadata[b"ARROW:schema"]
    return found


def test_durations_of_every_unit_are_found_and_nothing_else(tmp_path: Path) -> None:
    columns = {f"d {unit}é": pa.array([1], pa.duration(unit)) for unit in ("s", "ms", "us", "ns")}
    others = {
        "number": [1],
        "text": ["x"],
        "list": [[1]],
        "struct": [{"a": 1}],
        "time": pa.array([1], pa.timestamp("us", "UTC")),
        "category": pa.array(["x"]).dictionary_encode(),
        "nothing": [None],
    }
    table = pa.table({**others, **columns}).replace_schema_metadata({"key": "value" * 100})
    assert durations(schema_of(table, tmp_path)) == set(columns)
    assert durations(schema_of(pa.table(others), tmp_path)) == set()


@pytest.mark.parametrize("cut", [0, 4, 20, 60, 100])
def test_a_schema_that_cannot_be_read_has_none(tmp_path: Path, cut: int) -> None:
    whole = schema_of(pa.table({"d": pa.array([1], pa.duration("s"))}), tmp_path)
    assert durations(whole[:cut]) == set()
    assert durations(b"no base64!") == set()
