"""A category's values in two releases: how common each is, which are new, and how far the whole has moved.

Every function takes counts of tenants by value, None standing for those without one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tenant_experience.data_quality._shift import stability_index

Counts = Mapping[str | None, int]

# A value with fewer tenants in both releases is no bin of its own: chance alone would move it.
POOLED_BELOW = 20
SHOWN_VALUES = 20


def category_stability_index(then: Counts, now: Counts) -> float:
    """PSI as of ``feature_shift``, over the values; rare ones are one bin together, and so are tenants without one.

    Args:
        then: at least one tenant.
        now: at least one tenant.
    """
    values = sorted({value for value in (*then, *now) if value is not None})
    common = [value for value in values if max(then.get(value, 0), now.get(value, 0)) >= POOLED_BELOW]
    rare = set(values) - set(common)
    bins = [
        [*(side.get(value, 0) for value in common), sum(side.get(value, 0) for value in rare), side.get(None, 0)]
        for side in (then, now)
    ]
    return stability_index(*(np.array(side, dtype=np.float64) for side in bins))


def category_shift(then: Counts, now: Counts) -> dict[str, Any]:
    """What ``data_quality.json`` says of one category's shift.

    Returns:
        psi; the share without a value then, and its change; how many values are new and gone, and the most common.
    """
    return {
        "psi": category_stability_index(then, now),
        "null_share_then": _share(then, None),
        "null_share_change": _share(now, None) - _share(then, None),
        "new": _only_in(now, then),
        "gone": _only_in(then, now),
    }


def describe_category(now: Counts, then: Counts | None) -> dict[str, Any]:
    """What ``data_quality.json`` says of one category.

    Returns:
        null_share; ``values``: how many there are; ``common``: the most common of either release with their shares of
        the tenants that have a value, ``then`` None without a release to compare; ``others``: all further ones
        together, None when there are none; ``shift``.
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
    return {
        "kind": "category",
        "null_share": _share(now, None) if total else None,
        "values": len(known[0]),
        "common": [{"value": value, **_both(shares[value], compared)} for value in ordered[:SHOWN_VALUES]],
        "others": {"values": len(rare), **_both(pooled, compared)} if rare else None,
        "shift": category_shift(then, now) if then and total else None,
    }


def _both(shares: Sequence[float], compared: bool) -> dict[str, float | None]:
    now, then = shares
    return {"now": now, "then": then if compared else None}


def _share(counts: Counts, value: str | None) -> float:
    return counts.get(value, 0) / sum(counts.values())


def _only_in(here: Counts, there: Counts) -> dict[str, Any]:
    found = [value for value in here if value is not None and value not in there]
    found.sort(key=lambda value: (-here[value], value))
    return {"values": len(found), "names": found[:SHOWN_VALUES]}
