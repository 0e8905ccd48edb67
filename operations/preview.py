"""What a source makes of an export, without deploying anything: counts, mapped rows, rejected rows, features.

No gate stops a preview; at the end it says what would refuse a release of these files.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tenant_experience.data_layout import MANIFEST, QUARANTINE_FILE
from tenant_experience.data_quality_gates import check_quarantine_gate
from tenant_experience.duckdb_session import literal, open_session
from tenant_experience.errors import TenantExperienceError, UserError
from tenant_experience.feature_build import Batch, Folders, compute_features, read_batch
from tenant_experience.feature_quality import describe_tenants
from tenant_experience.features import FEATURES_TABLE, SIDE_COLUMNS, check_freshness, tenants_by_portfolio
from tenant_experience.manifest import parse_utc
from tenant_experience.partitions import assign_partitions
from tenant_experience.processing_engine import DuckDbEngine
from tenant_experience.raw_files import find_raw_files
from tenant_experience.use_case import Gates

USE_CASES = Path(__file__).parent.parent / "use_cases"
_NO_GATES = Gates(quarantine_share=None, freshness_days=None)
_LONGEST_CELL = 48


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's words."""
    parser.add_argument("--input", required=True, type=Path, help="a file, or a folder of files")
    parser.add_argument("--source", help="a file of sources/, without .yaml; default: the use case's first")
    parser.add_argument("--use-case", default="tenant_experience", help="a folder of use_cases/")
    parser.add_argument("--as-of", type=parse_utc, help="2026-11-20T00:00:00Z; default: the source's, else now")
    parser.add_argument("--rows", type=int, default=5, help="how many rows and tenants to show of each kind")
    parser.add_argument("--tenant", action="append", default=[], help="show this tenant's features; may be repeated")


def run(options: argparse.Namespace, console: Console) -> int:
    """Read, compute, show; 0 unless the files or the source cannot be read at all."""
    if not options.input.exists():
        raise UserError(f"--input {options.input}: there is no such file", code="no_files")
    use_case = USE_CASES / options.use_case
    if not use_case.is_dir():
        known = ", ".join(sorted(folder.name for folder in USE_CASES.iterdir() if folder.is_dir()))
        raise UserError(f"there is no use case {options.use_case!r}; choose one of {known}", code="unknown_use_case")
    with TemporaryDirectory(prefix="preview-") as scratch:
        os.environ["SAGEMAKER_BASE_DIR"] = scratch  # where a job, too, puts what does not fit in memory
        folders = _folders(Path(scratch), use_case, options)
        batch = Batch.open(folders, "preview", use_case.name, datetime.now(UTC))
        show(batch, folders, options, console)
    return 0


def show(batch: Batch, folders: Folders, options: argparse.Namespace, console: Console) -> None:
    """Everything there is to see of one batch."""
    quality: dict[str, Any] = {}
    ungated = replace(batch, use_case=batch.use_case.model_copy(update={"gates": _NO_GATES}))
    # The files are links: what they point to must be readable too.
    readable = (folders.raw, folders.quarantine, options.input if options.input.is_dir() else options.input.parent)
    with open_session(*readable, time_zone=batch.source.time_zone) as (connection, scratch):
        engine = DuckDbEngine(connection, scratch)
        with console.status("reading"):
            files = find_raw_files(folders.raw, batch.source, scratch)
            read_batch(engine, ungated, files, folders, scratch, quality)
        _show_intake(quality, console)
        is_log = batch.source.kind == "events"
        mapped, time = ("events", "opened_at, event_id") if is_log else ("ready_made", batch.use_case.record_id)
        _show(connection, f"SELECT * FROM {mapped} ORDER BY {time}", "Mapped rows", options.rows, console)  # noqa: S608
        path = literal(str(folders.quarantine / QUARANTINE_FILE))
        _show(connection, f"FROM {path} ORDER BY file, line", "Rejected rows", options.rows, console)
        with console.status("computing features"):
            compute_features(engine, ungated, folders)
        quality |= describe_tenants(connection, batch.use_case)
        _show_tenants(quality, console)
        _show_features(connection, batch, options, console)
        _show_refusals(engine, batch, quality, console)


def _folders(scratch: Path, use_case: Path, options: argparse.Namespace) -> Folders:
    folders = Folders(
        **{name: scratch / name for name in ("raw", "previous", "features", "quarantine", "reports")}, use_case=use_case
    )
    for folder in (folders.features, folders.quarantine, folders.reports):
        folder.mkdir()
    folders.raw.mkdir()
    if options.input.is_dir():
        for path in (path for path in sorted(options.input.rglob("*")) if path.is_file() and path.name != MANIFEST):
            link = folders.raw / path.relative_to(options.input)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.resolve())
    else:
        (folders.raw / options.input.name).symlink_to(options.input.resolve())
    manifest = {"source": options.source, "as_of": options.as_of and f"{options.as_of:%Y-%m-%dT%H:%M:%SZ}"}
    (folders.raw / MANIFEST).write_text(json.dumps({key: value for key, value in manifest.items() if value}))
    return folders


