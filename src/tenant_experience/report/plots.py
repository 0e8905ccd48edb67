"""The report's plots; how they are drawn is in ``pages.plots``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tenant_experience.evaluation.evaluation import FeatureImportance
from tenant_experience.evaluation.metrics import CalibrationBin, PredictionBand
from tenant_experience.evaluation.missing_features import MissingFeatures
from tenant_experience.groups.next_period import ReliabilityBin
from tenant_experience.groups.profile import FeatureProfile
from tenant_experience.pages.html_page import words
from tenant_experience.pages.plots import BLUE, GREY, VERMILION, WIDTH, data_address, plot, without_box

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = Sequence[tuple[float, float]]


def group_difference(profile: Sequence[FeatureProfile], least: float) -> str:
    """P(worse) of each feature as a dot on a line from 0 to 1. The bad group is worse off right of the middle."""
    rows = [(row.feature, row.probability_worse) for row in reversed(profile) if row.probability_worse is not None]

    def draw(axes: Axes) -> None:
        axes.axvline(0.5, color=GREY, linewidth=1)
        axes.axvline(least, color=GREY, linewidth=1, linestyle=":")
        for place, (_, value) in enumerate(rows):
            worse = value >= 0.5
            axes.plot([0.5, value], [place, place], color=VERMILION if worse else BLUE, linewidth=2)
            axes.plot(value, place, "o" if worse else "D", color=VERMILION if worse else BLUE, markersize=8)
            axes.annotate(
                f"{value:.2f}",
                (value, place),
                xytext=(8 if worse else -8, 0),
                textcoords="offset points",
                ha="left" if worse else "right",
                va="center",
            )
        axes.set_yticks(range(len(rows)), [words(feature) for feature, _ in rows])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlim(0.3, 1.05)
        axes.set_xlabel("P(worse): 0.5 means no difference")

    return plot(draw, height=0.9 + 0.34 * len(rows))


def curves(roc: Points, precision_recall: Points, share: float, positive: str) -> str:
    """The ROC curve beside the precision-recall curve, each with the line that guessing would give.

    Args:
        roc: points (false positive rate, true positive rate).
        precision_recall: points (recall, precision).
        share: the share of the test part that is positive.
        positive: the name of the positive class.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
    left.plot(*zip(*roc, strict=True), color=BLUE, linewidth=2)
    left.set(xlabel="false alarm rate", ylabel=f"share of “{positive}” found", title="ROC")
    right.plot([0, 1], [share, share], color=GREY, linewidth=1, linestyle="--")
    right.plot(*zip(*precision_recall, strict=True), color=VERMILION, linewidth=2)
    right.set(xlabel=f"share of “{positive}” found", ylabel="share of alarms right", title="Precision and recall")
    for axes in (left, right):
        without_box(axes)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    return data_address(figure)


def calibration(table: Sequence[CalibrationBin] | Sequence[ReliabilityBin], told: str = "probability") -> str:
    """Mean probability of each tenth against the share that is really positive, with 95% intervals.

    Args:
        table: the tenths that are not empty.
        told: what the probability is, for the axis.
    """

    def draw(axes: Axes) -> None:
        x = [row.mean_probability for row in table]
        y = [row.share for row in table]
        below = [row.share - row.low for row in table]
        above = [row.high - row.share for row in table]
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
        axes.errorbar(x, y, yerr=[below, above], fmt="o", color=BLUE, capsize=3, markersize=6, linewidth=1.5)
        axes.set(xlabel=told, ylabel="share that comes true")
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))

    return plot(draw, height=3.0)


def importance(rows: Sequence[FeatureImportance], effect: str) -> str:
    """How strongly each feature moves the answer, as bars, the strongest on top; ``effect`` names the unit."""
    rows = list(reversed(rows))

    def draw(axes: Axes) -> None:
        values = [row.mean_contribution for row in rows]
        errors = [
            [row.mean_contribution - row.low for row in rows],
            [row.high - row.mean_contribution for row in rows],
        ]
        axes.barh([words(row.feature) for row in rows], values, xerr=errors, color=BLUE, ecolor=GREY, capsize=2)
        axes.set_xlabel(effect)

    return plot(draw, height=0.9 + 0.3 * len(rows))


def missing_features(rows: Sequence[MissingFeatures], metric: str, title: str) -> str | None:
    """A metric by the number of missing features, with its 95% intervals; None with fewer than two points."""
    points = [
        (row.missing, value, row.low, row.high)
        for row in rows
        if (value := row.metrics[metric]) is not None and row.low is not None and row.high is not None
    ]
    if len(points) < 2:
        return None
    x, y, low, high = zip(*points, strict=True)

    def draw(axes: Axes) -> None:
        axes.fill_between(x, low, high, color=BLUE, alpha=0.2, lw=0)
        axes.plot(x, y, "o-", color=BLUE, linewidth=2)
        for missing, value in zip(x, y, strict=True):
            axes.annotate(f"{value:.2f}", (missing, value), xytext=(0, 8), textcoords="offset points", ha="center")
        axes.set(xlabel="features missing", ylabel=title, xticks=x)
        axes.margins(y=0.25)

    return plot(draw, height=2.6)


def prediction_bands(rows: Sequence[PredictionBand]) -> str:
    """Mean true number of each band of the prediction, with 95% intervals. On the dashed line both are the same."""

    def draw(axes: Axes) -> None:
        x, y = [row.mean_predicted for row in rows], [row.mean_true for row in rows]
        errors = [[row.mean_true - row.low for row in rows], [row.high - row.mean_true for row in rows]]
        axes.axline((x[0], x[0]), slope=1, color=GREY, linewidth=1, linestyle="--")
        axes.errorbar(x, y, yerr=errors, fmt="o", color=BLUE, capsize=3, markersize=6, linewidth=1.5)
        axes.set(xlabel="mean prediction", ylabel="mean true number")

    return plot(draw, height=3.0)
