"""The rows of a file as the intake of releases reads them: mapped, typed and checked by the use case's source.

It needs DuckDB and pydantic, so the functions import it when they read a file.
"""

# ruff: noqa: S608 - names in SQL are quoted by duckdb_session
from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from tenant_experience.intake.csv_format import csv_format
from tenant_experience.intake.duckdb_session import count, identifier, literal, open_session
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.intake.files import find_raw_files
from tenant_experience.intake.formats import ZIP, RawFile
from tenant_experience.intake.mapping import FILTERED, RowMapping, Rule, malformed_id
from tenant_experience.intake.table import check_column_types, table_mapping
from tenant_experience.pseudonyms import Pseudonyms
from tenant_experience.queue.message import QueueRow
from tenant_experience.queue.size import LARGEST_FILE, TooLargeForQueueError, too_long, too_many
from tenant_experience.use_case.id_sql import normal_id
from tenant_experience.use_case.schema import UseCase, load_use_case
from tenant_experience.use_case.source import Source, load_source

_ROWS_AT_ONCE = 2_000
_HEADER_BYTES = 1 << 20


@dataclass(frozen=True)
class FileRows:
    """The rows of a file, which are read while they are asked for.

    Attributes:
        count: how many there are, those that cannot be scored included.
        rows: each of them once, in order.
    """

    count: int
    rows: Iterator[QueueRow]


@contextmanager
def read_rows(
    folder: Path, definition: Path, as_of: datetime, pseudonym_key: bytes | None, session_folder: Path
) -> Iterator[FileRows]:
    """The rows of the only file in ``folder``.

    Args:
        folder: has nothing but the file, under its own name.
        definition: the folder of the use case.
        as_of: the moment that the rows describe, where the source asks for one.
        pseudonym_key: what replaces ids; None where they stay.
        session_folder: where the rows are kept while they are read.

    Raises:
        UserError: the file, the use case or the source cannot be read.
        TooLargeForQueueError: the file is for score_batch.
    """
    use_case = load_use_case(definition)
    name = use_case.inference.source or use_case.default_source
    source = load_source(definition, name, use_case)
    with open_session(folder, session_folder, time_zone=source.time_zone) as (connection, scratch):
        files, has_ids_alone = _files(folder, use_case, scratch)
        if has_ids_alone:
            mapping = _ids_alone(use_case)
        elif source.has_events:
            raise TooLargeForQueueError(
                f"the source {name!r} reads events, whose features are built first, and the queue takes rows of "
                "features"
            )
        else:
            of_file = _without_need_of_truth(source, use_case).at(as_of).of_file(next(folder.iterdir()).name)
            mapping = table_mapping(of_file, use_case)
        engine = DuckDbEngine(connection, scratch)
        counts = engine.stage(files, mapping)
        check_column_types(connection, counts, mapping.source)
        _number_quarantine(connection, mapping)
        staged = count(connection, f"SELECT count(*) FROM staged WHERE broken_rule IS DISTINCT FROM {FILTERED}")
        rejected = count(connection, "SELECT count(*) FROM rejected")
        if staged + rejected > use_case.inference.queue_rows:
            raise too_many(use_case.inference.queue_rows)
        column, case = use_case.record_id, use_case.record_id_case
        pseudonyms = None if pseudonym_key is None else Pseudonyms(pseudonym_key, column, case)
        yield FileRows(staged + rejected, _Reader(connection, use_case, mapping, pseudonyms).rows())


def _ids_source(use_case: UseCase) -> Source:
    column = identifier(use_case.record_id)
    return Source.model_validate({"kind": "table", "columns": {use_case.record_id: column}})


def _files(folder: Path, use_case: UseCase, scratch: Path) -> tuple[list[RawFile], bool]:
    """The only file in ``folder``, or what is packed in it; and whether it holds ids alone."""
    for path in folder.iterdir():
        if path.suffix.lower() == ZIP and _unpacked_size(path) > LARGEST_FILE:
            raise too_long()
    files = find_raw_files(folder, _ids_source(use_case), scratch)
    return files, all(_names(file) == [use_case.record_id.lower()] for file in files)


def source_of(folder: Path, definition: Path, scratch: Path) -> str | None:
    """The name of the source that reads the files in ``folder``; None where they hold ids alone.

    Args:
        folder: the files of a score batch, or the only file that the queue has handed over.
        definition: the folder of the use case.
        scratch: archives are unpacked here.

    Raises:
        UserError: a file or the use case cannot be read.
    """
    use_case = load_use_case(definition)
    name = use_case.inference.source or use_case.default_source
    files = find_raw_files(folder, load_source(definition, name, use_case), scratch)
    return None if all(_names(file) == [use_case.record_id.lower()] for file in files) else name


def _unpacked_size(path: Path) -> int:
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError):
        return 0  # whoever reads it says what is wrong


