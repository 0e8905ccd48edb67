"""Show what a source makes of an export, without deploying anything: counts, mapped rows, rejected rows, features.

No gate stops a preview. At the end it names the gates that would refuse a release of these files.
"""

# ruff: noqa: S608 - names in SQL come from validated settings, texts are quoted
from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.markup import escape

from operations.preview_tables import show_intake, show_rows, show_tenants
from tenant_experience.data_layout import MANIFEST, QUARANTINE_FILE, SIDE_COLUMNS
from tenant_experience.data_quality.describe import IntakeFigures
from tenant_experience.data_quality.feature_quality import describe_labels, describe_tenants
from tenant_experience.data_quality.gates import check_conflicting_ids, check_quarantine_gate, scope_warnings
from tenant_experience.data_quality.report import DataQuality
from tenant_experience.errors import TenantExperienceError, UserError
from tenant_experience.features.partitions import assign_partitions
from tenant_experience.features.sql import FEATURES_TABLE, check_freshness, tenants_by_portfolio
from tenant_experience.intake.duckdb_session import literal, open_session
from tenant_experience.intake.engine import DuckDbEngine, ProcessingEngine
from tenant_experience.intake.files import find_raw_files
from tenant_experience.pipeline.build_features import Batch, Folders, compute_features, read_batch
from tenant_experience.use_case.gates import Gates
from tenant_experience.use_case.manifest import parse_utc

USE_CASES = Path(__file__).parent.parent / "use_cases"
_NO_GATES = Gates(quarantine_share=None, conflicting_ids=None, freshness_days=None)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--input", required=True, type=Path, help="raw input: a file, or a folder of files")
    parser.add_argument(
        "--source",
        help="how to read it: a file of the use case's sources/, without .yaml (default: its default_source)",
    )
    parser.add_argument("--use-case", type=Path, default=USE_CASES / "tenant_experience", help="folder of the use case")
    parser.add_argument(
        "--as-of", type=parse_utc, help="such as 2026-11-20T00:00:00Z (default: the as_of of the source, or now)"
    )
    parser.add_argument(
        "--rows", type=int, default=3, help="how many rows and tenants of each kind to show (default: %(default)s)"
    )
    parser.add_argument(
        "--tenant", action="append", default=[], help="show the features of this tenant (may be repeated)"
    )


def run(options: argparse.Namespace, console: Console) -> int:
    """Read the files, compute the features and show both; always 0."""
    if not options.input.exists():
        raise UserError(f"--input {options.input}: there is no such file or folder", code="no_files")
    with TemporaryDirectory(prefix="preview-") as scratch:
        os.environ["SAGEMAKER_BASE_DIR"] = scratch  # a job, too, puts there what does not fit in memory
        folders = _folders(Path(scratch), options)
        batch = Batch.open(folders, options.use_case.resolve().name, datetime.now(UTC))
        show(batch, folders, options, console)
    return 0


def show(batch: Batch, folders: Folders, options: argparse.Namespace, console: Console) -> None:
    """Show everything about one batch."""
    use_case, record_id = batch.use_case, batch.use_case.record_id
    ungated = replace(batch, use_case=use_case.model_copy(update={"gates": _NO_GATES}))
    quality = DataQuality(release="preview")
    # The raw files are symbolic links, and DuckDB must be allowed to read their targets.
    readable = (folders.raw, folders.quarantine, options.input if options.input.is_dir() else options.input.parent)
    with open_session(*readable, time_zone=batch.source.time_zone) as (connection, scratch):
        engine = DuckDbEngine(connection, scratch)
        with console.status("reading"):
            files = find_raw_files(folders.raw, batch.source, scratch)
            intake = read_batch(engine, ungated, files, folders, scratch, quality)
        show_intake(quality.document(), console)
        mapped = "events ORDER BY opened_at, event_id" if quality.events else f"ready_made ORDER BY {record_id}"
        show_rows(connection, f"FROM {mapped}", "Mapped rows", options.rows, console)
        quarantine = literal(str(folders.quarantine / QUARANTINE_FILE))
        show_rows(connection, f"FROM {quarantine} ORDER BY file, line", "Rejected rows", options.rows, console)
        with console.status("computing features"):
            compute_features(engine, ungated, folders)
        quality.tenants = describe_tenants(connection, use_case)
        show_tenants(quality.document(), console)
        if use_case.labels.classes and (label := use_case.labels.column):
            classes = f"SELECT {label}, count(*) AS tenants FROM {FEATURES_TABLE} GROUP BY 1 ORDER BY 2 DESC, 1"
            show_rows(connection, classes, "Labels", len(use_case.labels.classes) + 1, console)
        asked = f"WHERE {record_id} IN ({', '.join(map(literal, options.tenant))})" if options.tenant else ""
        columns = ", ".join((record_id, use_case.partition_column, "history", *use_case.features, *SIDE_COLUMNS))
        query = f"SELECT {columns} FROM {FEATURES_TABLE} {asked} ORDER BY may_train DESC, {record_id}"
        show_rows(connection, query, "Features", max(options.rows, len(options.tenant)), console)
        refusals = list(_refusals(engine, batch, intake, quality))
    for warning in quality.warnings or ():
        console.print(f"[yellow]Warning:[/yellow] {escape(warning)}")
    for code, message in refusals:
        console.print(f"[yellow]A release would be refused, {code}:[/yellow] {escape(message)}")
    if not refusals:
        console.print("[green]No gate on these files alone would refuse a release of them.[/green]")


def _folders(scratch: Path, options: argparse.Namespace) -> Folders:
    """The folders of a job, with symbolic links to the input files."""
    made = {name: scratch / name for name in ("raw", "previous", "features", "quarantine", "reports")}
    for folder in made.values():
        folder.mkdir()
    root = options.input if options.input.is_dir() else options.input.parent
    paths = sorted(root.rglob("*")) if options.input.is_dir() else [options.input]
    for path in (path for path in paths if path.is_file() and path != root / MANIFEST):
        link = made["raw"] / path.relative_to(root)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.resolve())
    manifest = {"source": options.source, "as_of": options.as_of and f"{options.as_of:%Y-%m-%dT%H:%M:%SZ}"}
    (made["raw"] / MANIFEST).write_text(json.dumps({key: value for key, value in manifest.items() if value}))
    return Folders(use_case=options.use_case, **made)


def _refusals(
    engine: ProcessingEngine, batch: Batch, intake: IntakeFigures, quality: DataQuality
) -> Iterator[tuple[str, str]]:
    """Code and message of each gate that refuses, among the gates that need no earlier release."""
    use_case = batch.use_case
    gates: list[Callable[[], object]] = [lambda: check_quarantine_gate(intake, use_case, batch.source.columns)]
    gates.append(lambda: check_conflicting_ids(quality.events, use_case))
    if batch.source.kind == "events":
        gates.append(lambda: check_freshness(engine, use_case, batch.as_of))
    if use_case.labels.from_ == "column":
        gates.append(lambda: describe_labels(engine.connection, use_case, compared=False))
    portfolios = tenants_by_portfolio(engine.connection, use_case)
    scope = batch.manifest.models or use_case.models.scope

    def check_sizes() -> None:
        partitions = assign_partitions(portfolios, use_case, scope).values()
        quality.warnings = [*(quality.warnings or ()), *scope_warnings(scope, partitions, use_case)]

    gates.append(check_sizes)
    for gate in gates:
        try:
            gate()
        except TenantExperienceError as refusal:
            yield refusal.code, refusal.message
