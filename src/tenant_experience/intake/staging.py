"""Every file of a batch is read once: its good rows go to ``staged``, its bad rows to ``quarantine`` with the reason.

Files are read side by side, because one compressed file alone cannot keep more than one core busy.
"""

# ruff: noqa: S608 - names and texts in SQL are quoted by duckdb_session, files go by our own link names
from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tenant_experience.errors import UserError
from tenant_experience.intake._parquet_times import with_convertible_times
from tenant_experience.intake._pseudonymise import install
from tenant_experience.intake._text import unpacked, with_line_feeds
from tenant_experience.intake.duckdb_session import identifier, literal
from tenant_experience.intake.formats import RawFile
from tenant_experience.intake.json_array import JSON, as_json_lines
from tenant_experience.intake.mapping import RowMapping
from tenant_experience.intake.quarantine import create_quarantine, quarantine_file
from tenant_experience.intake.scan import scan_file
from tenant_experience.intake.staged_file import write_staged
from tenant_experience.pseudonyms import Pseudonyms

_MOST_FILES_AT_ONCE = 4  # each takes memory for its buffers


@dataclass(frozen=True)
class FileCount:
    """What one file held.

    Attributes:
        name: the name of the file inside the batch.
        rows: how many lines it has; the lines of a quoted value count as one.
        quarantined: how many of them were quarantined.
        filtered: how many of them the source's filter left out.
    """

    name: str
    rows: int
    quarantined: int
    filtered: int


def stage_files(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[RawFile],
    mapping: RowMapping,
    scratch: Path,
    pseudonyms: Pseudonyms | None = None,
) -> list[FileCount]:
    """Fills the view ``staged`` (the typed columns, ``file``, ``broken_rule``) and the table ``quarantine``.

    Args:
        connection: from :func:`open_session`.
        files: files of one batch.
        mapping: what their rows must become.
        scratch: a folder that SQL may read and write.
        pseudonyms: replaces the ids in ``staged`` and ``quarantine``; rules see the ids themselves.

    Raises:
        UserError: a file cannot be read at all, or lacks a column.
    """
    create_quarantine(connection, list(mapping.source.columns))
    if pseudonyms is not None:
        install(connection, pseudonyms)

    def stage(file: RawFile) -> FileCount:
        if not file.is_compressed:
            return stage_plain(file)
        plain = unpacked(file, scratch / f"{file.number:06d}.unpacked.{file.format}")
        try:
            return stage_plain(plain)
        finally:
            plain.path.unlink()

    def stage_plain(file: RawFile) -> FileCount:
        if file.extension != JSON:
            return stage_lines(file)
        lines = scratch / f"{file.number:06d}.lines.{file.format}"
        try:
            return stage_lines(as_json_lines(file, lines))
        finally:
            lines.unlink(missing_ok=True)

    def stage_lines(file: RawFile) -> FileCount:
        # Each file has a cursor of its own: a connection serves one thread at a time, and rejects belong to a cursor.
        try:
            with connection.cursor() as cursor:
                return _stage_file(cursor, file, mapping, scratch, pseudonyms)
        except UserError as error:
            if not isinstance(error.__cause__, duckdb.Error) or error.code != "corrupt_file":
                raise
            # Most files never need this, so it is not done beforehand.
            rewrite = with_convertible_times if file.format == "parquet" else with_line_feeds
            rewritten = rewrite(file, scratch / f"{file.number:06d}.rewritten.{file.format}")
            if rewritten is None:
                raise
        with connection.cursor() as cursor:
            return _stage_file(cursor, rewritten, mapping, scratch, pseudonyms)

    with ThreadPoolExecutor(min(len(os.sched_getaffinity(0)), _MOST_FILES_AT_ONCE)) as pool:
        counts = list(pool.map(stage, files))
    paths = ", ".join(literal(str(_staged_path(scratch, file))) for file in files)
    columns = ", ".join(map(identifier, mapping.columns))
    connection.execute(f"CREATE VIEW staged AS SELECT {columns}, file, broken_rule FROM read_parquet([{paths}])")
    return counts


def _stage_file(
    connection: duckdb.DuckDBPyConnection,
    file: RawFile,
    mapping: RowMapping,
    scratch: Path,
    pseudonyms: Pseudonyms | None,
) -> FileCount:
    scan = scan_file(connection, file, mapping, scratch)
    with scan.errors_as_refusals():
        staged = write_staged(connection, scan, mapping, pseudonyms, _staged_path(scratch, file))
        refused = quarantine_file(connection, scan, staged, mapping.rules)
    return FileCount(file.name, staged.rows - staged.broken + refused, refused, staged.filtered)


def _staged_path(scratch: Path, file: RawFile) -> Path:
    return scratch / f"staged-{file.number:06d}.parquet"
