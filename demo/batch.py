"""The demo's own input: generated data of a use case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from demo.generator import load_generator
from operations.batch import RawBatch, timed_name
from operations.laptop import LOCAL
from tenant_experience.use_case.schema import load_use_case


def generated(use_case: Path, seed: int) -> RawBatch:
    """Data up to the last full hour, generated once for each use case, seed and hour.

    Raises:
        OperationError: the use case has no generator.
    """
    generate = load_generator(use_case)
    as_of = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    folder = LOCAL / "demo_input" / use_case.name / f"seed-{seed}-{as_of:%Y%m%dT%H}"
    if not (folder / "complete").exists():
        generate(folder / "files", as_of, seed)
        (folder / "complete").touch()
    files = tuple(sorted((folder / "files").iterdir()))
    source = load_use_case(use_case).default_source
    manifest: dict[str, object] = {"source": source, "as_of": as_of.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return RawBatch(timed_name("generated"), files, manifest, use_case.name)
