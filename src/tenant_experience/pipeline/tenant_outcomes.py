"""The files of outcomes in a batch: read, checked and kept beside the features, for EvaluateModel to look at."""

# ruff: noqa: S608 - names and paths in SQL are quoted or come from validated settings
from __future__ import annotations

from pathlib import Path

import duckdb

from tenant_experience.data_layout import OUTCOME_QUARANTINE_FILE, OUTCOMES_FILE
from tenant_experience.data_quality.describe import describe_intake
from tenant_experience.data_quality.tenant_outcomes import OutcomeFigures, describe_outcomes
from tenant_experience.features.sql import FEATURES_TABLE
from tenant_experience.intake.duckdb_session import identifier, literal, open_session
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.intake.files import find_raw_files, has_outcomes, is_outcomes
from tenant_experience.intake.tenant_outcomes import read_outcomes
from tenant_experience.pipeline.batch import Batch, Folders
from tenant_experience.pseudonyms import Pseudonyms
from tenant_experience.use_case.source import load_source


def keep_outcomes(
    connection: duckdb.DuckDBPyConnection,
    batch: Batch,
    folders: Folders,
    pseudonyms: Pseudonyms | None = None,
    readable: tuple[Path, ...] = (),
) -> OutcomeFigures | None:
    """Writes ``outcomes.parquet`` beside the features, and the refused rows beside the quarantine.

    They have a session of their own, because their source has a time zone of its own.

    Args:
        connection: holds ``features``.
        batch: its use case says whether it may have outcomes, and its manifest may name their source.
        folders: of the job.
        pseudonyms: replaces the ids.
        readable: more folders that the raw files may stand in.

    Returns:
        What was found; None when the batch has no outcomes, or its use case declares none.

    Raises:
        UserError: a file, or the source, is wrong.
    """
    use_case = batch.use_case
    if use_case.outcomes is None or not has_outcomes(folders.raw):
        return None
    name = batch.manifest.outcomes or use_case.outcomes.source
    source = load_source(folders.use_case, name, use_case, of="outcomes")
    folders_of_sql = (folders.raw, folders.features, folders.quarantine, *readable)
    with open_session(*folders_of_sql, time_zone=source.time_zone) as (session, scratch):
        files = find_raw_files(folders.raw, source, scratch, is_outcomes)
        counts = read_outcomes(DuckDbEngine(session, scratch, pseudonyms), files, source, use_case, batch.requested_at)
        tenants = connection.sql(f"SELECT {identifier(use_case.record_id)} FROM {FEATURES_TABLE}").to_arrow_table()
        session.register("known_tenants", tenants)
        by_tenant = f"{identifier(use_case.record_id)}, happened_at, kind, value"
        for table, order, path in (
            ("outcomes", by_tenant, folders.features / OUTCOMES_FILE),
            ("quarantine", "file, line", folders.quarantine / OUTCOME_QUARANTINE_FILE),
        ):
            session.execute(f"COPY (FROM {table} ORDER BY {order}) TO {literal(str(path))} (FORMAT parquet)")
        return describe_outcomes(session, name, describe_intake(session, counts), use_case.outcomes, use_case.record_id)
