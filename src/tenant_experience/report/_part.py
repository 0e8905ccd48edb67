"""What the report shows of one partition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tenant_experience.data_layout import GLOBAL_PARTITION
from tenant_experience.evaluation.evaluation import FeatureImportance, PartitionEvaluation
from tenant_experience.evaluation.metrics import BinaryConfusion
from tenant_experience.evaluation.scored_rows import ConfusionMatrix
from tenant_experience.evaluation.slices import Slice
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.next_period import Backtest
from tenant_experience.groups.profile import FeatureProfile, PortfolioShare
from tenant_experience.models.artifact import ModelManifest
from tenant_experience.pages.html_page import capital, figure, share
from tenant_experience.report import plots as report_plots
from tenant_experience.report._words import (
    ASPECTS,
    EFFECT_ON_TIMES,
    EFFECTS,
    HEADLINES,
    METHODS,
    MISSING_METRICS,
    SLICE_METRICS,
    metric_names,
)
from tenant_experience.report.pictures import GroupPictures
from tenant_experience.report.share_pictures import SharePicture
from tenant_experience.statistics.intervals import auc_interval, wilson_interval
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.words import Words


@dataclass(frozen=True)
class ProfileRow:
    """A row of the table of features: its profile, and the 95% interval of P(worse)."""

    profile: FeatureProfile
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Firmness:
    """One answer to how firm the groups are."""

    question: str
    meaning: str
    figure: str
    range: str = ""


@dataclass(frozen=True)
class PartPlots:
    """``data:`` addresses; None where there is nothing to draw."""

    difference: str | None
    curves: str | None
    calibration: str | None
    next_period: str | None
    bands: str | None
    importance: str
    missing: str | None


@dataclass(frozen=True)
class ReportPart:
    """What the templates show of one partition.

    Attributes:
        evaluation: of its model.
        pictures: of its groups; None when labels come from a column.
        is_refused: whether the model broke a gate.
        title: the heading.
        bad_interval: 95% interval of the share of bad; None without a positive class.
        open_interval: 95% interval of the share of tenants whose group P(bad) leaves open; None without groups.
        least: the least P(worse) of a marker.
        profile: by aspect: title, meaning, features. Empty without groups.
        firmness: how firm the groups are; empty without groups.
        portfolios: the ranked ones first, by rank.
        plots: of the model and its groups.
        shares: the share of bad over time; empty before the second release.
    """

    evaluation: PartitionEvaluation
    pictures: GroupPictures | None
    is_refused: bool
    title: str
    bad_interval: tuple[float, float] | None
    open_interval: tuple[float, float] | None
    least: float
    profile: list[tuple[str, str, list[ProfileRow]]]
    firmness: list[Firmness]
    portfolios: list[PortfolioShare]
    plots: PartPlots
    shares: Sequence[SharePicture] = ()

    @property
    def manifest(self) -> ModelManifest:
        """Of the model."""
        return self.evaluation.manifest

    @property
    def grouping(self) -> Grouping | None:
        """The rule of the groups."""
        return self.evaluation.grouping

    @property
    def anchor(self) -> str:
        """The part's place on the page."""
        return f"model-{self.manifest.slug}"

    @property
    def positive(self) -> str | None:
        """The name of the positive class."""
        return self.manifest.positive_label

    @property
    def negative(self) -> str | None:
        """The name of the first class."""
        return self.manifest.labels[0] if self.manifest.labels else None

    @property
    def headline(self) -> str:
        """The metric at the top."""
        return "concordance" if self.manifest.time_to_event else HEADLINES[self.manifest.task]

    @property
    def method(self) -> str | None:
        """How groups were found, in words."""
        return METHODS[self.grouping.method] if self.grouping else None

    @property
    def effect(self) -> str:
        """The unit of a feature's importance."""
        return _effect(self.manifest)

    @property
    def is_sampled(self) -> bool:
        """Whether the slow figures are measured on some tenants of the test part only."""
        return self.evaluation.sampled_tenants < self.evaluation.counts["test"].tenants

    @property
    def measured_on(self) -> str:
        """The tenants that the slow figures are measured on, in words."""
        if not self.is_sampled:
            return "the test part"
        return (
            f"{self.evaluation.words.counted(self.evaluation.sampled_tenants)} of the test part, spread evenly over "
            "all answers"
        )

    @property
    def missing_metric(self) -> str:
        """The metric of the curve of missing features."""
        return MISSING_METRICS[self.manifest.task]

    @property
    def slice_metrics(self) -> tuple[str, ...]:
        """The metrics shown for slices."""
        return SLICE_METRICS[self.manifest.task]

    @property
    def slices(self) -> list[tuple[str, list[Slice]]]:
        """By kind, where there is more than one."""
        return [(kind, rows) for kind, rows in self.evaluation.slices.items() if len(rows) > 1]

    @property
    def compared_features(self) -> list[FeatureProfile]:
        """Features that have a P(worse)."""
        return [row for row in self.evaluation.profile if row.probability_worse is not None]

    @property
    def unknown_features(self) -> list[str]:
        """Features without any value."""
        return [row.feature for row in self.evaluation.profile if not row.is_known]

    @property
    def used_features(self) -> list[FeatureImportance]:
        """Features that move the answer, the strongest first."""
        return [row for row in self.evaluation.importance if row.mean_contribution]

    @property
    def unused_features(self) -> list[str]:
        """Features that never move the answer."""
        return [row.feature for row in self.evaluation.importance if not row.mean_contribution]

    @property
    def confusion(self) -> ConfusionMatrix | None:
        """A row for each class, a column for each answer, whatever the task."""
        counts = self.evaluation.confusion
        if isinstance(counts, BinaryConfusion):
            return ConfusionMatrix(list(self.manifest.labels), counts.matrix)
        return counts


