"""With more tenants and portfolios, the list to act on and the roll-up take that much more work, and no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tenant_experience.evaluation.scored_rows import ScoredRows
from tenant_experience.evaluation.slices import measured_slices
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.profile import portfolio_shares
from tenant_experience.pages.html_page import duration
from tenant_experience.report._action_list import action_list, open_items
from tenant_experience.report.action_files import ActionReport, PortfolioRow, report_actions
from tenant_experience.report.report import ShardReport
from tenant_experience.use_case.targets import Targets
from tests.support.counted_work import counted, growth
from tests.support.generated_tenants import generated_table, use_case
from tests.support.words import TENANT_WORDS

TARGETS = Targets(first_response_hr=24, resolution_hr=72)
# Sorting takes a little more than linear work; what is quadratic grows by 4 here.
LINEAR = 1.6


def waiting_table(tenants: int, portfolios: int) -> FeatureTable:
    """Two thirds of them wait, many equally long; portfolios of different sizes, each in several places."""
    table, chance = generated_table(tenants), np.random.default_rng(tenants)
    waits = chance.random(tenants) < 2 / 3
    side = {
        "open_count": np.where(waits, chance.integers(1, 4, tenants), 0).astype(float),
        "oldest_open_hr": np.where(waits, chance.integers(1, 200, tenants), np.nan).astype(float),
    }
    names = np.asarray([f"P{number:05d}" for number in range(portfolios)])
    return replace(table, portfolio_id=names[np.floor(portfolios * chance.random(tenants) ** 2).astype(int)], side=side)


def of_actions(tenants: int) -> Callable[[], object]:
    table = waiting_table(tenants, tenants // 4)
    return lambda: action_list(replace(table, portfolio_id=counted(table.portfolio_id)), TARGETS, 10, TENANT_WORDS)


def of_open_items(tenants: int) -> Callable[[], object]:
    table = waiting_table(tenants, tenants // 4)
    return lambda: open_items(replace(table, portfolio_id=counted(table.portfolio_id)), TARGETS)


def of_shares(portfolios: int) -> Callable[[], object]:
    names = np.repeat([f"P{number:05d}" for number in range(portfolios)], 100)
    return lambda: portfolio_shares(counted(names), np.arange(len(names)) % 7 == 0)


def of_slices(portfolios: int) -> Callable[[], object]:
    # Too small for metrics, so that only finding them counts.
    names = np.repeat([f"P{number:05d}" for number in range(portfolios)], 20)
    rows = ScoredRows("binary", np.zeros(len(names)), np.zeros(len(names)))
    return lambda: measured_slices(rows, {"portfolio": counted(names)}, 1)


def of_page(portfolios: int) -> Callable[[], object]:
    table = waiting_table(portfolios * 10, portfolios)
    page = ShardReport("r1", 0, use_case(), [], [], report_actions(table, use_case(), [], {}))
    return lambda: page._listed()


@pytest.mark.parametrize(
    ("work", "small"), [(of_actions, 400), (of_open_items, 400), (of_shares, 100), (of_slices, 400), (of_page, 100)]
)
def test_four_times_the_input_is_four_times_the_work(work: Callable[[int], Callable[[], object]], small: int) -> None:
    assert growth(work, small) < LINEAR


def test_the_list_is_the_one_that_its_rule_gives_word_for_word() -> None:
    table = waiting_table(900, 40)
    table = replace(table, values=np.where(np.random.default_rng(1).random(table.values.shape) < 0.2, np.nan, 60.0))
    response, resolution = (
        table.column(name).tolist() for name in ("mean_first_response_hr", "mean_full_resolution_hr")
    )
    age, count = table.side["oldest_open_hr"].tolist(), table.side["open_count"].tolist()
    expected = []
    for portfolio in sorted(set(table.portfolio_id.tolist())):
        rows = []
        for row in np.flatnonzero((table.portfolio_id == portfolio) & (table.side["open_count"] > 0)).tolist():
            measured = {
                "oldest_open": (age[row], 72),
                "mean_first_response": (response[row], 24),
                "mean_full_resolution": (resolution[row], 72),
            }
            passed = {name: hours - limit for name, (hours, limit) in measured.items() if hours > limit}
            rows.append((-age[row], -sum(passed.values()), str(table.tenant_id[row]), count[row], passed))
        for rank, (oldest, _, tenant, items, passed) in enumerate(sorted(rows)[:3], start=1):
            first = next(iter(passed.items()), (None, None))
            expected.append((portfolio, tenant, rank, items, -oldest, *first))
    found = action_list(table, TARGETS, 3, TENANT_WORDS)
    told = [(a.portfolio_id, a.tenant_id, a.rank, a.open_count, a.oldest_open_hr) for a in found]
    assert told == [row[:5] for row in expected]
    assert [(a.breached_target, a.over_by_hr) for a in found] == [row[5:] for row in expected]
    assert all(duration(a.oldest_open_hr) in a.reason for a in found)


def test_what_is_open_is_counted_for_each_portfolio_with_an_open_item() -> None:
    table = waiting_table(900, 400)
    expected = {}
    for portfolio in sorted(set(table.portfolio_id.tolist())):
        ages = table.side["oldest_open_hr"][table.portfolio_id == portfolio]
        ages = ages[~np.isnan(ages)]
        if len(ages):
            expected[portfolio] = (len(ages), int((ages > 72).sum()), float(ages.max()))
    found = open_items(table, TARGETS)
    assert len(found) < 400
    assert {name: (row.waiting, row.overdue, row.oldest_open_hr) for name, row in found.items()} == expected


def test_a_rank_counts_the_portfolios_with_a_higher_share() -> None:
    chance = np.random.default_rng(2)
    sizes = chance.choice([20, 60, 100, 200], 120)
    names = np.repeat([f"P{number:03d}" for number in range(120)], sizes)
    found = portfolio_shares(names, chance.random(len(names)) < 0.1)
    shares = [row.bad / row.tenants for row in found if row.tenants >= 100]
    assert len(set(shares)) < len(shares)
    for row in found:
        higher = sum(share > row.bad / row.tenants for share in shares)
        assert row.rank == (1 + higher if row.tenants >= 100 else None)


def test_the_page_shows_the_first_actions_of_each_portfolio_and_the_most_overdue_portfolio_first() -> None:
    actions = report_actions(waiting_table(600, 20), use_case(), [], {})
    listed = ShardReport("r1", 0, use_case(), [], [], actions)._listed()
    assert [row for row, _ in listed] == sorted(
        (row for row in actions.portfolios if row.waiting),
        key=lambda row: (-(row.overdue or 0), -(row.waiting or 0), row.portfolio_id),
    )
    for row, first in listed:
        assert first == [each for each in actions.actions if each.portfolio_id == row.portfolio_id][:5]


def test_a_portfolio_without_actions_is_listed_without_rows() -> None:
    row = PortfolioRow("north", *[None] * 7, waiting=1, overdue=0, oldest_open_hr=1.0)
    actions = ActionReport("2026-11-01T00:00:00Z", None, {}, 10, [row], [])
    assert ShardReport("r1", 0, use_case(), [], [], actions)._listed() == [(row, [])]
