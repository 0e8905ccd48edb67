"""What past periods of the same event log say of the probabilities, and how these are recalibrated by it.

Periods have the same length and do not overlap. A tenant that was seen long enough in two of them, one after the other,
shows what its redraws were worth: the features of the earlier period give the probability, and those of the later one
give the label, by the same rule. What recalibrates is not what tests: with two such pairs of periods, the earlier one
fits what the later one tests; with one, each fifth of the tenants is tested with what the others fitted. What is served
is fitted on all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from tenant_experience.features.table import INSUFFICIENT, FeatureTable
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.next_period import (
    Backtest,
    NextPeriod,
    Pair,
    Recalibration,
    Reliability,
    ReliabilityBin,
    ToldLess,
    log_ratios,
    with_unknown,
)
from tenant_experience.groups.shrinkage import fitted_priors
from tenant_experience.groups.uncertainty import group_shares
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.intervals import wilson_interval
from tenant_experience.statistics.reliability import BINS, calibration_error, tenths
from tenant_experience.statistics.splitting import smallest_keys
from tenant_experience.statistics.threads import one_thread

# With fewer tenants, or fewer of a group in the later period, there is no backtest.
LEAST_PAIRS, LEAST_OF_GROUP = 200, 30
# At most so many tenants are looked at: the error of a share is then at most half a percent.
MOST_TENANTS = 10_000
TOLD_LESS = 0.05
_FOLDS, _SEED = 5, 1
_SMALLEST = 1e-15


@dataclass(frozen=True)
class _Variant:
    """One way to recalibrate: from which redraws, and with the markers or without."""

    shrunk: bool
    with_markers: bool


@dataclass(frozen=True)
class _Tenants:
    """Tenants of one or several pairs; every array has a row for each.

    Attributes:
        shrunk: (rows, groups) shares of redraws from shrunk values.
        as_seen: (rows, groups) the same from values as they were seen.
        markers: (rows, markers) standardised, NaN where unknown.
        before: (rows,) the number of the group in the earlier period.
        after: (rows,) the number of the group in the later one.
    """

    shrunk: Floats
    as_seen: Floats
    markers: Floats
    before: NDArray[np.intp]
    after: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.after)

    def redrawn(self, variant: _Variant) -> Floats:
        """The shares that a variant starts from."""
        return self.shrunk if variant.shrunk else self.as_seen

    def take(self, rows: NDArray[np.intp]) -> _Tenants:
        """Some of them."""
        return _Tenants(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def is_enough(self, groups: int) -> bool:
        """Whether anything can be fitted on them or tested with them."""
        fewest = np.bincount(self.after, minlength=groups).min()
        return len(self) >= LEAST_PAIRS and bool(fewest >= LEAST_OF_GROUP)

    @staticmethod
    def together(parts: Sequence[_Tenants]) -> _Tenants:
        """The tenants of several pairs."""
        names = _Tenants.__dataclass_fields__
        return _Tenants(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def followed_tenants(newest: FeatureTable) -> FeatureTable:
    """The tenants that are looked up in earlier periods: those with enough history, and some where there are many."""
    known = newest.take(newest.history != INSUFFICIENT)
    return known.take(smallest_keys(known.row_keys(), MOST_TENANTS))


def with_priors(grouping: Grouping, training: FeatureTable, window_days: int) -> Grouping:
    """The same rule with the priors of these tenants, whichever release found it; ``window_days``: of the use case."""
    priors = fitted_priors(grouping.noise, training.numbers, training.side.get("exposure_days"))
    return grouping.model_copy(update={"priors": priors, "window_days": window_days})


def fit_next_period(
    grouping: Grouping, training: FeatureTable, periods: Sequence[FeatureTable]
) -> tuple[Grouping, NextPeriod]:
    """What the next period brings, as far as past ones tell.

    Args:
        grouping: the rule, ``with_priors``.
        training: tenants of the training part, with the features of the newest period.
        periods: features of ``followed_tenants`` by period, the oldest first, the newest last.

    Returns:
        The rule, without priors where the backtest says that shrinking does not help, and the document.
    """
    with one_thread():
        return _fit_next_period(grouping, training, periods)


def _fit_next_period(
    grouping: Grouping, training: FeatureTable, periods: Sequence[FeatureTable]
) -> tuple[Grouping, NextPeriod]:
    groups = len(grouping.classes)
    found = [_pair(grouping, earlier, later) for earlier, later in pairwise(periods)]
    # The newest pairs, as many as are large enough without a gap.
    usable: list[tuple[Pair, _Tenants]] = []
    for pair, tenants in reversed(found):
        if not tenants.is_enough(groups):
            break
        usable.insert(0, (pair, tenants))
    if not usable:
        return grouping, NextPeriod(persistence=_expected_persistence(grouping, training))
    pairs = [pair for pair, _ in usable]
    everyone = _Tenants.together([tenants for _, tenants in usable])
    fitter = _Fitter(tuple(marker.direction for marker in grouping.markers))
    if len(usable) > 1:
        earlier, tested = _Tenants.together([tenants for _, tenants in usable[:-1]]), usable[-1][1]
        variant = fitter.best_variant(earlier)
        published = _recalibrated(fitter.fit(variant, earlier), variant, tested)
    else:
        tested, variant = everyone, fitter.best_variant(everyone)
        published = fitter.cross_fit(variant, everyone)
    document = NextPeriod(
        basis="backtest",
        recalibration=fitter.fit(variant, everyone),
        persistence=_measured_persistence(everyone, groups),
        backtest=Backtest(
            pairs=tuple(pairs),
            tested_on="later_pair" if len(usable) > 1 else "cross_fitted",
            tenants=len(tested),
            worst=int((tested.after == groups - 1).sum()),
            shrunk=variant.shrunk,
            with_markers=variant.with_markers,
            as_redrawn=reliability(tested.as_seen, tested.after),
            published=reliability(published, tested.after),
        ),
    )
    return (grouping if variant.shrunk else grouping.model_copy(update={"priors": {}})), document


def reliability(shares: Floats, after: NDArray[np.intp]) -> Reliability:
    """How well (rows, groups) probabilities came true; ``after``: the number of the group that came."""
    probability, true = shares[:, -1], after == shares.shape[1] - 1
    error, (low, high) = calibration_error(true, probability)
    told = true[probability < TOLD_LESS]
    low_share, high_share = wilson_interval(int(told.sum()), len(told)) if len(told) else (None, None)
    return Reliability(
        calibration_error=error,
        low=low,
        high=high,
        brier=float(((probability - true) ** 2).mean()),
        log_loss=float(_losses(shares, after).mean()),
        bins=tuple(_bins(probability, true)),
        told_less=ToldLess(
            limit=TOLD_LESS,
            tenants=len(told),
            came_true=int(told.sum()),
            share=float(told.mean()) if len(told) else None,
            low=low_share,
            high=high_share,
        ),
    )


def _bins(probability: Floats, true: NDArray[np.bool_]) -> Iterator[ReliabilityBin]:
    tenth = tenths(probability)
    for number in np.unique(tenth).tolist():
        members = tenth == number
        total, hits = int(members.sum()), int(true[members].sum())
        share_low, share_high = wilson_interval(hits, total)
        yield ReliabilityBin(
            low_end=number / BINS,
            high_end=(number + 1) / BINS,
            tenants=total,
            mean_probability=float(probability[members].mean()),
            share=hits / total,
            low=share_low,
            high=share_high,
        )


def _pair(grouping: Grouping, earlier: FeatureTable, later: FeatureTable) -> tuple[Pair, _Tenants]:
    earlier, later = (table.take(table.history != INSUFFICIENT) for table in (earlier, later))
    _, first, second = np.intersect1d(earlier.tenant_id, later.tenant_id, return_indices=True)
    # In an order that does not hang on how ids are spelled: the folds of cross-validation follow it.
    order = np.argsort(earlier.take(first).row_keys(), kind="stable")
    before, after = earlier.take(first[order]), later.take(second[order])
    complete = grouping.complete(before.numbers)
    before, after = before.take(complete), after.take(complete)
    raw = before.matrix([marker.name for marker in grouping.markers])
    tenants = _Tenants(
        shrunk=_redrawn(grouping, before),
        as_seen=_redrawn(grouping.model_copy(update={"priors": {}}), before),
        markers=grouping.standardised(raw),
        before=grouping.assign(before).astype(np.intp),
        after=grouping.assign(after).astype(np.intp),
    )
    worst = int((tenants.after == len(grouping.classes) - 1).sum())
    return Pair(
        earlier=earlier.as_of,
        later=later.as_of,
        tenants=len(tenants),
        incomplete=int((~complete).sum()),
        worst=worst,
    ), tenants


def _redrawn(grouping: Grouping, table: FeatureTable) -> Floats:
    return group_shares(grouping, table.numbers, table.side.get("exposure_days"))


@dataclass(frozen=True)
class _Fitter:
    """Fits by penalised maximum likelihood.

    Attributes:
        directions: of each marker: 1 where more of it may only make the worse of two groups likelier, -1 where it may
            only make it less likely. So no answer gets better when a marker gets worse. Of several groups, nothing is
            asked.
    """

    directions: tuple[int, ...]

    def fit(self, variant: _Variant, tenants: _Tenants) -> Recalibration:
        """The weights."""
        shares = log_ratios(tenants.redrawn(variant))
        parts = [np.ones((len(shares), 1)), shares]
        if variant.with_markers:
            parts.append(with_unknown(tenants.markers))
        columns, groups = np.column_stack(parts), shares.shape[1]
        came = tenants.after[:, np.newaxis] == np.arange(groups + 1)
        found = optimize.minimize(
            _penalised_loss,
            np.zeros(groups * columns.shape[1]),
            args=(columns, came),
            jac=True,
            method="L-BFGS-B",
            bounds=self._bounds(columns.shape[1]) if groups == 1 else None,
        )
        weights = found.x.reshape(groups, -1)
        split = 1 + groups
        return Recalibration(
            intercepts=tuple(weights[:, 0].tolist()),
            shares=tuple(map(tuple, weights[:, 1:split].tolist())),
            markers=tuple(map(tuple, weights[:, split:].tolist())) if variant.with_markers else (),
        )

    def _bounds(self, columns: int) -> list[tuple[float | None, float | None]]:
        """Of the intercept, the share of redraws, each marker, and whether one is unknown."""
        bounds: list[tuple[float | None, float | None]] = [(None, None)]
        bounds += [(0.0, None) if direction > 0 else (None, 0.0) for direction in (1, *self.directions)]
        return [*bounds, (None, None)][:columns]

    def cross_fit(self, variant: _Variant, tenants: _Tenants) -> Floats:
        """(rows, groups) probabilities of each tenant by what was fitted on four fifths of the others."""
        fold = np.random.default_rng(_SEED).permutation(len(tenants)) % _FOLDS
        published = np.empty_like(tenants.shrunk)
        for number in range(_FOLDS):
            others, own = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            recalibration = self.fit(variant, tenants.take(others))
            published[own] = _recalibrated(recalibration, variant, tenants.take(own))
        return published

    def best_variant(self, tenants: _Tenants) -> _Variant:
        """The simplest way to recalibrate that no other beats by more than one standard error of the log loss."""
        chosen = _Variant(shrunk=True, with_markers=False)
        losses = _losses(self.cross_fit(chosen, tenants), tenants.after)
        for change in ({"shrunk": False}, {"with_markers": True}):
            variant = replace(chosen, **change)
            offered = _losses(self.cross_fit(variant, tenants), tenants.after)
            gain = losses - offered
            if gain.mean() > gain.std() / np.sqrt(len(gain)):
                chosen, losses = variant, offered
        return chosen


def _penalised_loss(weights: Floats, columns: Floats, came: NDArray[np.bool_]) -> tuple[float, Floats]:
    """The log loss of multinomial regression with half the square of all weights but the intercepts; its gradient."""
    matrix = weights.reshape(came.shape[1] - 1, -1)
    margins = np.column_stack([np.zeros(len(columns)), columns @ matrix.T])
    margins -= margins.max(axis=1, keepdims=True)
    logarithm = margins - np.log(np.exp(margins).sum(axis=1, keepdims=True))
    penalised = matrix.copy()
    penalised[:, 0] = 0
    gradient = (np.exp(logarithm) - came)[:, 1:].T @ columns + penalised
    return float(-logarithm[came].sum() + (penalised**2).sum() / 2), gradient.ravel()


def _recalibrated(recalibration: Recalibration, variant: _Variant, tenants: _Tenants) -> Floats:
    return recalibration.apply(tenants.redrawn(variant), tenants.markers)


def _losses(shares: Floats, after: NDArray[np.intp]) -> Floats:
    """(rows,) the log loss of each tenant."""
    return -np.log(shares[np.arange(len(after)), after])


def _measured_persistence(tenants: _Tenants, groups: int) -> tuple[tuple[float, ...], ...]:
    counts = np.zeros((groups, groups))
    np.add.at(counts, (tenants.before, tenants.after), 1)
    return _rows_of_shares(counts)


def _expected_persistence(grouping: Grouping, training: FeatureTable) -> tuple[tuple[float, ...], ...]:
    """With one snapshot: the mean of the published probabilities of those who are in each group now."""
    known = training.take(grouping.complete(training.numbers))
    some = known.take(smallest_keys(known.row_keys(), MOST_TENANTS))
    groups = len(grouping.classes)
    sums = np.zeros((groups, groups))
    np.add.at(sums, grouping.assign(some).astype(np.intp), _redrawn(grouping, some))
    return _rows_of_shares(sums)


def _rows_of_shares(sums: Floats) -> tuple[tuple[float, ...], ...]:
    """Each row divided by its sum; a group that nobody is in stays as it is."""
    totals = sums.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, sums / np.maximum(totals, _SMALLEST), np.eye(len(sums)))
    return tuple(map(tuple, shares.tolist()))
