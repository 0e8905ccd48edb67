"""Pictures of the groups: how each marker is spread in each group, and all tenants on one map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.file import GroupRows
from tenant_experience.groups.grouping import FittedMarker, Grouping
from tenant_experience.pages.html_page import words
from tenant_experience.pages.plots import BLUE, GREY, VERMILION, plot, round_ticks
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.ranks import impute
from tenant_experience.statistics.transforms import transformed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import Collection

# A group is drawn from so many evenly spaced quantiles: its shape, whatever its size, and nobody in particular.
VIOLIN_QUANTILES = 200
# Tenants on the map; more are one grey cloud.
MAP_TENANTS = 1_500
_COLOURS = {2: (BLUE, VERMILION), 3: (BLUE, "#E69F00", VERMILION)}
_SHAPES = {2: ("o", "^"), 3: ("o", "s", "^")}


@dataclass(frozen=True)
class Violin:
    """One marker's picture.

    Attributes:
        feature: the marker.
        picture: ``data:`` address.
        medians: class -> median, None where nobody has a value.
    """

    feature: str
    picture: str
    medians: dict[str, float | None]


@dataclass(frozen=True)
class GroupPictures:
    """The pictures of one partition.

    Attributes:
        violins: in the order of the markers.
        group_map: ``data:`` address.
        map_share: share of the markers' variation that the map shows.
        map_right: the marker that leads to the right of the map most.
        mapped: how many tenants are on it.
    """

    violins: tuple[Violin, ...]
    group_map: str
    map_share: float
    map_right: str
    mapped: int


def group_pictures(table: FeatureTable, groups: GroupRows, grouping: Grouping) -> GroupPictures:
    """Draws them; the same tenants give the same bytes.

    Args:
        table: features of the release's tenants.
        groups: labels from clusters.
        grouping: the rule.
    """
    table, classes = groups.align(table), groups.classes or ()
    number = groups.label.astype(int)
    violins = tuple(_violin(table.column(marker.name), number, classes, marker) for marker in grouping.markers)
    return _with_map(table, number, classes, grouping.markers, violins)


def _violin(values: Floats, number: NDArray[np.int_], classes: Sequence[str], marker: FittedMarker) -> Violin:
    known = ~np.isnan(values)
    of_class = [np.sort(values[known & (number == place)]) for place in range(len(classes))]
    medians = {
        name: float(np.median(part)) if len(part) else None for name, part in zip(classes, of_class, strict=True)
    }

    def draw(axes: Axes) -> None:
        for place, part in enumerate(of_class):
            if len(part):
                _draw_violin(axes, place, transformed(part, marker.transform), _COLOURS[len(classes)][place])
        axes.set_yticks(range(len(classes)), classes)
        axes.set_ylim(-0.6, len(classes) - 0.4)
        axes.invert_yaxis()
        if marker.transform == "log1p":
            ticks = round_ticks(*np.expm1(np.maximum(axes.get_xlim(), 0)))
            axes.set_xticks(np.log1p(ticks), [f"{tick:,.6g}" for tick in ticks])
        axes.tick_params(labelsize=11)

    return Violin(marker.name, plot(draw, height=0.55 + 0.5 * len(classes), width=3.4), medians)


def _draw_violin(axes: Axes, place: int, ordered: Floats, colour: str) -> None:
    """Half the density above and half below, a bar over the middle half, a white dot at the median."""
    quantiles = np.quantile(ordered, np.linspace(0.01, 0.99, VIOLIN_QUANTILES))
    if quantiles[0] < quantiles[-1]:
        drawn = axes.violinplot(
            [quantiles], [place], orientation="horizontal", widths=0.85, showextrema=False, points=50
        )
        for body in cast("list[Collection]", drawn["bodies"]):
            body.set(facecolor=colour, edgecolor=colour, alpha=0.35)
    low, middle, high = np.quantile(ordered, (0.25, 0.5, 0.75))
    axes.plot([low, high], [place, place], color=colour, linewidth=5, solid_capstyle="butt")
    axes.plot(middle, place, "o", color="white", markeredgecolor=colour, markersize=7, markeredgewidth=1.5)


def _with_map(
    table: FeatureTable,
    number: NDArray[np.int_],
    classes: Sequence[str],
    markers: Sequence[FittedMarker],
    violins: tuple[Violin, ...],
) -> GroupPictures:
    """Principal components of the standardised markers, turned so that worse is to the right."""
    raw = np.column_stack([transformed(table.column(marker.name), marker.transform) for marker in markers])
    medians, means, deviations = (
        np.array([getattr(marker, name) for marker in markers]) for name in ("median", "mean", "deviation")
    )
    # In place: there may be a million tenants.
    centred = impute(raw, medians)
    del raw
    centred -= means
    centred /= deviations
    centred -= centred.mean(axis=0)
    _, strength, axes_of = np.linalg.svd(centred, full_matrices=False)
    directions = np.array([marker.direction for marker in markers])
    turned = axes_of[:2] * np.where(axes_of[:2] @ directions < 0, -1, 1)[:, np.newaxis]
    share = strength[:2] ** 2 / (strength**2).sum()
    rows = np.unique(np.linspace(0, len(centred) - 1, min(len(centred), MAP_TENANTS)).round().astype(int))
    points = centred[rows] @ turned.T

    def draw(axes: Axes) -> None:
        for place, name in enumerate(classes):
            x, y = points[number[rows] == place].T
            colour, shape = _COLOURS[len(classes)][place], _SHAPES[len(classes)][place]
            axes.scatter(x, y, s=9, c=colour, marker=shape, alpha=0.45, linewidths=0, rasterized=True)
            axes.plot([], [], shape, color=colour, markersize=7, label=name)
        axes.axhline(0, color=GREY, linewidth=0.6)
        axes.axvline(0, color=GREY, linewidth=0.6)
        axes.set(xlabel=f"{share[0]:.0%} of the variation", ylabel=f"{share[1]:.0%}", xticks=(), yticks=())
        axes.legend(loc="upper left", frameon=False)

    right = markers[int(np.argmax(turned[0] * directions))]
    return GroupPictures(violins, plot(draw, height=3.6), float(share.sum()), words(right.name), len(rows))
