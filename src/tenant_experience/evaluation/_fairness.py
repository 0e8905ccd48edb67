"""Whether the share of bad tenants depends on how long tenants have been known, or on the size of their portfolio.

Each two bands are compared by Fisher's exact test, and the p-values are corrected by Holm's method (1979) for all
comparisons of the model together. So where nothing depends on anything, at most 5% of all models get a warning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tenant_experience.evaluation.slices import LEAST_FOR_METRICS, Names, banded, exposure_bands
from tenant_experience.features.table import FeatureTable
from tenant_experience.statistics.intervals import wilson_interval
from tenant_experience.use_case.words import Words

# A difference is named when it is surely there and is not small.
LEVEL = 0.05
SMALLEST_RATIO = 1.25
POWER = 0.8
LEAST_P = 0.001
PORTFOLIO_SIZES = (1, 100, 500, 2_000)
By = Literal["exposure", "size"]
_BY = {"exposure": "how long {records} have been known", "size": "the size of their {partition}"}


@dataclass(frozen=True)
class BandShare:
    """The share of bad tenants in one band, with its 95% interval by Wilson."""

    name: str
    tenants: int
    bad: int
    share: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.share:.1%} ({self.low:.1%} to {self.high:.1%}) at {self.name}"


@dataclass(frozen=True)
class BandComparison:
    """The share of bad tenants in several bands.

    Attributes:
        by: what the bands are of.
        groups: the bands with at least 30 tenants.
        ratio: the highest share divided by the lowest; None when the lowest is 0.
        lower: of the clearest difference, if possible one that gives a warning: the band with the lower share.
        higher: the band with the higher share.
        p_value: of that difference, corrected for all comparisons.
        comparisons: the number of pairs of bands that were compared, by exposure and by size together.
        baseline: the share of bad in all these bands.
        detectable: the share that one of the two bands with the most tenants must have to be told apart from the
            baseline in the other one in 80% of cases; None when no share is high enough.
        warned: whether a difference is surely there (p below 0.05) and has a ratio above 1.25.
    """

    by: By
    groups: list[BandShare]
    ratio: float | None
    lower: str
    higher: str
    p_value: float
    comparisons: int
    baseline: float
    detectable: float | None
    warned: bool

    @property
    def is_sure(self) -> bool:
        """Whether chance does not explain the clearest difference."""
        return self.p_value < LEVEL

    @property
    def p_text(self) -> str:
        """The p-value in words."""
        return f"p = {self.p_value:.2g}" if self.p_value >= LEAST_P else f"p is below {LEAST_P:g}"


def bad_share_by_band(table: FeatureTable, bad: NDArray[np.bool_], words: Words) -> list[BandComparison]:
    """The share of bad tenants by exposure and by size of the portfolio, each where there are bands to compare.

    Args:
        table: the tenants that have a label.
        bad: whether each is of the positive class.
        words: for the names of the bands.
    """
    _, inverse, sizes = np.unique(table.portfolio_id, return_inverse=True, return_counts=True)
    bands: dict[By, Names] = {
        "exposure": exposure_bands(table),
        "size": banded(sizes[inverse].astype(np.float64), PORTFOLIO_SIZES, words.records),
    }
    shares = {by: _shares(names, bad) for by, names in bands.items()}
    return compared({by: groups for by, groups in shares.items() if len(groups) > 1})


def compared(bands: Mapping[By, list[BandShare]]) -> list[BandComparison]:
    """Compares each two bands of a kind; ``bands`` has at least two of each kind."""
    pairs = [
        (by, min(pair, key=_share), max(pair, key=_share))
        for by, groups in bands.items()
        for pair in combinations(groups, 2)
    ]
    p_values = _holm(
        [fisher_p_value(lower.bad, lower.tenants, higher.bad, higher.tenants) for _, lower, higher in pairs]
    )
    differences = {
        by: [_Difference(p, low, high) for p, (kind, low, high) in zip(p_values, pairs, strict=True) if kind == by]
        for by in bands
    }
    return [_comparison(by, groups, differences[by], len(pairs)) for by, groups in bands.items()]


def fairness_warnings(comparisons: Sequence[BandComparison], positive: str | None, words: Words) -> list[str]:
    """One sentence for each comparison that warns; ``positive`` is the name of the positive class."""
    found = []
    for comparison in comparisons:
        if comparison.warned:
            by_name = {group.name: group for group in comparison.groups}
            found.append(
                f"The share of {positive} {words.records} depends on {words.fill(_BY[comparison.by])}: "
                f"{by_name[comparison.higher]}, {by_name[comparison.lower]}. Chance alone would not give this "
                f"difference ({comparison.p_text}, corrected for {_counted(comparison.comparisons)}). This warning "
                f"appears when p is below {LEVEL:g} and one share is more than {SMALLEST_RATIO:g} times the other."
            )
    return found


def _counted(comparisons: int) -> str:
    return "1 comparison" if comparisons == 1 else f"{comparisons} comparisons"


def _share(group: BandShare) -> float:
    return group.share


@dataclass(frozen=True)
class _Difference:
    """Two bands, and the corrected p-value of their difference."""

    p_value: float
    lower: BandShare
    higher: BandShare

    @property
    def is_warned_of(self) -> bool:
        return self.p_value < LEVEL and self.higher.share > SMALLEST_RATIO * self.lower.share


def _comparison(
    by: By, groups: list[BandShare], differences: Sequence[_Difference], comparisons: int
) -> BandComparison:
    named = [difference for difference in differences if difference.is_warned_of]
    # Among equally clear ones, as when all p-values are 1, the largest.
    clearest = min(named or differences, key=lambda row: (row.p_value, row.lower.share - row.higher.share))
    lowest, highest = min(map(_share, groups)), max(map(_share, groups))
    baseline = sum(group.bad for group in groups) / sum(group.tenants for group in groups)
    return BandComparison(
        by=by,
        groups=groups,
        ratio=highest / lowest if lowest else None,
        lower=clearest.lower.name,
        higher=clearest.higher.name,
        p_value=clearest.p_value,
        comparisons=comparisons,
        baseline=baseline,
        detectable=_detectable(baseline, sorted(group.tenants for group in groups)[-2:], comparisons),
        warned=bool(named),
    )


def fisher_p_value(bad: int, tenants: int, other_bad: int, other_tenants: int) -> float:
    """The probability of a difference at least as improbable as the one found, if both shares are the same."""
    total = bad + other_bad
    possible = np.arange(max(0, total - other_tenants), min(total, tenants) + 1)
    logarithms = -sum(
        special.gammaln(count + 1)
        for count in (possible, tenants - possible, total - possible, other_tenants - total + possible)
    )
    chances = np.exp(logarithms - logarithms.max())
    # Chances that only rounding makes different are the same.
    improbable = chances <= chances[bad - possible[0]] * (1 + 1e-7)
    return float(chances[improbable].sum() / chances.sum())


def _holm(p_values: Sequence[float]) -> list[float]:
    """Each p-value multiplied by the number of those that are not smaller, but never less than a smaller one's."""
    corrected, largest = [1.0] * len(p_values), 0.0
    for passed, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min((len(p_values) - passed) * p_values[place], 1.0))
        corrected[place] = largest
    return corrected


