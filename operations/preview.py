"""Show what a source makes of an export, without deploying anything: counts, mapped rows, rejected rows, features.

No gate stops a preview. At the end it names the gates that would refuse a release of these files.
"""

# ruff: noqa: S608 - names in SQL come from validated settings, texts are quoted
from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.markup import escape

from operations.batch import RawBatch
from operations.errors import interruption
from operations.preview_tables import show_intake, show_outcomes, show_rows, show_tenants
from operations.preview_verdict import verdict
from tenant_experience.data_layout import (
    MANIFEST,
    OUTCOME_QUARANTINE_FILE,
    OUTCOMES_FILE,
    QUARANTINE_FILE,
    SIDE_COLUMNS,
)
from tenant_experience.data_quality.feature_quality import describe_cut_offs, describe_tenants
from tenant_experience.data_quality.report import DataQuality
from tenant_experience.features.sql import FEATURES_TABLE, rows_to_learn_from
from tenant_experience.intake.duckdb_session import identifier, literal, open_session
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.intake.files import find_raw_files
from tenant_experience.pipeline.batch import Batch, Folders
from tenant_experience.pipeline.build_features import read_batch
from tenant_experience.pipeline.computing import compute_features
from tenant_experience.pipeline.live_release import forget_labels
from tenant_experience.pipeline.refused_features import add_refused_features
from tenant_experience.pipeline.tenant_outcomes import keep_outcomes
from tenant_experience.use_case.events import EVENT_ID
from tenant_experience.use_case.gates import Gates

_NO_GATES = Gates(quarantine_share=None, conflicting_ids=None, freshness_days=None)


@dataclass(frozen=True)
class Shown:
    """What a preview found.

    Attributes:
        quality: the content of ``data_quality.json``.
        refusals: code and message of each gate that would refuse a release.
        unknown: the tenants that were asked for and are not in the input.
    """

    quality: dict[str, Any]
    refusals: list[tuple[str, str]]
    unknown: list[str]


def preview(raw: RawBatch, use_case: Path, tenants: list[str], rows: int, console: Console) -> Shown:
    """Read the files, compute the features and show both.

    Args:
        raw: what would be uploaded.
        use_case: the folder of its use case.
        tenants: whose features to show; by default the first ones.
        rows: how many rows and tenants of each kind to show.
        console: where to print.

    Raises:
        TenantExperienceError: the input cannot be read.
        Interrupted: Ctrl-C was pressed.
    """
    if raw.skipped:
        console.print(f"Not read, because their names begin with . or _: {escape(', '.join(raw.skipped))}")
    with (
        interruption("The preview was interrupted. It changed nothing."),
        TemporaryDirectory(prefix="preview-") as scratch,
        _job_root(scratch),  # a job, too, puts there what does not fit in memory
    ):
        folders = _folders(Path(scratch), raw, use_case)
        batch = Batch.open(folders, raw.use_case, datetime.now(UTC))
        return show(batch, folders, [path.resolve().parent for path in raw.files], tenants, rows, console)


@contextmanager
def _job_root(folder: str) -> Iterator[None]:
    before = os.environ.get("SAGEMAKER_BASE_DIR")
    os.environ["SAGEMAKER_BASE_DIR"] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ["SAGEMAKER_BASE_DIR"]
        else:
            os.environ["SAGEMAKER_BASE_DIR"] = before