def _without_need_of_truth(source: Source, use_case: UseCase) -> Source:
    """The source for files with and without the truth: the columns that only the label reads may be missing."""
    label = use_case.labels.column
    if label is None or label not in source.columns:
        return source
    others = source.without(label).raw_columns()
    of_label = [raw for raw in source.raw_columns() if raw not in others]
    return source.model_copy(update={"optional": [*source.optional, *of_label]})


def _ids_alone(use_case: UseCase) -> RowMapping:
    name = use_case.record_id
    text = f"CAST(raw_{name} AS VARCHAR)"
    rules = (
        Rule("missing_value", name, f"{identifier(name)} IS NULL"),
        Rule("malformed_id", name, malformed_id(identifier(name))),
    )
    typed = {name: f"nullif({normal_id(text, use_case.record_id_case)}, '')"}
    return RowMapping(_ids_source(use_case), typed, rules, {name: "id"})


def _names(file: RawFile) -> list[str] | None:
    """The names of the columns in lower case, as far as they can be told before the file is read."""
    if file.format == "parquet":
        with duckdb.connect(":memory:") as connection:
            try:
                described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({literal(str(file.path))})")
            except duckdb.Error:
                return None
            return [str(name).lower() for name, *_ in described.fetchall()]
    try:
        with file.open() as stream:
            start = stream.read(_HEADER_BYTES).decode("utf-8-sig", "ignore")
    except (OSError, EOFError, ValueError):
        return None
    if file.format == "jsonl":
        return _keys(start)
    header = start.lstrip().partition("\n")[0]
    written = csv_format(file.extension, header, Source.model_validate({"kind": "table", "columns": {"none": "NULL"}}))
    return [name.strip().lower() for name in written.cells(header)]


def _keys(start: str) -> list[str] | None:
    """The keys of the first record, in JSON lines or in an array."""
    try:
        document, _ = json.JSONDecoder().raw_decode(start.lstrip("[ \t\r\n"))
    except (ValueError, RecursionError):
        return None
    return [name.lower() for name in document] if isinstance(document, dict) else None


def _number_quarantine(connection: duckdb.DuckDBPyConnection, mapping: RowMapping) -> None:
    """Makes ``rejected`` of the lines that are no rows at all, and ``lines`` of those in which rows are refused."""
    reasons = ", ".join(sorted({literal(rule.reason) for rule in mapping.rules}))
    columns = "reason, column_name, file, line, row_number() OVER (PARTITION BY file ORDER BY line) AS place"
    connection.execute(f"CREATE TABLE rejected AS SELECT {columns} FROM quarantine WHERE reason NOT IN ({reasons})")
    connection.execute(f"CREATE TABLE refused AS SELECT {columns} FROM quarantine WHERE reason IN ({reasons})")


@dataclass(frozen=True)
class _Reader:
    """Makes rows of the queue from what the intake has staged."""

    connection: duckdb.DuckDBPyConnection
    use_case: UseCase
    mapping: RowMapping
    pseudonyms: Pseudonyms | None

    def rows(self) -> Iterator[QueueRow]:
        """Rows in the order of the file; then the lines that are none."""
        use_case, columns = self.use_case, self.mapping.columns
        features = [name for name in use_case.features if name in columns]
        with_features = use_case.partition_column in columns
        rules = self.mapping.rules
        refused = self.connection.execute("SELECT line FROM refused ORDER BY file, line").fetchall()
        number, lines = 0, iter(refused)
        for record, broken in self._staged(columns):
            number += 1
            if broken is not None:
                rule = rules[broken]
                yield QueueRow(number, failure=_reason(rule.reason, rule.column), line=next(lines, (None,))[0])
                continue
            identity = record[use_case.record_id]
            partition = record.get(use_case.partition_column)
            yield QueueRow(
                number,
                id=identity if self.pseudonyms is None else self.pseudonyms.of(identity),
                partition=partition if "partition_column" in use_case.model_fields_set else None,
                features={name: record[name] for name in features if record[name] is not None}
                if with_features
                else None,
                truth=record.get(use_case.labels.column or ""),
            )
        found = self.connection.execute("SELECT reason, column_name, line FROM rejected ORDER BY file, line").fetchall()
        for reason, column, line in found:
            number += 1
            yield QueueRow(number, failure=_reason(reason, column), line=line)

    def _staged(self, columns: tuple[str, ...]) -> Iterator[tuple[dict[str, Any], int | None]]:
        names = ", ".join(map(identifier, columns))
        cursor = self.connection.cursor()
        cursor.execute(f"SELECT broken_rule, {names} FROM staged WHERE broken_rule IS DISTINCT FROM {FILTERED}")
        while some := cursor.fetchmany(_ROWS_AT_ONCE):
            for broken, *values in some:
                yield dict(zip(columns, values, strict=True)), broken


def _reason(reason: str, column: str) -> str:
    return f"{reason}: {column}" if column else reason
