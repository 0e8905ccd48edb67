"""The rows of ``predictions/`` are those that Athena is told of and that are documented."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from tenant_experience.scoring.answers import SCHEMA, read_answers, write_rows
from tenant_experience.scoring.publish import write_files
from tests.support.kept_answers import row_of
from tests.support.places import ROOT
from tests.support.template import properties_of

_GLUE = {
    pa.string(): "string",
    pa.float64(): "double",
    pa.list_(pa.string()): "array<string>",
    pa.map_(pa.string(), pa.float64()): "map<string,double>",
}


def test_the_glue_table_has_the_columns_of_the_files() -> None:
    columns = properties_of("AnswerFiles")["TableInput"]["StorageDescriptor"]["Columns"]
    assert {column["Name"]: column["Type"] for column in columns} == {field.name: _GLUE[field.type] for field in SCHEMA}


def test_athena_reads_the_parquet_files_alone(tmp_path: Path) -> None:
    rows = [row_of("T1", 0.25), row_of("T2", None)]
    write_files(rows, tmp_path, csv=True, per_file=1)
    seen = [path.name for path in tmp_path.iterdir() if not path.name.startswith(("_", "."))]  # as Athena does
    assert sorted(seen) == ["part-00000.parquet", "part-00001.parquet"]
    assert len(list(tmp_path.iterdir())) == 4


def test_every_column_is_documented() -> None:
    documented = (ROOT / "docs/scoring.md").read_text()
    assert [name for name in SCHEMA.names if f"`{name}`" not in documented] == []


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [row_of("T1", 0.25, probabilities={"bad": 0.25, "good": 0.75}), row_of("T2", None)]
    assert set(rows[0]) == set(SCHEMA.names)
    assert write_rows(rows, tmp_path / "rows.parquet", at_once=1) == 2
    assert list(read_answers(tmp_path / "rows.parquet")) == rows