def show(
    batch: Batch, folders: Folders, sources: list[Path], tenants: list[str], shown_rows: int, console: Console
) -> Shown:
    """Show everything about one batch, whose files stand in the folders ``sources``."""
    use_case, record_id = batch.use_case, identifier(batch.use_case.record_id)
    ungated = replace(batch, use_case=use_case.model_copy(update={"gates": _NO_GATES}))
    quality = DataQuality(release="preview")
    # The raw files are symbolic links, and DuckDB must be allowed to read their targets.
    readable = (folders.raw, folders.features, folders.quarantine, *dict.fromkeys(sources))
    with open_session(*readable, time_zone=batch.source.time_zone) as (connection, scratch):
        engine = DuckDbEngine(connection, scratch)
        with console.status("reading"):
            files = find_raw_files(folders.raw, batch.source, scratch, batch.chosen)
            intake = read_batch(engine, ungated, files, folders, scratch, quality)
        show_intake(quality.document(), console)
        by = f"{identifier(use_case.declared_events.time)}, {EVENT_ID}, " if quality.events else ""
        mapped = f"{'events' if quality.events else 'ready_made'} ORDER BY {by}{record_id}"
        show_rows(connection, f"FROM {mapped}", "Mapped rows", shown_rows, console)
        quarantine = literal(str(folders.quarantine / QUARANTINE_FILE))
        show_rows(connection, f"FROM {quarantine} ORDER BY file, line", "Rejected rows", shown_rows, console)
        with console.status("computing features"):
            refused_records = compute_features(engine, ungated, folders)
            if not batch.manifest.train:
                forget_labels(connection, use_case)
            add_refused_features(connection, refused_records, use_case, folders.quarantine, quality)
            outcomes = (
                keep_outcomes(connection, batch, folders, readable=tuple(dict.fromkeys(sources)))
                if batch.manifest.train
                else None
            )
        quality.add_outcomes(outcomes, use_case)
        quality.tenants = describe_tenants(connection, use_case)
        if outcomes:
            show_outcomes(outcomes, use_case.words, console)
            kept, refused = folders.features / OUTCOMES_FILE, folders.quarantine / OUTCOME_QUARANTINE_FILE
            show_rows(connection, f"FROM {literal(str(kept))}", "Outcomes", shown_rows, console)
            show_rows(connection, f"FROM {literal(str(refused))}", "Rejected outcomes", shown_rows, console)
        show_tenants(quality.document(), use_case.labels.column, console, train=batch.manifest.train)
        if batch.manifest.train and use_case.labels.classes and (label := use_case.labels.column):
            learned = rows_to_learn_from(connection)
            counted = use_case.words.records if learned == FEATURES_TABLE else "examples"
            classes = (
                f"SELECT {identifier(label)}, count(*) AS {identifier(counted)} FROM {learned} "
                "GROUP BY 1 ORDER BY 2 DESC, 1"
            )
            show_rows(connection, classes, "Labels", len(use_case.labels.classes) + 1, console)
        for moment in describe_cut_offs(connection, use_case):
            console.print(
                f"{moment.examples} examples as of {moment.cut_off}, {moment.share:.1%} of them "
                f"{escape(use_case.labels.positive or 'censored: no such event by the end of the log')}"
            )
        asked = f"WHERE {record_id} IN ({', '.join(map(literal, tenants))})" if tenants else ""
        names = (use_case.record_id, use_case.partition_column, "history", *use_case.features, *SIDE_COLUMNS)
        columns = ", ".join(map(identifier, names))
        query = f"SELECT {columns} FROM {FEATURES_TABLE} {asked} ORDER BY may_train DESC, {record_id}"
        show_rows(connection, query, "Features", max(shown_rows, len(tenants)), console)
        known = {str(row[0]) for row in connection.execute(f"SELECT {record_id} FROM {FEATURES_TABLE}").fetchall()}
        unknown = [tenant for tenant in tenants if tenant not in known]
        with console.status("asking the gates"):
            found = verdict(engine, batch, intake, refused_records, quality, folders, scratch)
        refusals = found.refusals
    if unknown:
        console.print(f"[yellow]Nobody in this input has the id {escape(', '.join(unknown))}.[/yellow]")
    for warning in quality.warnings or ():
        console.print(f"[yellow]Warning:[/yellow] {escape(warning)}")
    for sentence in found.not_run:
        console.print(f"[yellow]Not looked at:[/yellow] {escape(sentence)}")
    if use_case.processing.engine != "duckdb" and quality.events:
        console.print(
            f"The features above were computed by DuckDB; a release computes them by {use_case.processing.engine}."
        )
    for code, message in refusals:
        console.print(f"[yellow]A release would be refused, {code}:[/yellow] {escape(message)}")
    if not refusals:
        console.print("[green]No gate on these files alone would refuse a release of them.[/green]")
    return Shown(quality.document(), refusals, unknown)


def _folders(scratch: Path, raw: RawBatch, use_case: Path) -> Folders:
    """The folders of a job, with symbolic links to the input files."""
    made = {name: scratch / name for name in ("raw", "previous", "features", "quarantine", "reports")}
    for folder in made.values():
        folder.mkdir()
    # What would not be read is there too, so that it is listed as the job lists what another client uploads.
    skipped = {name: raw.root / name for name in raw.skipped} if raw.root else {}
    for name, path in (raw.named_files() | skipped).items():
        link = made["raw"] / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.resolve())
    (made["raw"] / MANIFEST).write_text(json.dumps(raw.manifest))
    return Folders(use_case=use_case, **made)
