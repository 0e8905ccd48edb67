"""What an ingestion did: each instance of the job counts its part, and the report adds the parts up."""

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
    """Counts of records.

    Attributes:
        records: all records.
        written: those that were written.
        unchanged: those that were served with the same values already.
        newer: those that are served with values of a later ``as_of``.
        failed: the ids of those that could not be written, each with the error code of the store.
    """

    records: int = 0
    written: int = 0
    unchanged: int = 0
    newer: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def __iadd__(self, other: IngestionResult) -> IngestionResult:
        """Adds the counts of another part."""
        self.records += other.records
        self.written += other.written
        self.unchanged += other.unchanged
        self.newer += other.newer
        self.failed |= other.failed
        return self

    def counts(self) -> dict[str, int]:
        """The counts; ``failed`` is a number here."""
        return asdict(self) | {"failed": len(self.failed)}

    def raise_over_limit(self, share: float | None) -> None:
        """Fails when more than ``share`` of the records (rounded up) could not be written; None allows any number.

        Raises:
            PlatformError: ``ingestion_failed``.
        """
        allowed = math.ceil(self.records * share) if share is not None else self.records
        if len(self.failed) > allowed:
            reasons = ", ".join(sorted(set(self.failed.values())))
            raise PlatformError(
                f"{len(self.failed)} of {self.records} records could not be written to the feature store ({reasons}); "
                f"the gate failed_records_share allows {allowed}. {FAILED_RECORDS_FILE} lists them; running the job "
                "again writes only these records",
                code="ingestion_failed",
            )

    def write_failed(self, folder: Path) -> None:
        """Writes ``failed_records.json`` into ``folder``, which is created when it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FAILED_RECORDS_FILE).write_text(json.dumps(self.failed, indent=1) + "\n")


def read_ingestion(folder: Path) -> IngestionResult:
    """Adds up the counts of all instances. Without any instance all counts are 0.

    Args:
        folder: has a folder for each instance, with its ``outcome.json`` and ``failed_records.json``.
    """
    total = IngestionResult()
    for instance in sorted(path for path in folder.glob("*") if path.is_dir()):
        figures = Outcome.read(instance).figures
        failed = json.loads((instance / FAILED_RECORDS_FILE).read_text())
        counts = {name: figures[name] for name in ("records", "written", "unchanged", "newer")}
        total += IngestionResult(**counts, failed=failed)
    return total
