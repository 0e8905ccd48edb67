"""How much is believed of what was seen of one tenant: the rest is what tenants are like as a whole.

A tenant with no escalation in a year is not a tenant that never has one. Its true rate is taken to be drawn from a
distribution that all tenants share, whose mean and spread are estimated from the tenants themselves by moments
(empirical Bayes: Robbins, 1956; Efron and Morris, 1975). What is known of the tenant afterwards is a weighted mean of
what was seen of it and of the mean of all: the more was seen, the less it is shrunk.

- A count has a Poisson distribution around a rate with a gamma distribution.
- A mean of hours has a gamma distribution around a mean with an inverse gamma distribution.
- A rate has a binomial distribution around a rate with a beta distribution.

The mean of all is that of the whole partition. A level for each portfolio was tried and gains nothing (decision 25).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tenant_experience.statistics.arrays import Floats
from tenant_experience.use_case.features import Noise

# Counts are per this many days; it is also the assumed exposure of a tenant whose exposure is unknown.
YEAR = 365.0
# Estimated from fewer tenants, a spread would be chance.
LEAST_TENANTS = 100
# Where tenants do not differ by more than chance explains, everything is shrunk to this weight of the mean.
_STRONGEST = 1e6
# Weaker or larger, redraws would need too much memory.
_WEAKEST, _LARGEST_MEAN = 1e-3, 1e9


class Prior(BaseModel):
    """What tenants are like before one of them is looked at.

    Attributes:
        mean: of a count a year, of the hours, or of the rate.
        strength: the weight of ``mean``, in years of a count, in matters of hours or of a rate: as if so many had been
            seen already.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    mean: float = Field(ge=0, le=_LARGEST_MEAN)
    strength: float = Field(ge=_WEAKEST, le=2 * _STRONGEST)


def exposure_years(exposure_days: Floats | None, tenants: int) -> Floats:
    """(tenants,) how long each was seen; a year where that is unknown."""
    days = np.full(tenants, np.nan) if exposure_days is None else exposure_days
    return np.where(days > 0, days, YEAR) / YEAR


def events_behind(noise: Noise, values: Mapping[str, Floats], years: Floats) -> Floats:
    """(tenants,) how many events a mean or a rate was computed from: at least 1, because a known one comes from one."""
    seen = np.zeros_like(years)
    for name in noise.of:
        seen += np.nan_to_num(values[name]) if name in values else 0.0
    return np.maximum(np.rint(seen * years), 1)


def fitted_priors(
    noise: Mapping[str, Noise], values: Mapping[str, Floats], exposure_days: Floats | None
) -> dict[str, Prior]:
    """The priors of the noisy markers, by name; those known for fewer than ``LEAST_TENANTS`` tenants have none.

    Nor have those that are 0 for all, or larger than anything that is counted or timed.

    Args:
        noise: marker -> its noise.
        values: feature -> value of each tenant, NaN = missing; the markers, and the counts that noise is ``of``.
        exposure_days: (tenants,) days each tenant was seen, NaN where unknown; None when that holds for all.
    """
    priors = {}
    for name, of in noise.items():
        value = values[name]
        years = exposure_years(exposure_days, len(value))
        known = ~np.isnan(value)
        if np.count_nonzero(known) < LEAST_TENANTS or not 0 < value[known].mean() < _LARGEST_MEAN:
            continue
        behind = years if of.kind == "poisson" else events_behind(of, values, years)
        priors[name] = _PRIORS[of.kind](value[known], behind[known])
    return priors


def _of_counts(rate: Floats, years: Floats) -> Prior:
    seen = rate * years
    mean = seen.sum() / years.sum()
    variance = ((seen - mean * years) ** 2 - mean * years).sum() / (years**2).sum()
    return _prior(mean, mean, variance)


def _of_means(hours: Floats, events: Floats) -> Prior:
    mean = float(np.average(hours, weights=events))
    by_chance = (1 / events).mean()
    variance = (((hours - mean) ** 2).mean() - mean**2 * by_chance) / (1 + by_chance)
    # The variance of an inverse gamma distribution is mean^2 / (strength - 1).
    prior = _prior(mean, mean**2, variance)
    return prior.model_copy(update={"strength": min(prior.strength + 1, _STRONGEST)})


def _of_rates(rate: Floats, events: Floats) -> Prior:
    mean = float(np.average(rate, weights=events))
    several = events > 1
    if not several.any():
        return _prior(mean, 0.0, 0.0)
    by_chance = mean * (1 - mean)
    excess = ((rate - mean) ** 2 - by_chance / events)[several].mean()
    # The variance of a beta distribution is mean (1 - mean) / (strength + 1).
    variance = min(excess / (1 - 1 / events[several]).mean(), by_chance / (1 + _WEAKEST))
    return _prior(mean, by_chance - variance, variance)


_PRIORS = {"poisson": _of_counts, "gamma": _of_means, "binomial": _of_rates}


def _prior(mean: float, scale: float, variance: float) -> Prior:
    """The prior of strength ``scale / variance``, where there is more variance than chance explains."""
    strength = scale / variance if variance > scale / _STRONGEST and variance > 0 else _STRONGEST
    return Prior(mean=float(mean), strength=max(float(strength), _WEAKEST))
