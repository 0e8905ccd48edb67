"""The report's plots; how they are drawn is in ``pages.plots``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tenant_experience.pages.html_page import words
from tenant_experience.pages.plots import BLUE, GREY, VERMILION, WIDTH, data_address, plot, without_box

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = Sequence[tuple[float, float]]


def group_difference(profile: Sequence[dict[str, Any]], least: float) -> str:
    """P(worse) of each feature as a dot on a line from 0 to 1: right of the middle, the bad group is worse off."""
    rows = [row for row in reversed(profile) if row["probability_worse"] is not None]

    def draw(axes: Axes) -> None:
        axes.axvline(0.5, color=GREY, linewidth=1)
        axes.axvline(least, color=GREY, linewidth=1, linestyle=":")
        for place, row in enumerate(rows):
            value, worse = row["probability_worse"], row["probability_worse"] >= 0.5
            axes.plot([0.5, value], [place, place], color=VERMILION if worse else BLUE, linewidth=2)
            axes.plot(value, place, "o" if worse else "D", color=VERMILION if worse else BLUE, markersize=8)
            right = value >= 0.5
            axes.annotate(
                f"{value:.2f}",
                (value, place),
                xytext=(8 if right else -8, 0),
                textcoords="offset points",
                ha="left" if right else "right",
                va="center",
            )
        axes.set_yticks(range(len(rows)), [words(row["feature"]) for row in rows])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlim(0.3, 1.05)
        axes.set_xlabel("P(worse): 0.5 means no difference")

    return plot(draw, height=0.9 + 0.34 * len(rows))


def curves(roc: Points, precision_recall: Points, share: float, positive: str) -> str:
    """The ROC curve beside the precision-recall curve, each with what guessing would give.

    Args:
        roc: points (false positive rate, true positive rate).
        precision_recall: points (recall, precision).
        share: of the test part that is positive.
        positive: what that is called.
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


def calibration(table: Sequence[dict[str, Any]]) -> str:
    """Mean probability of each tenth against the share that really is bad, with 95% intervals."""

    def draw(axes: Axes) -> None:
        x = [row["mean_probability"] for row in table]
        y = [row["share"] for row in table]
        below = [row["share"] - row["low"] for row in table]
        above = [row["high"] - row["share"] for row in table]
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
        axes.errorbar(x, y, yerr=[below, above], fmt="o", color=BLUE, capsize=3, markersize=6, linewidth=1.5)
        axes.set(xlabel="probability the model gives", ylabel="share that comes true")
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))

    return plot(draw, height=3.0)


def importance(rows: Sequence[dict[str, Any]], effect: str) -> str:
    """How strongly each feature moves the answer, as bars, the strongest on top; ``effect`` says in what."""
    rows = list(reversed(rows))

    def draw(axes: Axes) -> None:
        values = [row["mean_contribution"] for row in rows]
        errors = [
            [row["mean_contribution"] - row["low"] for row in rows],
            [row["high"] - row["mean_contribution"] for row in rows],
        ]
        axes.barh([words(row["feature"]) for row in rows], values, xerr=errors, color=BLUE, ecolor=GREY, capsize=2)
        axes.set_xlabel(effect)

    return plot(draw, height=0.9 + 0.3 * len(rows))


def missing_features(rows: Sequence[dict[str, Any]], metric: str, title: str) -> str:
    """A metric by the number of missing features, with its 95% intervals."""

    def draw(axes: Axes) -> None:
        x, y = [row["missing"] for row in rows], [row[metric] for row in rows]
        axes.fill_between(x, [row["low"] for row in rows], [row["high"] for row in rows], color=BLUE, alpha=0.2, lw=0)
        axes.plot(x, y, "o-", color=BLUE, linewidth=2)
        for row in rows:
            axes.annotate(
                f"{row[metric]:.2f}",
                (row["missing"], row[metric]),
                xytext=(0, 8),
                textcoords="offset points",
                ha="center",
            )
        axes.set(xlabel="features missing", ylabel=title, xticks=x)
        axes.margins(y=0.25)

    return plot(draw, height=2.6)


def prediction_bands(rows: Sequence[dict[str, Any]]) -> str:
    """Mean true number of each band of the prediction, with 95% intervals; on the dashed line they are the same."""

    def draw(axes: Axes) -> None:
        x, y = [row["mean_predicted"] for row in rows], [row["mean_true"] for row in rows]
        errors = [[row["mean_true"] - row["low"] for row in rows], [row["high"] - row["mean_true"] for row in rows]]
        axes.axline((x[0], x[0]), slope=1, color=GREY, linewidth=1, linestyle="--")
        axes.errorbar(x, y, yerr=errors, fmt="o", color=BLUE, capsize=3, markersize=6, linewidth=1.5)
        axes.set(xlabel="mean prediction", ylabel="mean of what came")

    return plot(draw, height=3.0)
