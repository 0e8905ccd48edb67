"""Priors are those that tenants were drawn from."""

from __future__ import annotations

import numpy as np
import pytest

from tenant_experience.groups.shrinkage import LEAST_TENANTS, Prior, fitted_priors
from tenant_experience.use_case.features import Noise

COUNT = 40_000
POISSON = Noise(kind="poisson")
GAMMA = Noise(kind="gamma", of=["events"])
BINOMIAL = Noise(kind="binomial", of=["events"])


@pytest.fixture(params=[0, 1, 2])
def chance(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


def prior_of(noise: Noise, value: np.ndarray, days: np.ndarray | None = None, **counts: np.ndarray) -> Prior:
    return fitted_priors({"it": noise}, {"it": value, **counts}, days)["it"]


def test_of_counts(chance: np.random.Generator) -> None:
    rate, days = chance.gamma(1.5, 2.0, COUNT), chance.uniform(90, 365, COUNT)
    prior = prior_of(POISSON, chance.poisson(rate * days / 365) * 365 / days, days)
    assert prior.mean == pytest.approx(3, rel=0.05)
    assert prior.strength == pytest.approx(0.5, rel=0.1)


def test_of_means(chance: np.random.Generator) -> None:
    strength, events = 6.0, chance.integers(1, 20, COUNT)
    mean = 24 * strength / chance.gamma(strength + 1, 1, COUNT)
    prior = prior_of(GAMMA, mean * chance.gamma(events) / events, events=events.astype(float))
    assert prior.mean == pytest.approx(24, rel=0.05)
    assert prior.strength == pytest.approx(strength, rel=0.2)


def test_of_rates(chance: np.random.Generator) -> None:
    events = chance.integers(1, 30, COUNT)
    prior = prior_of(BINOMIAL, chance.binomial(events, chance.beta(2, 8, COUNT)) / events, events=events.astype(float))
    assert prior.mean == pytest.approx(0.2, rel=0.05)
    assert prior.strength == pytest.approx(10, rel=0.15)


@pytest.mark.parametrize("noise", [POISSON, GAMMA, BINOMIAL], ids=lambda noise: noise.kind)
def test_tenants_that_do_not_differ_are_shrunk_a_lot(noise: Noise) -> None:
    chance, events = np.random.default_rng(5), np.full(5_000, 10.0)
    value = {
        "poisson": chance.poisson(3.0, 5_000).astype(float),
        "gamma": 24 * chance.gamma(10, size=5_000) / 10,
        "binomial": chance.binomial(10, 0.2, 5_000) / 10,
    }[noise.kind]
    assert prior_of(noise, value, events=events).strength > 50 * (1 if noise.kind == "poisson" else 10)


@pytest.mark.parametrize("noise", [POISSON, GAMMA, BINOMIAL], ids=lambda noise: noise.kind)
@pytest.mark.parametrize("value", [1.0, 0.5])
def test_tenants_that_are_all_alike_have_a_prior(noise: Noise, value: float) -> None:
    prior = prior_of(noise, np.full(200, value), events=np.ones(200))
    assert prior.mean == pytest.approx(value)
    assert prior.strength > 0


def test_too_few_tenants_or_nothing_but_zeros_give_none() -> None:
    few, zeros = np.full(LEAST_TENANTS, 2.0), np.zeros(500)
    few[0] = np.nan
    assert fitted_priors({"it": POISSON}, {"it": few}, None) == {}
    assert fitted_priors({"it": POISSON}, {"it": zeros}, None) == {}
