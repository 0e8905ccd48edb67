"""The demo's own input: generated messages of six portfolios, and what became of their tenants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from demo.generate_events import generate
from operations.batch import RawBatch, timed_name
from operations.laptop import LOCAL


def generated(seed: int) -> RawBatch:
    """Messages up to the last full hour, generated once for each seed and hour."""
    as_of = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    folder = LOCAL / "demo_input" / f"seed-{seed}-{as_of:%Y%m%dT%H}"
    if not (folder / "complete").exists():
        generate(folder / "files", as_of=as_of, seed=seed, outcomes=True)
        (folder / "complete").touch()
    files = tuple(sorted((folder / "files").iterdir()))
    manifest: dict[str, object] = {"source": "events", "as_of": as_of.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return RawBatch(timed_name("generated"), files, manifest)
