"""The data-quality report of a release: ``data_quality.json`` for machines, ``data_quality.html`` for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tenant_experience.data_layout import DATA_QUALITY_FILE, DATA_QUALITY_PAGE
from tenant_experience.data_quality.comparison import Comparison, NotCompared
from tenant_experience.data_quality.describe import EventFigures, HistoryThresholds, IntakeFigures, KeptFigures
from tenant_experience.data_quality.feature_quality import Description, LabelDescription, TenantFigures
from tenant_experience.data_quality.page import render_data_quality
from tenant_experience.data_quality.tenant_outcomes import OutcomeFigures, outcome_warnings
from tenant_experience.errors import AlgorithmError, UserError
from tenant_experience.intake.repeated_rows import RepeatedRows
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.words import Words


@dataclass
class DataQuality:
    """What is known of the data of a release. It fills up as the job goes on; None is not known yet.

    Attributes:
        release: its id.
        refusal: why the batch was refused; None when it was not.
        source: the name of the source.
        as_of: the moment that the features describe.
        intake: the rows read.
        events: the events kept; None for a ready-made table.
        kept: where the events come from, when batches add up; else None.
        table: the rows of one id in a ready-made table; None for events.
        history: the thresholds of history; None for a ready-made table.
        outcomes: of tenants, beside the events or the table; None when the batch has none.
        tenants: the tenants that have features.
        comparison: with the release that is live.
        features: by name.
        labels: those that come from a column; else None.
        answered_by: the live release that answers for a batch on which nothing is trained; else None.
        warnings: in sentences.
        words: what texts call records and partitions.
    """

    release: str
    refusal: UserError | AlgorithmError | None = None
    source: str | None = None
    as_of: str | None = None
    intake: IntakeFigures | None = None
    events: EventFigures | None = None
    kept: KeptFigures | None = None
    table: RepeatedRows | None = None
    history: HistoryThresholds | None = None
    outcomes: OutcomeFigures | None = None
    tenants: TenantFigures | None = None
    comparison: Comparison | NotCompared | None = None
    features: dict[str, Description] = field(default_factory=dict)
    labels: LabelDescription | None = None
    answered_by: str | None = None
    warnings: list[str] | None = None
    words: Words | None = None

    def add_outcomes(self, found: OutcomeFigures | None, use_case: UseCase) -> None:
        """Adds the outcomes of the batch, and what to know about them."""
        self.outcomes = found
        if found is not None:
            warnings = outcome_warnings(found, use_case.gates.quarantine_share, use_case.words)
            self.warnings = [*(self.warnings or ()), *warnings]

    def document(self) -> dict[str, Any]:
        """``data_quality.json``: only what is known."""
        refusal = self.refusal
        document: dict[str, Any] = {
            "release": self.release,
            "refusal": refusal and {"fault": refusal.fault, "code": refusal.code, "message": refusal.message},
        }
        if self.source is not None:
            document |= {"source": self.source, "as_of": self.as_of}
        document |= {} if self.answered_by is None else {"answered_by": self.answered_by}
        for figures in (self.intake, self.events, self.table):
            document |= asdict(figures) if figures else {}
        document |= {"kept": asdict(self.kept)} if self.kept else {}
        document |= {"words": self.words.document()} if self.words else {}
        document |= {"history": asdict(self.history)} if self.history else {}
        document |= {"outcomes": asdict(self.outcomes)} if self.outcomes else {}
        document |= self.tenants.document() if self.tenants else {}
        document |= {"comparison": asdict(self.comparison)} if self.comparison else {}
        if self.features:
            document["features"] = {name: asdict(feature) for name, feature in self.features.items()}
        document |= {"labels": self.labels.document()} if self.labels else {}
        document |= {} if self.warnings is None else {"warnings": self.warnings}
        return document


@contextmanager
def data_quality_report(folder: Path, release: str) -> Iterator[DataQuality]:
    """Writes the report into ``folder`` at the end, with what is known by then when the batch is refused.

    Args:
        folder: exists.
        release: its id.

    Yields:
        The report, to be filled. A refusal is added to it, and goes on to the caller.
    """
    quality = DataQuality(release)
    try:
        yield quality
    except (UserError, AlgorithmError) as refusal:
        quality.refusal = refusal
        _write(folder, quality)
        raise
    _write(folder, quality)


def _write(folder: Path, quality: DataQuality) -> None:
    document = quality.document()
    (folder / DATA_QUALITY_FILE).write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
    (folder / DATA_QUALITY_PAGE).write_text(render_data_quality(document), encoding="utf-8")
