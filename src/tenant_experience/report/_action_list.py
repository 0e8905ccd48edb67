"""The list to act on: which tenants each portfolio should attend to first, why, and what to do next.

It needs no model. On real tickets, the age of the oldest open item predicts better than a classifier which tenants will
still be waiting a week later, so the list is ordered by that age.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenant_experience.features.table import FeatureTable
from tenant_experience.pages.html_page import duration
from tenant_experience.statistics.arrays import Floats
from tenant_experience.use_case.targets import FIRST_RESPONSE, RESOLUTION, Targets
from tenant_experience.use_case.words import Words

# An item that is open for this many times the target may have been done and never closed.
FORGOTTEN = 10


@dataclass(frozen=True)
class Action:
    """One tenant to attend to. Durations are in hours.

    Attributes:
        portfolio_id: the tenant's portfolio.
        tenant_id: the tenant.
        rank: 1 is first, within the portfolio.
        open_count: the number of open items.
        oldest_open_hr: age of the oldest open item.
        breached_target: the name of the first target that is missed, see :func:`_breaches`; None when all are met.
        over_by_hr: how far the target is missed.
        reason: in words.
        next_step: in words.
        group: the tenant's label, as the API answers it where a model is ready; None without one.
        probability_bad: as the API answers it; None without a group.
    """

    portfolio_id: str
    tenant_id: str
    rank: int
    open_count: int
    oldest_open_hr: float
    breached_target: str | None
    over_by_hr: float | None
    reason: str
    next_step: str
    group: str | None = None
    probability_bad: float | None = None


@dataclass(frozen=True)
class OpenItems:
    """The open items of one portfolio.

    Attributes:
        waiting: tenants with an open item; None where there is no list.
        overdue: those whose oldest item is past the target; None where there is no list.
        oldest_open_hr: age of the oldest item, in hours; None without an open item.
    """

    waiting: int | None = None
    overdue: int | None = None
    oldest_open_hr: float | None = None


def missing_list(table: FeatureTable, targets: Targets | None, words: Words) -> str | None:
    """Why there is no list, in words; None when there is one."""
    if targets is None:
        return f"The use case sets no targets, so there is no list of {words.records} to attend to."
    if not np.any(_is_open(table)):
        known = np.any(~np.isnan(_side(table, "open_count")))
        return (
            f"No {words.record} has an open item, so there is nothing to attend to today."
            if known
            else "The data does not say which items are still open (a table of ready-made features has no events), so "
            f"there is no list of {words.records} to attend to. Send a log of events to get one."
        )
    return None


def action_list(table: FeatureTable, targets: Targets, capacity: int, words: Words) -> list[Action]:
    """The first ``capacity`` tenants of each portfolio that have an open item, by portfolio and rank.

    Tenants are ordered by the age of their oldest open item, then by how far they are past missed targets, then by id.

    Args:
        table: the tenants.
        targets: what a tenant may expect.
        capacity: the most tenants of one portfolio.
        words: for the next steps.
    """
    waiting = table.take(_is_open(table))
    breaches = _breaches(waiting, targets)
    passed = sum(breaches.values(), np.zeros(len(waiting)))
    order = np.lexsort((waiting.tenant_id, -passed, -_age(waiting), waiting.portfolio_id))
    _, first, sizes = np.unique(waiting.portfolio_id[order], return_index=True, return_counts=True)
    ranks = np.arange(1, len(order) + 1) - np.repeat(first, sizes)
    listed = order[ranks <= capacity]
    columns = (
        waiting.portfolio_id[listed],
        waiting.tenant_id[listed],
        ranks[ranks <= capacity],
        waiting.side["open_count"][listed].astype(int),
        _age(waiting)[listed],
        np.column_stack(list(breaches.values()))[listed],
    )
    return [
        _action((portfolio, tenant), rank, count, age, dict(zip(breaches, over, strict=True)), targets, words)
        for portfolio, tenant, rank, count, age, over in zip(*(column.tolist() for column in columns), strict=True)
    ]


def open_items(table: FeatureTable, targets: Targets) -> dict[str, OpenItems]:
    """For each portfolio with an open item, what is open there."""
    waiting = table.take(_is_open(table))
    age = _age(waiting)
    names, of, counts = np.unique(waiting.portfolio_id, return_inverse=True, return_counts=True)
    overdue = np.bincount(of[age > targets.resolution_hr], minlength=len(names))
    oldest = np.zeros(len(names))
    np.maximum.at(oldest, of, age)
    return {
        name: OpenItems(*figures)
        for name, *figures in zip(names.tolist(), counts.tolist(), overdue.tolist(), oldest.tolist(), strict=True)
    }


def _action(
    ids: tuple[str, str],
    rank: int,
    count: int,
    age: float,
    past_targets: Mapping[str, float],
    targets: Targets,
    words: Words,
) -> Action:
    portfolio, tenant = ids
    breaches = {name: hours for name, hours in past_targets.items() if hours > 0}
    target = next(iter(breaches), None)
    return Action(
        portfolio_id=portfolio,
        tenant_id=tenant,
        rank=rank,
        open_count=count,
        oldest_open_hr=age,
        breached_target=target,
        over_by_hr=None if target is None else breaches[target],
        reason=" ".join(_reasons(count, age, breaches, targets)),
        next_step=_next_step(age, targets, words),
    )


def _breaches(table: FeatureTable, targets: Targets) -> dict[str, Floats]:
    """The hours past each target, (tenants,), 0 where it is met: of the oldest open item first, then of the means."""
    limits = {
        "oldest_open": (_age(table), targets.resolution_hr),
        "mean_first_response": (table.column(FIRST_RESPONSE), targets.first_response_hr),
        "mean_full_resolution": (table.column(RESOLUTION), targets.resolution_hr),
    }
    # A mean that is unknown is past no target.
    return {name: np.where(hours > limit, hours - limit, 0.0) for name, (hours, limit) in limits.items()}


def _reasons(count: int, age: float, breaches: Mapping[str, float], targets: Targets) -> Iterator[str]:
    what = "One item is open, for" if count == 1 else f"{count} items are open, the oldest for"
    past = breaches.get("oldest_open")
    yield f"{what} {duration(age)}" + (f", {duration(past)} past the target." if past is not None else ".")
    for name, doing, limit in (
        ("mean_first_response", "A first response", targets.first_response_hr),
        ("mean_full_resolution", "A resolution", targets.resolution_hr),
    ):
        if name in breaches:
            taken = duration(limit + breaches[name])
            yield f"{doing} has taken {taken} on average; the target is {duration(limit)}."


def _next_step(age: float, targets: Targets, words: Words) -> str:
    if age > FORGOTTEN * targets.resolution_hr:
        return (
            f"Check whether the oldest item is really open. Close it, or tell the {words.record} today when it will be "
            "done."
        )
    if age > targets.resolution_hr:
        return f"Tell the {words.record} today when the oldest item will be resolved, and by whom."
    left = duration(targets.resolution_hr - age)
    if age > targets.first_response_hr:
        return f"Make sure that the oldest item has been answered, and resolve it within {left}."
    return f"Answer the oldest item within {duration(targets.first_response_hr - age)}, and resolve it within {left}."


def _is_open(table: FeatureTable) -> NDArray[np.bool_]:
    return np.asarray((_side(table, "open_count") > 0) & ~np.isnan(_age(table)))


def _age(table: FeatureTable) -> Floats:
    return _side(table, "oldest_open_hr")


def _side(table: FeatureTable, name: str) -> Floats:
    known = table.side.get(name)
    return np.full(len(table), np.nan) if known is None else known
