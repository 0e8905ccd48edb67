"""``report.html``: one self-contained page per shard, for the people who approve a release or attend to tenants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tenant_experience.data_layout import OUTCOME, risk_table
from tenant_experience.evaluation.evaluation import PartitionEvaluation
from tenant_experience.evaluation.event_risk import EventRisk
from tenant_experience.features.ingestion_result import IngestionResult
from tenant_experience.groups.profile import LEAST_FOR_RANK, LEAST_FOR_SHARE
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.jobs.partition_runs import PartitionOutcome
from tenant_experience.pages.html_page import render
from tenant_experience.report._action_list import Action
from tenant_experience.report._part import ReportPart, report_part
from tenant_experience.report._words import VERDICTS, fairness_meanings, metric_meanings, slice_meanings, slice_names
from tenant_experience.report.action_files import ActionReport, PortfolioRow
from tenant_experience.report.pictures import GroupPictures
from tenant_experience.report.risk_list import first_at_risk
from tenant_experience.report.share_pictures import SharePicture
from tenant_experience.use_case.schema import UseCase

TEMPLATE = "report.html.j2"
# The models shown on one page, each with its pictures: a third of a megabyte.
MODEL_LIMIT = 30
PORTFOLIO_LIMIT = 200
SLICE_LIMIT = 30
FAILED_RECORDS_LIMIT = 100
ACTION_LIMIT = 5
LISTED_PORTFOLIOS = 30


def read_intake(folder: Path) -> Mapping[str, Any]:
    """The figures of BuildFeatures' outcome in ``folder``; empty where there is none."""
    return Outcome.read(folder).figures if (folder / OUTCOME).is_file() else {}


def shown_models(
    ready: Sequence[PartitionEvaluation], refused: Sequence[PartitionEvaluation]
) -> list[PartitionEvaluation]:
    """The models that a page shows, those that are ready first."""
    return [*ready, *refused][:MODEL_LIMIT]


@dataclass(frozen=True)
class ShardReport:
    """The content of a page.

    Attributes:
        release: the release's id.
        shard: the shard's number.
        use_case: aspects of features, limits of groups.
        rows: a row for each partition of the shard, ready or not.
        ready: evaluations of the models that are ready.
        refused: evaluations of models that broke a gate.
        pictures: partition slug -> pictures of its groups, where labels come from clusters; of the models ``shown``.
        shares: partition slug -> pictures of the share of bad over time.
        actions: the list to act on.
        risk: the list of an event that may happen soon; None where the use case declares none.
        intake: figures of BuildFeatures' outcome; empty where there is none.
        ingestion: the ingestion of the whole release's features; without records the page does not mention it.
    """

    release: str
    shard: int
    use_case: UseCase
    rows: Sequence[PartitionOutcome]
    ready: Sequence[PartitionEvaluation]
    actions: ActionReport
    refused: Sequence[PartitionEvaluation] = ()
    pictures: Mapping[str, GroupPictures] = field(default_factory=dict)
    shares: Mapping[str, Sequence[SharePicture]] = field(default_factory=dict)
    risk: EventRisk | None = None
    intake: Mapping[str, Any] = field(default_factory=dict)
    ingestion: IngestionResult = field(default_factory=IngestionResult)

    @property
    def shown(self) -> list[PartitionEvaluation]:
        """The models that the page shows, those that are ready first."""
        return shown_models(self.ready, self.refused)

    def render(self) -> str:
        """The page: HTML that fetches nothing. Everything from the data is escaped."""
        listed, words = self._listed(), self.use_case.words
        at_risk = first_at_risk(self.risk, min(ACTION_LIMIT, self.use_case.capacity))
        return render(
            TEMPLATE,
            report=self,
            words=words,
            ready=self.ready,
            refused_rows=[row for row in self.rows if not row.is_ready],
            parts=self.parts,
            more_models=len(self.ready) + len(self.refused) - len(self.shown),
            actions=self.actions,
            listed=listed[:LISTED_PORTFOLIOS],
            more_listed=len(listed[LISTED_PORTFOLIOS:]),
            risk=self.risk,
            risk_table=risk_table(self.risk.event) if self.risk else None,
            at_risk=at_risk[:LISTED_PORTFOLIOS],
            more_at_risk=len(at_risk[LISTED_PORTFOLIOS:]),
            intake=self.intake,
            ingestion=self.ingestion,
            failed_records=list(self.ingestion.failed.items())[:FAILED_RECORDS_LIMIT],
            metric_meanings=metric_meanings(words),
            slice_meanings=slice_meanings(words),
            slice_names=slice_names(words),
            fairness_meanings=fairness_meanings(words),
            verdicts=VERDICTS,
            portfolio_limit=PORTFOLIO_LIMIT,
            slice_limit=SLICE_LIMIT,
            action_limit=ACTION_LIMIT,
            least_for_share=LEAST_FOR_SHARE,
            least_for_rank=LEAST_FOR_RANK,
        )

    @cached_property
    def parts(self) -> list[ReportPart]:
        """What the page shows of each model; drawn once."""
        return [
            report_part(
                evaluation,
                self.use_case,
                self.pictures.get(evaluation.manifest.slug),
                self.shares.get(evaluation.manifest.slug, ()),
                is_refused=place >= len(self.ready),
            )
            for place, evaluation in enumerate(self.shown)
        ]

    def _listed(self) -> list[tuple[PortfolioRow, list[Action]]]:
        """Portfolios with waiting tenants, the most overdue first, each with its first actions."""
        rows = [row for row in self.actions.portfolios if row.waiting]
        first: defaultdict[str, list[Action]] = defaultdict(list)
        for action in self.actions.actions:
            if len(first[action.portfolio_id]) < ACTION_LIMIT:
                first[action.portfolio_id].append(action)
        return [
            (row, first[row.portfolio_id])
            for row in sorted(rows, key=lambda row: (-(row.overdue or 0), -(row.waiting or 0), row.portfolio_id))
        ]
