"""The share of tenants in the worst group, release by release: all tenants, and the portfolios that changed most.

EvaluateModel draws the pictures once, for the report and for the approval page, which draws nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenant_experience.groups.yardstick import GroupShare, ShareChange, Yardstick, YardstickRow
from tenant_experience.pages.html_page import share, share_interval
from tenant_experience.pages.plots import BLUE, VERMILION, plot
from tenant_experience.use_case.words import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Beside the picture of all tenants.
MOST_PORTFOLIOS = 3
_MOST_DATES = 4
_WIDTH, _HEIGHT = 3.6, 2.3
# The diamond stands a little to the right of the dot of the same release.
_BESIDE = 0.25


@dataclass(frozen=True)
class SharePicture:
    """One picture.

    Attributes:
        title: whose share.
        picture: ``data:`` address.
        text: what it shows, in words.
    """

    title: str
    picture: str
    text: str


@dataclass(frozen=True)
class _Point:
    """A share at its place among the releases; ``found_anew``: by groups that only this release has."""

    place: float
    date: str
    rule: str
    share: GroupShare
    found_anew: bool = False

    @property
    def words(self) -> str:
        how = " by the groups found anew" if self.found_anew else ""
        return f"{self.date}{how}: {share(self.share.share)} ({share_interval(self.share.interval)})"


def share_pictures(yardstick: Yardstick | None, words: Words) -> list[SharePicture]:
    """All tenants first, then the portfolios whose share surely changed most; none before the second release."""
    if yardstick is None or not yardstick.history:
        return []
    changes = yardstick.portfolio_changes
    most = sorted(changes, key=lambda name: (-_surely(changes[name]), name))[:MOST_PORTFOLIOS]
    portfolios = most if len(changes) > 1 else []
    return [
        _picture(f"All {words.records}", f"all {words.records}", yardstick, lambda row: row.whole),
        *(_picture(name, name, yardstick, lambda row, name=name: row.portfolios.get(name)) for name in portfolios),  # type: ignore[misc]
    ]


def _surely(change: ShareChange) -> float:
    """How far the interval of the difference lies from 0; negative when it holds 0."""
    return max(change.low, -change.high)


def _picture(
    title: str, whose: str, yardstick: Yardstick, of: Callable[[YardstickRow], GroupShare | None]
) -> SharePicture:
    points = _points(yardstick, of)

    def draw(axes: Axes) -> None:
        for point in points:
            _draw_point(axes, point)
        for rule in dict.fromkeys(point.rule for point in points):
            line = [point for point in points if point.rule == rule]
            axes.plot([each.place for each in line], [100 * each.share.share for each in line], color=BLUE, linewidth=1)
        places = range(len(yardstick.history) + 1)
        dates = [row.as_of[:10] for row in (*yardstick.history, yardstick.own)]
        step = -(-len(dates) // _MOST_DATES)
        shown = [place for place in places if (places[-1] - place) % step == 0]
        axes.set_xticks(shown, [dates[place] for place in shown], rotation=20, ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.4, places[-1] + 0.4)
        axes.margins(y=0.2)
        axes.locator_params(axis="y", integer=True)  # or two ticks would have the same words
        axes.yaxis.set_major_formatter(lambda value, _place: f"{value:.0f}%")
        axes.set_ylabel(f"share {yardstick.label}")

    text = f"Share {yardstick.label} of {whose}, by release: "
    return SharePicture(title, plot(draw, _HEIGHT, _WIDTH), text + "; ".join(point.words for point in points) + ".")


def _points(yardstick: Yardstick, of: Callable[[YardstickRow], GroupShare | None]) -> list[_Point]:
    now, own, frozen = len(yardstick.history), yardstick.own, yardstick.frozen
    rows = [(place, row, False) for place, row in enumerate(yardstick.history)]
    if frozen is not None:
        rows.append((now, frozen, False))
    beside = _BESIDE if frozen else 0.0
    if frozen is None or frozen.rule != own.rule:
        rows.append((now, own, True))
    return [
        _Point(place + (beside if anew else 0.0), row.as_of[:10], row.rule, found, anew)
        for place, row, anew in rows
        if (found := of(row)) is not None
    ]


def _draw_point(axes: Axes, point: _Point) -> None:
    low, high = point.share.interval
    value = point.share.share
    colour, shape = (VERMILION, "D") if point.found_anew else (BLUE, "o")
    error = [[100 * max(value - low, 0.0)], [100 * max(high - value, 0.0)]]
    axes.errorbar(point.place, 100 * value, yerr=error, fmt=shape, color=colour, capsize=3, markersize=6, linewidth=1.5)
