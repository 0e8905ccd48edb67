from __future__ import annotations

import numpy as np
import pytest

from tenant_experience.evaluation._intervals import measured
from tenant_experience.evaluation.metrics import BinaryConfusion, calibration_table, confusion, roc_curve
from tenant_experience.evaluation.scored_rows import ScoredRows
from tenant_experience.groups.profile import feature_profile, portfolio_shares
from tenant_experience.statistics.intervals import wilson_interval
from tests.support.generated_tenants import generated_table, true_lots, use_case

LABELS = np.array([True, True, True, False, False, False, False, True])
PROBABILITIES = np.array([0.9, 0.8, 0.4, 0.6, 0.3, 0.2, 0.1, 0.5])
ROWS = ScoredRows("binary", LABELS.astype(float), PROBABILITIES)


def told(rows: ScoredRows) -> dict[str, float | None]:
    return measured(rows).metrics


def test_metrics_by_hand() -> None:
    counts = confusion(LABELS, PROBABILITIES >= 0.5)
    assert counts == BinaryConfusion(true_positive=3, false_positive=1, true_negative=3, false_negative=1)
    assert counts.matrix == [[3, 1], [1, 3]]
    metrics = told(ROWS)
    assert (metrics["precision"], metrics["recall"], metrics["f1"], metrics["accuracy"]) == (0.75, 0.75, 0.75, 0.75)
    # Of 16 pairs, 0.6 beats 0.4 and 0.5: 14 in order.
    assert metrics["roc_auc"] == pytest.approx(14 / 16)
    assert metrics["brier"] == pytest.approx(np.mean((PROBABILITIES - LABELS) ** 2))
    right = np.where(LABELS, PROBABILITIES, 1 - PROBABILITIES)
    assert metrics["log_loss"] == pytest.approx(-np.log(right.astype(float)).mean())
    assert metrics["pr_auc"] == pytest.approx((1 + 1 + 3 / 4 + 4 / 5) / 4)


def test_nobody_called_bad_is_no_division_by_zero() -> None:
    metrics = told(ScoredRows("binary", LABELS.astype(float), np.full(8, 0.1)))
    assert (metrics["precision"], metrics["recall"], metrics["f1"]) == (0.0, 0.0, 0.0)


def test_wilson_interval_of_a_textbook_case() -> None:
    low, high = wilson_interval(8, 10)
    assert (low, high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert wilson_interval(0, 10)[0] == 0.0
    assert wilson_interval(10, 10)[1] == 1.0


def test_calibration_counts_every_row_once() -> None:
    table = calibration_table(LABELS, PROBABILITIES)
    assert sum(row.tenants for row in table) == 8
    assert all(row.low <= row.share <= row.high for row in table)
    assert calibration_table(np.array([True]), np.array([1.0]))[0].document()["to"] == 1.0


def test_curves_begin_and_end_in_the_corners() -> None:
    curve = roc_curve(LABELS, PROBABILITIES)
    assert (curve[0], curve[-1]) == ((0.0, 0.0), (1.0, 1.0))


def test_no_share_is_told_of_a_small_portfolio() -> None:
    names = np.array(["big"] * 40 + ["small"] * 29)
    rows = portfolio_shares(names, np.arange(69) % 2 == 0)
    assert [row.portfolio_id for row in rows] == ["big", "small"]
    assert rows[0].share == 0.5
    assert (rows[1].share, rows[1].low, rows[1].bad) == (None, None, 15)


def test_only_large_portfolios_are_ranked_and_only_against_each_other() -> None:
    sizes = {"calm": (100, 10), "even": (120, 60), "rough": (200, 100), "small": (99, 99)}
    names = np.repeat(list(sizes), [tenants for tenants, _ in sizes.values()])
    bad = np.concatenate([np.arange(tenants) < count for tenants, count in sizes.values()])
    assert [row.rank for row in portfolio_shares(names, bad)] == [3, 1, 1, None]
    assert portfolio_shares(names[:100], bad[:100])[0].rank is None


def test_the_profile_says_what_is_worse_and_what_only_is_more() -> None:
    rows = {row.feature: row for row in feature_profile(generated_table(500), true_lots(500).astype(float), use_case())}
    assert rows["answer_rate"].probability_worse > 0.5
    assert rows["answer_rate"].bad.mean < rows["answer_rate"].good.mean
    assert rows["answer_rate"].bad.known < int(true_lots(500).sum())
    assert rows["total_tickets"].probability_worse is None
    assert rows["total_tickets"].probability_more == pytest.approx(0.5, abs=0.1)
    assert (rows["work_order_count"].role, rows["answer_rate"].role) == ("check", "marker")
