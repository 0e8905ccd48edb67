"""The evaluation of one partition's model: everything that evaluation.json, the report and the outcome say of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tenant_experience.evaluation._fairness import BandComparison
from tenant_experience.evaluation._group_changes import GroupChangeCounts, GroupChanges
from tenant_experience.evaluation._intervals import Measured
from tenant_experience.evaluation._next_period import next_period_sentences
from tenant_experience.evaluation._split import SplitDescription
from tenant_experience.evaluation.champion import ChampionComparison
from tenant_experience.evaluation.gates import ModelGate
from tenant_experience.evaluation.metrics import AnswerCertainty, BinaryConfusion, CalibrationBin, PredictionBand
from tenant_experience.evaluation.missing_features import MissingFeatures
from tenant_experience.evaluation.pooling import PoolingComparison
from tenant_experience.evaluation.scored_rows import ConfusionMatrix
from tenant_experience.evaluation.slices import Slice
from tenant_experience.evaluation.smoke_samples import SmokeSample
from tenant_experience.evaluation.supervised_score import SupervisedScore
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.next_period import Backtest, ProbabilityBasis
from tenant_experience.groups.profile import FeatureProfile, PortfolioShare
from tenant_experience.groups.yardstick import Yardstick
from tenant_experience.models.artifact import ModelManifest
from tenant_experience.models.validation import Validation
from tenant_experience.use_case.words import Words

# What a warning is about, in the order in which they are told.
WarningKind = Literal["chance", "groups", "time", "champion", "unplaced", "rows", "fairness", "pooling"]


@dataclass(frozen=True)
class PartCounts:
    """The tenants of one part of the split; ``bad`` is None when there is no positive class."""

    tenants: int
    bad: int | None


@dataclass(frozen=True)
class FeatureImportance:
    """The mean absolute contribution of a feature to the answer, with its 95% interval."""

    feature: str
    mean_contribution: float
    low: float
    high: float


@dataclass(frozen=True)
class PublishedAnswers:
    """What the figures of an evaluation are of: the answers as the API gives them to the tenants of the test part.

    Attributes:
        by_rule: how many labels the rule of the groups decided.
        by_model: how many the classifier decided.
        probability_basis: of the published probability (``NextPeriod``); None where labels come from a column.
    """

    by_rule: int
    by_model: int
    probability_basis: ProbabilityBasis | None

    def figures(self, words: Words) -> dict[str, str]:
        """Which answer each kind of figure is of, and what it is compared with, in sentences."""
        own = f"the {words.record}'s own"
        if self.probability_basis is None:
            return {
                "label": f"The published answer is compared with {own} label.",
                "probability": f"The published probability is compared with {own} label.",
                "calibration": f"The published probability is compared with {own} label.",
            }
        return {
            "label": (
                f"The published label is compared with {own} group. It comes from the rule of the groups for "
                f"{self.by_rule} {words.records}, whose markers are all known, and from the model for {self.by_model}."
            ),
            "probability": f"The published probability is compared with {own} group, which it must rank.",
            "calibration": (
                f"The model probability is compared with {own} group. The published probability is about the next "
                "period, so it is not part of this comparison."
            ),
        }

    def document(self, words: Words) -> dict[str, Any]:
        """The figures as evaluation.json has them."""
        return vars(self) | {"figures": self.figures(words)}


@dataclass(frozen=True)
class PartitionEvaluation:
    """Everything that evaluation.json, the report and the outcome say of a partition. "Bad" is the positive class.

    Attributes:
        manifest: of the model.
        grouping: the rule that its labels come from; None when they come from a column.
        tenants: the number of tenants with a label; of rows, where a tenant has several (``counts_rows``).
        bad: how many of these are bad; None without a positive class.
        counts: for each part of the split, and for ``none``: tenants that no model is trained on.
        published: what the figures on the test part are of: the answers as the API gives them.
        measured: metrics and their intervals, on the test part.
        slices: by kind, the same for slices of the test part.
        sampled_tenants: how many tenants of the test part ``missing_features`` and ``importance`` are measured on.
        missing_features: what missing features cost, on these tenants.
        champion: the comparison with the live model; None when none is live.
        moved: which tenants changed group since the live release; None where that is unknown.
        uncertainty: how certain the published P(bad) is, on the test part; None without groups.
        backtest: how the published probabilities came true in past periods; None where there are none.
        fairness: the share of bad by exposure and by size of the portfolio.
        gates: the gates on models, kept or broken.
        warned: warnings in sentences, by what they are about.
        confusion: on the test part; None for numbers.
        bands: for numbers: predicted against true, on the test part; else empty.
        calibration: on the test part, by tenths; empty for numbers.
        profile: for each feature, all tenants with a label; empty without a positive class.
        portfolios: the share of bad, all tenants with a label; empty without a positive class.
        importance: for each feature, on the sampled tenants, the strongest first.
        roc: points of the curve, for the plot; binary tasks only.
        precision_recall: points of the curve, for the plot; binary tasks only.
        folder: holds the model.
        smoke_test: some tenants, and the answers expected for them.
        yardstick: the shares of bad by a rule that does not change; None where labels come from a column.
        validation: the published answers beside what became of tenants.
        words: what texts call records and partitions.
        pooling: a pooled model beside what it was made of; None for other models.
        supervised: scores trained on outcomes beside the published answers; empty where there are too few outcomes.
        split: how rows were put into the parts.
    """

    manifest: ModelManifest
    grouping: Grouping | None
    tenants: int
    bad: int | None
    counts: dict[str, PartCounts]
    published: PublishedAnswers
    measured: Measured
    slices: dict[str, list[Slice]]
    sampled_tenants: int
    missing_features: list[MissingFeatures]
    champion: ChampionComparison | None
    moved: GroupChanges | None
    uncertainty: AnswerCertainty | None
    backtest: Backtest | None
    fairness: list[BandComparison]
    gates: list[ModelGate]
    warned: dict[WarningKind, list[str]]
    confusion: BinaryConfusion | ConfusionMatrix | None
    bands: list[PredictionBand]
    calibration: list[CalibrationBin]
    profile: list[FeatureProfile]
    portfolios: list[PortfolioShare]
    importance: list[FeatureImportance]
    roc: list[tuple[float, float]]
    precision_recall: list[tuple[float, float]]
    folder: Path
    smoke_test: list[SmokeSample]
    yardstick: Yardstick | None = None
    validation: Validation = field(default_factory=Validation)
    words: Words = field(default_factory=Words)
    pooling: PoolingComparison | None = None
    supervised: list[SupervisedScore] = field(default_factory=list)
    split: SplitDescription | None = None

    @property
    def warnings(self) -> list[str]:
        """All of them in sentences, first whether the model may be no better than chance."""
        return [sentence for sentences in self.warned.values() for sentence in sentences]

    @property
    def by_chance(self) -> list[str]:
        """Those of the warnings that say that the model may be no better than chance."""
        return self.warned.get("chance", [])

    @property
    def unanswered(self) -> int:
        """How many of the test part are left out of all figures, because nothing that decides is known of them."""
        return self.counts["test"].tenants - self.published.by_rule - self.published.by_model

    @property
    def counts_rows(self) -> bool:
        """Whether figures count rows, of which a tenant has several."""
        return self.split is not None and self.split.records < self.split.rows

    @property
    def yardstick_sentences(self) -> list[str]:
        """What has changed by the rule that does not change; empty when that is not known."""
        return list(self.yardstick.sentences(self.words)) if self.yardstick else []

    @property
    def bad_share(self) -> float | None:
        """Share of tenants that are bad."""
        return None if self.bad is None else self.bad / self.tenants

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics on the test part, by name; only those that are defined."""
        return {name: value for name, value in self.measured.metrics.items() if value is not None}

    @property
    def intervals(self) -> dict[str, list[float]]:
        """95% intervals of the metrics: [low, high]."""
        return {name: bounds for name, bounds in self.measured.intervals.items() if bounds is not None}

    @property
    def changes(self) -> GroupChangeCounts | None:
        """Counts of the tenants that changed group."""
        return self.moved.counts() if self.moved else None

    @property
    def next_period_sentences(self) -> list[str]:
        """What is said of the published probability; empty where labels come from a column."""
        return next_period_sentences(self.backtest, self.manifest.labels[-1], self.words) if self.grouping else []

    def _next_period(self) -> dict[str, Any] | None:
        if self.grouping is None:
            return None
        backtest = self.backtest.model_dump(mode="json") if self.backtest else None
        return {"sentences": self.next_period_sentences, "backtest": backtest}

    def document(self) -> dict[str, Any]:
        """The partition's part of evaluation.json: everything but ids, the curves and the smoke test."""
        changes = self.changes
        return {
            "words": self.words.document(),
            "partition": self.manifest.partition,
            "slug": self.manifest.slug,
            "version": self.manifest.version,
            "scale": self.manifest.scale,
            "task": self.manifest.task,
            "tenants": self.tenants,
            "bad": self.bad,
            "bad_share": self.bad_share,
            "split": self.split.document() if self.split else None,
            "counts": {part: asdict(counts) for part, counts in self.counts.items()},
            "published": self.published.document(self.words),
            "metrics": self.metrics,
            "intervals": self.intervals,
            "confusion": asdict(self.confusion) if self.confusion else {},
            "bands": [band.document() for band in self.bands],
            "calibration": [row.document() for row in self.calibration],
            "slices": {kind: _rows(slices) for kind, slices in self.slices.items()},
            "sampled_tenants": self.sampled_tenants,
            "missing_features": [row.document() for row in self.missing_features],
            "champion": self.champion.document() if self.champion else None,
            "changes": changes.document() if changes else None,
            "uncertainty": self.uncertainty.document() if self.uncertainty else None,
            "next_period": self._next_period(),
            "fairness": _rows(self.fairness),
            "warnings": self.warnings,
            "profile": _rows(self.profile),
            "portfolios": _rows(self.portfolios),
            "importance": _rows(self.importance),
            "gates": _rows(self.gates),
            "model": self.manifest.model_dump(mode="json"),
            "grouping": self.grouping.model_dump(mode="json") if self.grouping else None,
            "yardstick": self._yardstick_document(),
            "validation": self.validation.document(),
            "pooling": self.pooling.document() if self.pooling else None,
            "supervised": [score.document() for score in self.supervised],
        }

    def _yardstick_document(self) -> dict[str, Any] | None:
        if self.yardstick is None:
            return None
        change = self.yardstick.change
        return {
            **self.yardstick.model_dump(mode="json"),
            "change": change.model_dump(mode="json") if change else None,
            "sentences": self.yardstick_sentences,
        }


def _rows(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]
