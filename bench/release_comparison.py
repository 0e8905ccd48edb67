"""How long describing a release and comparing it with the one before takes, and how much memory.

``.venv/bin/python -m bench.release_comparison`` makes two releases of a million tenants (numbers from a hash, a tenth
of them null), describes the second beside the first as BuildFeatures does, and renders the page.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tenant_experience.data_layout import FEATURES_FILE, SIDE_COLUMNS
from tenant_experience.data_quality.comparison import compare_releases
from tenant_experience.data_quality.describe import HistoryThresholds
from tenant_experience.data_quality.feature_quality import describe_features, describe_tenants
from tenant_experience.data_quality.page import render_data_quality
from tenant_experience.data_quality.report import DataQuality
from tenant_experience.data_quality.shift_warnings import shift_warnings
from tenant_experience.features.sql import FEATURES_TABLE
from tenant_experience.intake.duckdb_session import literal, open_session
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.use_case.schema import UseCase, load_use_case

USE_CASE_FOLDER = Path(__file__).parents[1] / "use_cases" / "tenant_experience"
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.release_comparison", description=__doc__)
    parser.add_argument("--tenants", type=int, default=1_000_000, help="of each release (%(default)s)")
    options = parser.parse_args(arguments)
    use_case = load_use_case(USE_CASE_FOLDER)
    with TemporaryDirectory() as name:
        os.environ["SAGEMAKER_BASE_DIR"] = name
        _measure(use_case, options.tenants, Path(name))
    return 0


def _measure(use_case: UseCase, tenants: int, folder: Path) -> None:
    with open_session(folder) as (connection, _):
        Outcome.ok(release="before", source="events", as_of="2026-10-01T00:00:00Z").write(folder)
        path = literal(str(folder / FEATURES_FILE))
        connection.execute(f"COPY ({_release(use_case, tenants, 0)}) TO {path} (FORMAT parquet)")
        connection.execute(f"CREATE TABLE {FEATURES_TABLE} AS {_release(use_case, tenants, 1)}")
        before, start = _peak_mb(), time.perf_counter()
        quality = DataQuality("now", tenants=describe_tenants(connection, use_case))
        quality.history = HistoryThresholds(**use_case.history.model_dump(), overridden_by_source=[])
        quality.comparison = compare_releases(connection, use_case, "events", AS_OF, folder)
        quality.features = describe_features(connection, use_case, compared=True)
        quality.warnings = shift_warnings(quality.features, None, use_case)
        document = quality.document()
        described = time.perf_counter()
        page = render_data_quality(document)
        rendered = time.perf_counter()
    sys.stdout.write(
        f"{tenants:,} tenants, {len(quality.features)} columns: described and compared in "
        f"{described - start:.1f} s, page of {len(page) / 1024:.0f} KiB in {rendered - described:.1f} s, json of "
        f"{len(json.dumps(document)) / 1024:.0f} KiB; peak memory {_peak_mb():.0f} MB, {before:.0f} MB before\n"
    )


def _release(use_case: UseCase, tenants: int, seed: int) -> str:
    columns = ", ".join(
        f"CASE WHEN hash(i, {place}, {seed}) % 10 > 0 THEN hash(i, {seed}, {place}) % 10000 / 100 END AS {name}"
        for place, name in enumerate((*use_case.features, *SIDE_COLUMNS))
    )
    return (
        f"SELECT 'T' || (i + {seed * tenants // 100}) AS {use_case.record_id}, 'P' || i % 1000 AS "  # noqa: S608
        f"{use_case.partition_column}, 'sufficient' AS history, true AS may_train, {columns} FROM range({tenants}) t(i)"
    )


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
