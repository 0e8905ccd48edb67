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
from tenant_experience.use_case.schema import FIRST_RESPONSE, RESOLUTION, Targets

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


def missing_list(table: FeatureTable, targets: Targets | None) -> str | None:
    """Why there is no list, in words; None when there is one."""
    if targets is None:
        return "The use case sets no targets, so there is no list of tenants to attend to."
    if not np.any(_is_open(table)):
        known = np.any(~np.isnan(_side(table, "open_count")))
        return (
            "No tenant has an open item, so there is nothing to attend to today."
            if known
            else "The data does not say which items are still open (a table of ready-made features has no events), so "
            "there is no list of tenants to attend to. Send a log of events to get one."
        )
    return None


def action_list(table: FeatureTable, targets: Targets, capacity: int, labels: Mapping[str, str]) -> list[Action]:
    """The first ``capacity`` tenants of each portfolio that have an open item, by portfolio and rank.

    Tenants are ordered by the age of their oldest open item, then by how far they are past missed targets, then by id.

    Args:
        table: the tenants.
        targets: what a tenant may expect.
        capacity: the most tenants of one portfolio.
        labels: tenant -> label.
    """
    waiting = table.take(_is_open(table))
    passed = [sum(over for _, over in _breaches(waiting, row, targets)) for row in range(len(waiting))]
    order = np.lexsort((waiting.tenant_id, -np.asarray(passed), -_age(waiting), waiting.portfolio_id))
    ranks: dict[str, int] = {}
    actions = []
    for row in order.tolist():
        portfolio = str(waiting.portfolio_id[row])
        rank = ranks[portfolio] = ranks.get(portfolio, 0) + 1
        if rank <= capacity:
            actions.append(_action(waiting, row, rank, targets, labels))
    return actions


def open_items(table: FeatureTable, targets: Targets) -> dict[str, OpenItems]:
    """For each portfolio with an open item, what is open there."""
    waiting = table.take(_is_open(table))
    rows = {}
    for portfolio in np.unique(waiting.portfolio_id).tolist():
        age = _age(waiting)[waiting.portfolio_id == portfolio]
        overdue = int(np.count_nonzero(age > targets.resolution_hr))
        rows[portfolio] = OpenItems(len(age), overdue, float(age.max()))
    return rows


def _action(table: FeatureTable, row: int, rank: int, targets: Targets, labels: Mapping[str, str]) -> Action:
    tenant, age = str(table.tenant_id[row]), float(_age(table)[row])
    count = int(table.side["open_count"][row])
    breaches = list(_breaches(table, row, targets))
    target, over = breaches[0] if breaches else (None, None)
    return Action(
        portfolio_id=str(table.portfolio_id[row]),
        tenant_id=tenant,
        rank=rank,
        open_count=count,
        oldest_open_hr=age,
        breached_target=target,
        over_by_hr=over,
        reason=" ".join(_reasons(count, age, dict(breaches), targets)),
        next_step=_next_step(age, targets),
        group=labels.get(tenant),
    )


def _breaches(table: FeatureTable, row: int, targets: Targets) -> Iterator[tuple[str, float]]:
    """The missed targets, and the hours past each: that of the oldest open item first, then those of the means."""
    limits = {
        "oldest_open": (_age(table)[row], targets.resolution_hr),
        "mean_first_response": (table.column(FIRST_RESPONSE)[row], targets.first_response_hr),
        "mean_full_resolution": (table.column(RESOLUTION)[row], targets.resolution_hr),
    }
    for name, (hours, limit) in limits.items():
        if hours > limit:  # never true of NaN
            yield name, float(hours - limit)


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


def _next_step(age: float, targets: Targets) -> str:
    if age > FORGOTTEN * targets.resolution_hr:
        return "Check whether the oldest item is really open. Close it, or tell the tenant today when it will be done."
    if age > targets.resolution_hr:
        return "Tell the tenant today when the oldest item will be resolved, and by whom."
    left = duration(targets.resolution_hr - age)
    if age > targets.first_response_hr:
        return f"Make sure that the oldest item has been answered, and resolve it within {left}."
    return f"Answer the oldest item within {duration(targets.first_response_hr - age)}, and resolve it within {left}."


def _is_open(table: FeatureTable) -> NDArray[np.bool_]:
    return np.asarray((_side(table, "open_count") > 0) & ~np.isnan(_age(table)))


def _age(table: FeatureTable) -> Floats:
    return _side(table, "oldest_open_hr")


def _side(table: FeatureTable, name: str) -> Floats:
    return table.side.get(name, np.full(len(table), np.nan))
