"""Records that were refused after they were computed: they join the quarantine and the figures of what was read."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tenant_experience.data_layout import QUARANTINE_FILE
from tenant_experience.data_quality.describe import IntakeFigures, describe_intake
from tenant_experience.data_quality.report import DataQuality
from tenant_experience.features.contract import RESULT, RefusedFeatures, quarantine_features, refused_warning
from tenant_experience.features.sql import FEATURES_TABLE
from tenant_experience.intake.duckdb_session import literal
from tenant_experience.intake.staging import FileCount
from tenant_experience.use_case.schema import UseCase


def write_quarantine(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Writes the table ``quarantine`` into ``folder``, instead of what is there."""
    connection.execute(
        "COPY (SELECT * FROM quarantine ORDER BY file, line) "  # noqa: S608 - the path is quoted
        f"TO {literal(str(folder / QUARANTINE_FILE))} (FORMAT parquet)"
    )


def add_refused_features(
    connection: duckdb.DuckDBPyConnection,
    refused: RefusedFeatures | None,
    use_case: UseCase,
    folder: Path,
    quality: DataQuality,
) -> IntakeFigures | None:
    """Adds the records that ``features.sql`` gave impossible values to the quarantine, its figures and the warnings.

    Args:
        connection: holds ``features_refused`` and ``quarantine``.
        refused: their counts; None for a ready-made table.
        use_case: names the columns.
        folder: of the quarantine.
        quality: holds the figures of what was read.

    Returns:
        The new figures; None when no record was refused.
    """
    if refused is None or not refused.refused or quality.intake is None:
        return None
    quarantine_features(connection, use_case, FEATURES_TABLE)
    write_quarantine(connection, folder)
    counted = FileCount(RESULT, refused.rows, refused.refused, 0)
    quality.intake = describe_intake(connection, [*quality.intake.files, counted], quality.intake.skipped)
    quality.warnings = [*(quality.warnings or ()), *refused_warning(refused, use_case)]
    return quality.intake
