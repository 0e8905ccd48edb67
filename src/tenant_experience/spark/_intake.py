"""Reads raw files in Spark's tasks, one file in each task, with the same DuckDB code that reads them in one process."""

# ruff: noqa: S608 - names in SQL are the project's own
from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa

from tenant_experience.data_layout import ml_root, processing_input
from tenant_experience.errors import AlgorithmError, PlatformError, TenantExperienceError, UserError
from tenant_experience.intake.duckdb_session import identifier, open_session
from tenant_experience.intake.files import find_raw_files
from tenant_experience.intake.formats import RawFile
from tenant_experience.intake.mapping import RowMapping
from tenant_experience.intake.staging import FileCount, stage_files
from tenant_experience.pseudonyms import Pseudonyms

BATCH_ROWS = 10_000
# Beside the columns of ``staged``: a row with a note is not an event, but says something about its file.
NOTE_COLUMNS = {"_note": pa.string(), "_content": pa.binary()}
_ERRORS = {error.__name__: error for error in (UserError, AlgorithmError, PlatformError)}


@dataclass(frozen=True)
class Intake:
    """Everything a task needs to read any file of the batch.

    Attributes:
        files: the files of the batch; ``path`` is relative to the folder that SageMaker gives each instance.
        mapping: what their rows must become.
        schema: the columns of the result: those of ``staged``, then those of notes.
        pseudonyms: replaces the ids in the rows; None when the rows hold the ids themselves.
    """

    files: Sequence[RawFile]
    mapping: RowMapping
    schema: pa.Schema
    pseudonyms: Pseudonyms | None

    def read(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Reads the files whose numbers are in column ``id``: good rows, then notes (count, quarantine, error).

        Errors travel as notes, because Spark would retry the file and then show a traceback.
        """
        for batch in batches:
            for number in batch.column("id").to_pylist():
                try:
                    yield from self._read_file(number)
                except TenantExperienceError as error:
                    document = {"type": type(error).__name__, "code": error.code, "message": error.message}
                    yield self._note("error", json.dumps({"file": number, **document}).encode())

    def _read_file(self, number: int) -> Iterator[pa.RecordBatch]:
        file = self.files[number]
        file = replace(file, path=ml_root() / file.path)
        raw, source = processing_input("raw"), self.mapping.source
        # Spark runs one task on each core, so each task has one thread.
        with open_session(raw, file.path.parent, time_zone=source.time_zone, threads=1) as (connection, scratch):
            if not file.path.exists():
                # It comes from an archive, which the driver unpacked on another instance.
                (found,) = find_raw_files(raw, source, scratch, frozenset({file.name}).__contains__)
                file = replace(found, number=number)
            (counted,) = stage_files(connection, [file], self.mapping, scratch, self.pseudonyms)
            yield from self._good_rows(connection)
            if counted.quarantined:
                quarantine = (
                    connection.cursor().sql("SELECT * FROM quarantine ORDER BY line").to_arrow_reader(BATCH_ROWS)
                )
                for batch in quarantine:
                    yield self._note("quarantine", pack(batch))
        yield self._note("count", json.dumps({"file": number, **asdict(counted)}).encode())

    def _good_rows(self, connection: duckdb.DuckDBPyConnection) -> Iterator[pa.RecordBatch]:
        notes = ", ".join(f"NULL AS {name}" for name in NOTE_COLUMNS)
        good = f"SELECT *, {notes} FROM staged WHERE broken_rule IS NULL"
        for batch in connection.cursor().sql(good).to_arrow_reader(BATCH_ROWS):
            yield batch.cast(self.schema)

    def _note(self, kind: str, content: bytes) -> pa.RecordBatch:
        rows = [{"_note": kind, "_content": content}]
        return pa.RecordBatch.from_pylist(rows, schema=self.schema)


def staged_schema(connection: duckdb.DuckDBPyConnection, mapping: RowMapping) -> pa.Schema:
    """The columns that :func:`stage_files` will give ``staged``, and those of notes. Any connection will do."""
    raw = ", ".join(f"CAST(NULL AS VARCHAR) AS raw_{column}" for column in mapping.source.columns)
    read = mapping.read(f"SELECT {raw}")
    columns = ", ".join(map(identifier, mapping.columns))
    row = f"SELECT {columns}, CAST(0 AS INTEGER) AS file, CAST(NULL AS SMALLINT) AS broken_rule FROM ({read})"
    staged = connection.cursor().sql(row).to_arrow_table().schema
    return pa.schema([*staged, *(pa.field(name, kind) for name, kind in NOTE_COLUMNS.items())])


def on_any_instance(file: RawFile, folder: Path) -> RawFile:
    """The file with its path relative to the driver's ``folder``; that path is the same on every instance."""
    return replace(file, path=file.path.resolve().relative_to(folder.resolve()))


def counted_files(notes: pa.Table) -> list[FileCount]:
    """What each file held, in the order of the files.

    Raises:
        TenantExperienceError: the error of the first file that could not be read.
    """
    documents = [(note, json.loads(content)) for note, content in _pairs(notes) if note != "quarantine"]
    documents.sort(key=lambda pair: pair[1]["file"])
    counts = []
    for note, document in documents:
        document.pop("file")
        if note == "error":
            raise _ERRORS[document["type"]](document["message"], code=document["code"])
        counts.append(FileCount(**document))
    return counts


def add_quarantine(connection: duckdb.DuckDBPyConnection, notes: pa.Table) -> None:
    """Adds the refused rows of every file to ``quarantine``."""
    for note, content in _pairs(notes):
        if note == "quarantine":
            with connection.cursor() as cursor:
                cursor.register("refused", pa.ipc.open_stream(content).read_all())
                cursor.execute("INSERT INTO quarantine FROM refused")


def pack(batch: pa.RecordBatch) -> bytes:
    """A record batch as an Arrow stream."""
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, batch.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(batch)
    return stream.getvalue()


def _pairs(notes: pa.Table) -> list[tuple[str, bytes]]:
    return list(zip(notes["_note"].to_pylist(), notes["_content"].to_pylist(), strict=True))