def _detectable(baseline: float, tenants: Sequence[int], comparisons: int) -> float | None:
    """The smallest share above the baseline that differs surely in 80% of cases, by the normal distribution."""
    surely, usually = special.ndtri(1 - LEVEL / comparisons / 2), special.ndtri(POWER)
    one, other = tenants
    for share in np.linspace(baseline, 1, 2_001)[1:].tolist():
        pooled = (one * baseline + other * share) / (one + other)
        by_chance = math.sqrt(pooled * (1 - pooled) * (1 / one + 1 / other))
        apart = math.sqrt(baseline * (1 - baseline) / one + share * (1 - share) / other)
        # Fisher's test asks for half a tenant more on each side (Casagrande, Pike and Smith, 1978).
        if share - baseline >= surely * by_chance + usually * apart + (1 / one + 1 / other) / 2:
            return float(share)
    return None


def _shares(names: Names, bad: NDArray[np.bool_]) -> list[BandShare]:
    rows = []
    for name in sorted(set(names.tolist()) - {""}, key=lambda name: int(name.split()[0])):
        members = names == name
        tenants, count = int(members.sum()), int(bad[members].sum())
        if tenants >= LEAST_FOR_METRICS:
            rows.append(BandShare(name, tenants, count, count / tenants, *wilson_interval(count, tenants)))
    return rows