def _show_intake(quality: dict[str, Any], console: Console) -> None:
    history = quality["history"]
    overridden = ", ".join(history.get("overridden_by_source", ())) or "nothing"
    console.print(
        f"source {quality['source']}, as of {quality['as_of']}: history needs {history['minimum_days']} days, "
        f"{history['provisional_below']} to train on (the source overrides {overridden})"
    )
    table = Table("file", "rows", "filtered", "quarantined", title="Files", title_justify="left")
    for file in quality["files"]:
        table.add_row(escape(file["name"]), *(str(file[key]) for key in ("rows", "filtered", "quarantined")))
    console.print(table)
    if "events" in quality:
        channels = ", ".join(f"{rows} {channel}" for channel, rows in quality["rows_by_channel"].items())
        console.print(
            f"{quality['events']} events ({channels or 'none'}; {quality['duplicates_dropped']} duplicates and "
            f"{quality['updates']} updates of the same event among the rows), opened from "
            f"{quality['first_opened_at']} to {quality['last_opened_at']} UTC"
        )
    if quality["quarantined_by_reason"]:
        table = Table("reason", "column", "rows", "first place", title="Why rows were rejected", title_justify="left")
        for reason in quality["quarantined_by_reason"]:
            place = f"{reason['first_file']} line {reason['first_line']}"
            table.add_row(reason["reason"], reason["column"], str(reason["rows"]), escape(place))
        console.print(table)


def _show_tenants(quality: dict[str, Any], console: Console) -> None:
    classes = ", ".join(f"{tenants} {history}" for history, tenants in quality["tenants_by_history"].items())
    console.print(
        f"{quality['tenants']} tenants in {quality['portfolios']} portfolios, {quality['may_train']} may train "
        f"(history: {classes or 'none'})"
    )
    for feature, reason in quality["left_out"].items() if quality["may_train"] else ():
        console.print(f"  left out of groups and models: {feature}, {reason}")


def _show_features(
    connection: duckdb.DuckDBPyConnection, batch: Batch, options: argparse.Namespace, console: Console
) -> None:
    use_case = batch.use_case
    columns = ", ".join((use_case.record_id, use_case.partition_column, "history", *use_case.features, *SIDE_COLUMNS))
    asked = ", ".join(literal(tenant) for tenant in options.tenant)
    chosen = f"WHERE {use_case.record_id} IN ({asked})" if asked else ""
    query = (
        f"SELECT {columns} FROM {FEATURES_TABLE} {chosen} "  # noqa: S608 - names in SQL come from validated settings
        f"ORDER BY may_train DESC, {use_case.record_id}"
    )
    _show(connection, query, "Features", max(options.rows, len(options.tenant)), console, upright=False)


def _show(
    connection: duckdb.DuckDBPyConnection, query: str, title: str, rows: int, console: Console, *, upright: bool = True
) -> None:
    """The first rows of a query; ``upright``: a line a row and only columns that hold something, else a column a row."""
    found = connection.execute(f"SELECT * FROM ({query}) LIMIT {int(rows)}")  # noqa: S608 - a query of ours
    names = [column[0] for column in found.description]
    records = found.fetchall()
    if not records:
        return
    filled = [place for place in range(len(names)) if any(record[place] is not None for record in records)]
    heads = [names[place] for place in filled] if upright else ["", *(_cell(record[0]) for record in records)]
    table = Table(*heads, title=title, title_justify="left")
    if upright:
        for record in records:
            table.add_row(*(_cell(record[place]) for place in filled))
    else:
        for place, name in enumerate(names[1:], start=1):
            table.add_row(name, *(_cell(record[place]) for record in records))
    console.print(table)


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    return escape(text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 3]}...")


def _show_refusals(engine: DuckDbEngine, batch: Batch, quality: dict[str, Any], console: Console) -> None:
    """Asks each gate that needs no earlier release."""
    refusals = list(_refusals(engine, batch, quality))
    for refusal in refusals:
        console.print(f"[yellow]A release would be refused, {refusal.code}:[/yellow] {escape(refusal.message)}")
    if not refusals:
        console.print("[green]No gate would refuse a first release of these files.[/green]")


def _refusals(engine: DuckDbEngine, batch: Batch, quality: dict[str, Any]) -> Sequence[TenantExperienceError]:
    use_case, connection = batch.use_case, engine.connection
    gates = [
        lambda: check_quarantine_gate(quality, use_case, batch.source.columns),
        lambda: assign_partitions(tenants_by_portfolio(connection, use_case), use_case, use_case.models.scope),
    ]
    if batch.source.kind == "events":
        gates.append(lambda: check_freshness(engine, use_case, batch.as_of))
    refusals = []
    for gate in gates:
        try:
            gate()
        except TenantExperienceError as refusal:
            refusals.append(refusal)
    return refusals
