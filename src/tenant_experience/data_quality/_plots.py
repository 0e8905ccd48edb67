"""The plots of the data-quality page: distributions now and then, and how far each feature has moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tenant_experience.data_quality._stability import LARGE_SHIFT, SLIGHT_SHIFT
from tenant_experience.pages.html_page import words
from tenant_experience.pages.plots import BLUE, GREY, VERMILION, plot, round_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BARS_SHOWN, _NAME_LENGTH = 8, 18


def exposure(histogram: Mapping[str, Any], history: Mapping[str, Any]) -> str:
    """Days of exposure, with a line at each threshold.

    Args:
        histogram: from ``feature_shift.histogram``.
        history: minimum_days and provisional_below.
    """

    def draw(axes: Axes) -> None:
        _stairs(axes, histogram)
        for days in (history["minimum_days"], history["provisional_below"]):
            axes.axvline(days, color=GREY, linestyle=":", linewidth=1.5)

    return plot(draw, height=2.2)


def distribution(histogram: Mapping[str, Any], *, logarithmic: bool) -> str:
    """This release filled, the release before as a dashed outline.

    Args:
        histogram: from ``feature_shift.histogram``.
        logarithmic: whether the axis is that of log1p.
    """

    def draw(axes: Axes) -> None:
        _stairs(axes, histogram)
        if logarithmic:
            axes.set_xscale("function", functions=(_log1p, np.expm1))
            axes.set_xticks(round_ticks(histogram["edges"][0], histogram["edges"][-1]))
            axes.minorticks_off()
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
        axes.tick_params(labelsize=11)

    return plot(draw, height=1.9, width=3.4)


def category_bars(entry: Mapping[str, Any]) -> str:
    """The most common values, the first on top: bars for this release, a line across each for the release before.

    Args:
        entry: from ``category_shift.describe_category``, with at least one value.
    """
    rows = entry["common"][:_BARS_SHOWN]
    names = [row["value"] if len(row["value"]) <= _NAME_LENGTH else row["value"][:_NAME_LENGTH] + "…" for row in rows]

    def draw(axes: Axes) -> None:
        axes.barh(range(len(rows)), [100 * row["now"] for row in rows], color=BLUE, alpha=0.35, edgecolor=BLUE)
        for place, row in enumerate(rows):
            if row["then"] is not None:
                axes.plot([100 * row["then"]] * 2, [place - 0.45, place + 0.45], color=VERMILION, linewidth=2.5)
        axes.set_yticks(range(len(rows)), names)
        for label in axes.get_yticklabels():
            label.set_parse_math(False)  # a dollar sign in the data is a dollar sign
        axes.invert_yaxis()
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}%")
        axes.locator_params(axis="x", nbins=4)
        axes.tick_params(labelsize=11)

    return plot(draw, height=0.7 + 0.3 * len(rows), width=3.4)


def _stairs(axes: Axes, histogram: Mapping[str, Any]) -> None:
    edges, now = histogram["edges"], 100 * np.asarray(histogram["now"])
    axes.stairs(now, edges, fill=True, color=BLUE, alpha=0.35)
    axes.stairs(now, edges, color=BLUE, linewidth=1.2)
    if histogram["then"] is not None:
        axes.stairs(100 * np.asarray(histogram["then"]), edges, color=VERMILION, linewidth=1.8, linestyle="--")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}%")
    axes.locator_params(axis="y", nbins=4)


def _log1p(values: Any) -> Any:
    return np.log1p(np.maximum(values, 0))


def shift_bars(features: Mapping[str, Any]) -> str:
    """PSI of each feature that has one, the largest on top; hatched where chance does not explain a large one.

    Args:
        features: of ``data_quality.json``, at least one with a shift.
    """
    shifts = {name: entry["shift"] for name, entry in features.items() if entry["shift"]}
    rows = sorted((shift["psi"], name, shift["chance"]) for name, shift in shifts.items())

    def draw(axes: Axes) -> None:
        for place, (psi, _, chance) in enumerate(rows):
            large = psi > LARGE_SHIFT + chance
            axes.barh(place, psi, color=VERMILION if large else BLUE, hatch="//" if large else None, edgecolor="white")
            axes.annotate(
                f"{psi:.2f}",
                (psi, place),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                bbox={"color": "white", "pad": 1},
            )
        for line in (SLIGHT_SHIFT, LARGE_SHIFT):
            axes.axvline(line, color=GREY, linestyle=":", linewidth=1.5, zorder=0)
        axes.set_yticks(range(len(rows)), [words(name) for _, name, _ in rows])
        axes.set_xlim(0, 1.2 * max(rows[-1][0], 1.3 * LARGE_SHIFT))
        axes.set_xlabel("PSI against the release before")

    return plot(draw, height=0.9 + 0.3 * len(rows))