def report_part(
    evaluation: PartitionEvaluation,
    use_case: UseCase,
    pictures: GroupPictures | None,
    shares: Sequence[SharePicture] = (),
    *,
    is_refused: bool,
) -> ReportPart:
    """The content of one partition's part of the page.

    Args:
        evaluation: of its model.
        use_case: aspects of features, limits of groups.
        pictures: of its groups; None when labels come from a column.
        shares: pictures of the share of bad over time.
        is_refused: whether the model broke a gate.
    """
    manifest, grouping, certainty = evaluation.manifest, evaluation.grouping, evaluation.uncertainty
    bad, tenants, words = evaluation.bad, evaluation.tenants, use_case.words
    return ReportPart(
        evaluation=evaluation,
        pictures=pictures,
        is_refused=is_refused,
        title=f"All {words.partitions}"
        if manifest.slug == GLOBAL_PARTITION
        else f"{capital(words.partition)} {manifest.partition}",
        bad_interval=None if bad is None else wilson_interval(bad, tenants),
        open_interval=wilson_interval(certainty.cannot_be_told, certainty.tenants) if certainty else None,
        least=_least(use_case),
        profile=list(_profile(evaluation, use_case)) if grouping else [],
        firmness=list(_firmness(grouping, words)) if grouping else [],
        portfolios=sorted(evaluation.portfolios, key=lambda row: (row.rank is None, row.rank or 0)),
        plots=_plots(evaluation, _least(use_case)),
        shares=shares,
    )


def _plots(evaluation: PartitionEvaluation, least: float) -> PartPlots:
    metric = MISSING_METRICS[evaluation.manifest.task]
    used = [row for row in evaluation.importance if row.mean_contribution]
    title = metric_names()[metric]
    return PartPlots(
        difference=report_plots.group_difference(evaluation.profile, least) if evaluation.grouping else None,
        curves=_curves(evaluation) if evaluation.roc else None,
        calibration=report_plots.calibration(evaluation.calibration) if evaluation.calibration else None,
        next_period=_next_period(evaluation.backtest) if evaluation.backtest else None,
        bands=report_plots.prediction_bands(evaluation.bands) if evaluation.bands else None,
        importance=report_plots.importance(used, _effect(evaluation.manifest)),
        missing=report_plots.missing_features(evaluation.missing_features, metric, title),
    )


def _effect(manifest: ModelManifest) -> str:
    times = manifest.time_to_event
    return EFFECT_ON_TIMES if times and times.distribution else EFFECTS[manifest.task]


def _next_period(backtest: Backtest) -> str:
    return report_plots.calibration(backtest.published.bins, "published probability")


def _curves(evaluation: PartitionEvaluation) -> str:
    test = evaluation.counts["test"]
    share_positive = (test.bad or 0) / (test.tenants or 1)
    positive = evaluation.manifest.positive_label or "positive"
    return report_plots.curves(evaluation.roc, evaluation.precision_recall, share_positive, positive)


def _profile(evaluation: PartitionEvaluation, use_case: UseCase) -> Iterator[tuple[str, str, list[ProfileRow]]]:
    """Service and demand apart, each with its meaning. Features without any value are listed elsewhere."""
    for aspect, (title, meaning) in ASPECTS.items():
        rows = [
            ProfileRow(row, _worse_interval(row))
            for row in evaluation.profile
            if row.is_known and use_case.features[row.feature].aspect == aspect
        ]
        if rows:
            yield title, use_case.words.fill(meaning), rows


def _least(use_case: UseCase) -> float:
    """The least P(worse) of a marker."""
    return use_case.clustering.limits.probability_worse if use_case.clustering else 0.5


def _worse_interval(row: FeatureProfile) -> tuple[float, float] | None:
    if row.probability_worse is None:
        return None
    return auc_interval(row.probability_worse, row.bad.known, row.good.known)


def _firmness(grouping: Grouping, words: Words) -> Iterator[Firmness]:
    """How stable the groups are, and whether they are more than a cut through a continuum."""
    if grouping.held:
        yield Firmness(
            f"Do the earlier groups still explain these {words.records}?",
            f"This release did not find its own groups. Here is how much of its own {words.records}' variation the "
            f"earlier ones explain; all figures below are from the {words.records} on whom they were found.",
            share(grouping.held.explained_variance),
            f"{share(grouping.held.permuted_variance)} in shuffled columns",
        )
    if grouping.stability:
        yield Firmness(
            f"Would other {words.records} give the same groups?",
            f"The median adjusted Rand index of {grouping.stability.refits} refits on redrawn {words.records}. 1 "
            f"means that all {words.records} stay in their group.",
            figure(grouping.stability.ari_median),
            f"lowest {figure(grouping.stability.ari_minimum)}",
        )
    yield Firmness(
        "How much of the markers' variation do the groups explain?",
        f"Measured on the standardised markers of the {words.records} that decided the groups.",
        share(grouping.explained_variance),
    )
    if grouping.permuted_variance is not None:
        yield Firmness(
            "How much would groups explain in data without structure?",
            "The highest of all refits on the same columns, each column shuffled separately.",
            share(grouping.permuted_variance),
        )
    if grouping.copula_variance is not None:
        yield Firmness(
            "How much would groups explain in a continuum?",
            "Data with the same distributions and correlations, but without gaps. When this is only a little less, the "
            "groups are a cut through a continuum.",
            share(grouping.copula_variance),
        )
    if grouping.service_auc is not None:
        yield Firmness(
            "How well do the service features alone tell the groups apart?",
            "The ROC AUC of the service features without the demand features. Near 0.5, the groups only reflect how "
            f"often {words.records} make contact.",
            figure(grouping.service_auc),
        )
