"""What an ingestion did: counted by each instance of the job, kept in a folder of its own, added up for the report."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tenant_experience.data_layout import FAILED_RECORDS_FILE
from tenant_experience.errors import PlatformError
from tenant_experience.jobs.outcome import Outcome


@dataclass
class IngestionResult:
    """Counts of records; ``failed`` maps the ids of those that could not be written to the store's error codes.

    ``unchanged`` were served with these values already, ``newer`` with those of a later ``as_of``.
    """

    records: int = 0
    written: int = 0
    unchanged: int = 0
    newer: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def __iadd__(self, other: IngestionResult) -> IngestionResult:
        """Adds the figures of another part."""
        self.records += other.records
        self.written += other.written
        self.unchanged += other.unchanged
        self.newer += other.newer
        self.failed |= other.failed
        return self

    def counts(self) -> dict[str, int]:
        """The figures, ``failed`` as a number too."""
        return asdict(self) | {"failed": len(self.failed)}

    def raise_over_limit(self, share: float | None) -> None:
        """Fails when more than ``share`` of the records, rounded up to whole ones, could not be written.

        None allows any number.

        Raises:
            PlatformError: ``ingestion_failed``.
        """
        allowed = math.ceil(self.records * share) if share is not None else self.records
        if len(self.failed) > allowed:
            reasons = ", ".join(sorted(set(self.failed.values())))
            raise PlatformError(
                f"{len(self.failed)} of {self.records} records could not be written to the feature store ({reasons}); "
                f"the gate failed_records_share allows {allowed}. They are listed in {FAILED_RECORDS_FILE}; running "
                "again writes only them",
                code="ingestion_failed",
            )

    def write_failed(self, folder: Path) -> None:
        """Writes ``failed_records.json`` into ``folder``, made when missing."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FAILED_RECORDS_FILE).write_text(json.dumps(self.failed, indent=1) + "\n")


def read_ingestion(folder: Path) -> IngestionResult:
    """All instances' figures together: each has ``outcome.json`` and ``failed_records.json`` in a folder of its own.

    Without any, all figures are 0.
    """
    total = IngestionResult()
    for instance in sorted(path for path in folder.glob("*") if path.is_dir()):
        figures = Outcome.read(instance).figures
        failed = json.loads((instance / FAILED_RECORDS_FILE).read_text())
        counts = {name: figures[name] for name in ("records", "written", "unchanged", "newer")}
        total += IngestionResult(**counts, failed=failed)
    return total
