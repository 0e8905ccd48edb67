"""What people read of the published probability."""

from __future__ import annotations

import pytest

from tenant_experience.evaluation._next_period import next_period_sentences
from tenant_experience.evaluation.gates import model_gates
from tenant_experience.use_case.gates import Gates
from tests.support.backtests import made_up_next_period
from tests.support.words import TENANT_WORDS


def test_it_says_how_many_of_those_told_little_were_bad() -> None:
    backtest = made_up_next_period().backtest
    first, second, third = next_period_sentences(backtest, "bad", TENANT_WORDS)
    assert first == "Of the 500 tenants told less than 5%, 4.0% (2.6% to 6.1%) were bad in the next period."
    how = "what was fitted on earlier periods was tested on the period that ended on 2026-11-01"
    assert f"tested on 1,000 tenants: {how}" in second
    assert "Its calibration error is 0.017" in second
    assert "would be 0.300 without recalibration" in second
    assert third.startswith("12 more tenants are not part of this test")


def test_it_says_so_when_one_pair_was_cross_fitted() -> None:
    backtest = made_up_next_period(tested_on="cross_fitted").backtest
    how = "on the periods that ended on 2024-11-01 and 2026-11-01, each fifth"
    assert how in next_period_sentences(backtest, "bad", TENANT_WORDS)[1]


def test_nobody_told_so_little_is_said() -> None:
    backtest = made_up_next_period().backtest
    assert backtest
    told = backtest.published.told_less.model_copy(update={"tenants": 0, "share": None, "low": None, "high": None})
    nobody = backtest.model_copy(update={"published": backtest.published.model_copy(update={"told_less": told})})
    assert next_period_sentences(nobody, "bad", TENANT_WORDS)[0] == "No tenant was told less than 5%."


def test_one_period_is_said() -> None:
    [sentence] = next_period_sentences(None, "bad", TENANT_WORDS)
    assert "one period only" in sentence
    assert "one_snapshot" in sentence


@pytest.mark.parametrize(("error", "passed"), [(0.02, True), (0.2, False)])
def test_the_gate_is_about_the_backtest_where_there_is_one(error: float, passed: bool) -> None:
    backtest = made_up_next_period(error).backtest
    gates, metrics = Gates(pooled_tenants=1, calibration_error=0.1), {"calibration_error": 0.06}
    [gate] = model_gates(gates, metrics, [], None, backtest, words=TENANT_WORDS)
    # Chance adds a little to the distance that is measured, and the debiased error leaves that out.
    assert gate.value == pytest.approx(error, abs=0.003)
    assert gate.passed == passed
    assert gate.message.startswith("the calibration error over the next period is 0.")
    [without] = model_gates(gates, metrics, [], None, words=TENANT_WORDS)
    assert (without.value, without.passed) == (0.06, True)
    assert without.message.startswith("the calibration error is 0.0600")
