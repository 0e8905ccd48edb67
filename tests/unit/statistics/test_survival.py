"""Censored times: equal to lifelines where it has the same, to plain loops, and to the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from tenant_experience.statistics.survival import (
    Distribution,
    concordance,
    expected_within,
    fit_scale,
    kaplan_meier,
    shares_within,
)
from tests.support.survival_cases import AT, RECORDED, survival_case

DISTRIBUTIONS: dict[Distribution, stats.rv_continuous] = {
    "normal": stats.norm,
    "logistic": stats.logistic,
    "extreme": stats.gumbel_l,
}


@pytest.mark.parametrize("number", range(len(RECORDED)))
def test_the_c_index_and_kaplan_meier_are_those_of_lifelines(number: int) -> None:
    times, censored, predicted = survival_case(number)
    index, shares = RECORDED[number]
    assert concordance(times, censored, predicted)[0] == pytest.approx(index, abs=1e-12)
    assert [kaplan_meier(times, censored, at) for at in AT] == pytest.approx(shares, abs=1e-12)


def by_loops(times: np.ndarray, censored: np.ndarray, predicted: np.ndarray) -> float:
    pairs = agreeing = 0.0
    for i in range(len(times)):
        for j in range(len(times)):
            first = times[i] < times[j] or (times[i] == times[j] and censored[j])
            if i != j and not censored[i] and first:
                pairs += 1
                agreeing += 1 if predicted[i] < predicted[j] else 0.5 if predicted[i] == predicted[j] else 0
    return agreeing / pairs if pairs else float("nan")


@pytest.mark.parametrize("seed", range(40))
def test_the_c_index_is_that_of_all_pairs(seed: int) -> None:
    chance = np.random.default_rng(seed)
    rows = int(chance.integers(1, 40))
    times = chance.integers(0, 8, rows).astype(float)
    censored, predicted = chance.random(rows) < 0.4, chance.integers(0, 6, rows).astype(float)
    index, influence = concordance(times, censored, predicted)
    assert index == pytest.approx(by_loops(times, censored, predicted), nan_ok=True)
    assert influence.sum() == pytest.approx(0, abs=1e-9)


def test_the_influence_gives_the_spread_of_the_c_index() -> None:
    """Over 400 samples of the same world."""
    found, guessed = [], []
    for seed in range(400):
        times, censored, predicted = survival_case(2 * seed + 4)
        index, influence = concordance(times, censored, predicted)
        found.append(index)
        guessed.append(np.sqrt((influence**2).mean() / len(times)))
    assert np.mean(guessed) == pytest.approx(np.std(found), rel=0.15)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("scale", [0.4, 1.3])
def test_probabilities_and_means_are_those_of_the_distribution(distribution: Distribution, scale: float) -> None:
    law = DISTRIBUTIONS[distribution]
    margins = np.array([-1.0, 2.0, 4.5])
    expected = law.cdf((np.log(60) - margins) / scale)
    np.testing.assert_allclose(shares_within(margins, 60, distribution, scale), expected, rtol=1e-9, atol=1e-12)
    means = [
        integrate.quad(lambda t, m=m: law.sf((np.log(t) - m) / scale), 0, 60, limit=200, points=[0.1, 1])[0]
        for m in margins
    ]
    np.testing.assert_allclose(expected_within(margins, 60, distribution, scale), means, rtol=0.01, atol=0.02)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_the_scale_is_found_again_from_censored_times(distribution: Distribution) -> None:
    margins = np.random.default_rng(1).normal(3, 1, 20_000)
    noise = DISTRIBUTIONS[distribution].rvs(size=len(margins), random_state=2)
    times = np.exp(margins + 0.8 * noise)
    censored = times > 30
    scale = fit_scale(margins, np.minimum(times, 30), censored, distribution)
    assert scale == pytest.approx(0.8, rel=0.03)


def test_without_pairs_there_is_no_index() -> None:
    index, influence = concordance(np.array([3.0, 3.0]), np.array([True, True]), np.array([1.0, 2.0]))
    assert np.isnan(index)
    assert not influence.any()
