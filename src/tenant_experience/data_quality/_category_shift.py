"""A category's values in two releases: how common each is, which are new, and how far the category has moved.

Every function takes the number of tenants by value; None stands for tenants without a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tenant_experience.data_quality._stability import Stability, stability

Counts = Mapping[str | None, int]

# A value with fewer tenants in both releases has no bin of its own, because chance alone would move it.
POOLED_BELOW = 20
SHOWN_VALUES = 20


@dataclass(frozen=True)
class ValueTurnover:
    """Values that only one of two releases has: how many, and the names of the most common."""

    values: int
    names: list[str]


@dataclass(frozen=True)
class CategoryShift(Stability):
    """How far a category has moved.

    Attributes:
        null_share_then: share of tenants without a value in the earlier release.
        null_share_change: by how much that share has grown.
        new: values that only this release has.
        gone: values that only the earlier release has.
    """

    null_share_then: float
    null_share_change: float
    new: ValueTurnover
    gone: ValueTurnover


@dataclass(frozen=True)
class CommonValue:
    """A value with its shares of the tenants that have one; ``then`` is None without a release to compare with."""

    value: str
    now: float
    then: float | None


@dataclass(frozen=True)
class OtherValues:
    """The less common values together: how many there are, and their shares as in ``CommonValue``."""

    values: int
    now: float
    then: float | None


@dataclass(frozen=True)
class CategoryDescription:
    """One category.

    Attributes:
        kind: tells it from a number.
        null_share: share of tenants without a value; None without tenants.
        values: how many different values there are.
        common: the most common values of either release.
        others: the other values; None when there are none.
        shift: since the release before; None without one.
    """

    kind: Literal["category"]
    null_share: float | None
    values: int
    common: list[CommonValue]
    others: OtherValues | None
    shift: CategoryShift | None


def category_stability(then: Counts, now: Counts, comparisons: int) -> Stability:
    """The stability over the values. Rare values share one bin, and so do tenants without a value.

    Args:
        then: at least one tenant.
        now: at least one tenant.
        comparisons: the columns that are looked at.
    """
    values = sorted({value for value in (*then, *now) if value is not None})
    common = [value for value in values if max(then.get(value, 0), now.get(value, 0)) >= POOLED_BELOW]
    rare = set(values) - set(common)
    bins = [
        [*(side.get(value, 0) for value in common), sum(side.get(value, 0) for value in rare), side.get(None, 0)]
        for side in (then, now)
    ]
    before, after = (np.array(side, dtype=np.float64) for side in bins)
    return stability(before, after, comparisons)


def category_shift(then: Counts, now: Counts, comparisons: int, *, of_known: bool = False) -> CategoryShift:
    """How far one category has moved; with ``of_known``, among the tenants that have a value."""
    compared = [{value: n for value, n in side.items() if value is not None or not of_known} for side in (then, now)]
    return CategoryShift(
        **vars(category_stability(compared[0], compared[1], comparisons)),
        null_share_then=_share(then, None),
        null_share_change=_share(now, None) - _share(then, None),
        new=_only_in(now, then),
        gone=_only_in(then, now),
    )


def describe_category(
    now: Counts, then: Counts | None, comparisons: int = 1, *, of_known: bool = False
) -> CategoryDescription:
    """Describes one category.

    Args:
        now: of this release.
        then: of the release before; None without one.
        comparisons: the columns that are looked at.
        of_known: whether only tenants that have a value count in how far it has moved; there is then no shift without
            any in both releases.
    """
    known = [{value: n for value, n in side.items() if value is not None} for side in (now, then or {})]
    totals = [max(sum(side.values()), 1) for side in known]
    shares = {
        value: [side.get(value, 0) / total for side, total in zip(known, totals, strict=True)]
        for value in sorted({*known[0], *known[1]})
    }
    ordered = sorted(shares, key=lambda value: -max(shares[value]))
    rare = ordered[SHOWN_VALUES:]
    pooled = [sum(shares[value][side] for value in rare) for side in (0, 1)]
    compared, total = then is not None, sum(now.values())
    return CategoryDescription(
        kind="category",
        null_share=_share(now, None) if total else None,
        values=len(known[0]),
        common=[CommonValue(value, *_both(shares[value], compared)) for value in ordered[:SHOWN_VALUES]],
        others=OtherValues(len(rare), *_both(pooled, compared)) if rare else None,
        shift=category_shift(then, now, comparisons, of_known=of_known)
        if then and total and (all(known) or not of_known)
        else None,
    )


def _both(shares: Sequence[float], compared: bool) -> tuple[float, float | None]:
    now, then = shares
    return now, then if compared else None


def _share(counts: Counts, value: str | None) -> float:
    return counts.get(value, 0) / sum(counts.values())


def _only_in(here: Counts, there: Counts) -> ValueTurnover:
    found = [value for value in here if value is not None and value not in there]
    found.sort(key=lambda value: (-here[value], value))
    return ValueTurnover(len(found), found[:SHOWN_VALUES])
