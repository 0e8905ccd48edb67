"""Two groups of tenants, found on the markers and named by rule; the same rule for every tenant and every release.

Why this recipe: on real data, plain or robust scaling gives a "bad" group that answers faster, and random starts move
tenants between runs. Logarithms tame the tails, and the start is not random: the means of the best-off and the
worst-off third by rank score.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenant_experience.errors import AlgorithmError
from tenant_experience.feature_table import INSUFFICIENT, FeatureTable
from tenant_experience.group_checks import check_groups
from tenant_experience.group_file import GroupRows
from tenant_experience.grouping import FittedMarker, Grouping, Transform, transformed
from tenant_experience.labelling import Floats, impute, probability_worse, severity_scores, thirds
from tenant_experience.partition_runs import Partition
from tenant_experience.splitting import TRAIN, split_tenants
from tenant_experience.use_case import UseCase

MAX_ITERATIONS = 1_000
# Under so many tenants nothing is claimed about a marker (the least of a local grouping; global ones have a gate).
LEAST_LOCAL_TENANTS = 100


@dataclass(frozen=True)
class Marker:
    """A feature that decides: its direction (+1 more is worse, -1 more is better) and transform."""

    name: str
    direction: int
    transform: Transform


def group_partition(
    table: FeatureTable, partition: Partition, use_case: UseCase, version: str
) -> tuple[Grouping, GroupRows]:
    """Splits a partition's tenants, finds the groups on the training part alone, and puts everyone into one.

    Args:
        table: the partition's tenants.
        partition: whose groups these are.
        use_case: markers, checks and the least number of tenants.
        version: the release.

    Returns:
        The rule, and the tenants it put into a group: all but those with too little history.

    Raises:
        AlgorithmError: ``too_few_tenants``, ``no_markers``, ``no_variation``, or what ``check_groups`` refuses.
    """
    table = table.take(table.history != INSUFFICIENT)
    learnable = table.take(table.may_train)
    least = use_case.gates.pooled_tenants if partition.scale == "global" else LEAST_LOCAL_TENANTS
    if len(learnable) < least:
        raise AlgorithmError(
            f"partition {partition.partition}: {len(learnable)} tenants may train, and {least} are the least from "
            "which groups are found: bring more tenants or a longer history",
            code="too_few_tenants",
        )
    wanted = _markers(use_case)
    markers, _ = usable_markers(learnable, wanted, partition)
    split = np.full(len(table), "", dtype="<U10")
    split[table.may_train] = split_tenants(list(learnable.tenant_id), thirds(_scores(learnable, markers)))
    grouping = fit_grouping(table.take(split == TRAIN), wanted, partition, use_case, version)
    check_groups(grouping, use_case)
    label = grouping.assign(table).astype(np.float64)
    return grouping, GroupRows(
        table.tenant_id, split, _scores(table, markers), label, tuple(use_case.labels.classes or ())
    )


def usable_markers(
    table: FeatureTable, markers: list[Marker], partition: Partition
) -> tuple[list[Marker], dict[str, str]]:
    """Those markers that can tell tenants apart, and why the others cannot.

    Raises:
        AlgorithmError: ``no_markers`` when none is left.
    """
    left_out = {}
    for marker in markers:
        known = table.column(marker.name)
        known = known[~np.isnan(known)]
        if not len(known):
            left_out[marker.name] = "null for every tenant"
        elif np.all(known == known[0]):
            left_out[marker.name] = f"{known[0]:g} for every tenant"
    if len(left_out) == len(markers):
        raise AlgorithmError(
            f"partition {partition.partition}: no marker can tell tenants apart: {left_out}", code="no_markers"
        )
    return [marker for marker in markers if marker.name not in left_out], left_out


def fit_grouping(
    table: FeatureTable, markers: list[Marker], partition: Partition, use_case: UseCase, version: str
) -> Grouping:
    """Finds two groups among the tenants of the training part.

    Raises:
        AlgorithmError: ``no_markers``, ``no_variation`` when there are not two different tenants, ``not_converged``.
    """
    markers, left_out = usable_markers(table, markers, partition)
    raw = np.column_stack([transformed(table.column(marker.name), marker.transform) for marker in markers])
    space = _Space.of(raw)
    standardised = space.standardise(raw)
    scores = _scores(table, markers)
    bad, centroids, iterations = _two_means(standardised, scores, partition)
    within = ((standardised - centroids[bad.astype(int)]) ** 2).sum()
    return Grouping(
        partition=partition.partition,
        slug=partition.slug,
        version=version,
        scale=partition.scale,
        as_of=table.as_of,
        markers=tuple(_fitted(markers, space, raw, centroids, bad)),
        noise={marker.name: use_case.noise[marker.name] for marker in markers if marker.name in use_case.noise},
        left_out=left_out,
        checks={
            name: probability_worse(table.column(name), bad, use_case.features[name].direction)
            for name in use_case.grouped.checks
        },
        fitted_tenants=len(table),
        fitted_bad=int(bad.sum()),
        mean_scores={"good": float(scores[~bad].mean()), "bad": float(scores[bad].mean())},
        explained_variance=float(1 - within / (standardised**2).sum()),
        iterations=iterations,
    )


@dataclass(frozen=True)
class _Space:
    """Where distances are measured: what fills a gap, and what standardises; each of shape (markers,)."""

    medians: Floats
    means: Floats
    deviations: Floats

    @classmethod
    def of(cls, raw: Floats) -> _Space:
        medians = np.nanmedian(raw, axis=0)
        filled = impute(raw, medians)
        deviations = filled.std(axis=0)
        return cls(medians, filled.mean(axis=0), np.where(deviations > 0, deviations, 1.0))

    def standardise(self, raw: Floats) -> Floats:
        return (impute(raw, self.medians) - self.means) / self.deviations


def _fitted(
    markers: list[Marker], space: _Space, raw: Floats, centroids: Floats, bad: NDArray[np.bool_]
) -> Iterator[FittedMarker]:
    for column, marker in enumerate(markers):
        probability = probability_worse(raw[:, column], bad, marker.direction)
        yield FittedMarker(
            name=marker.name,
            direction=1 if marker.direction > 0 else -1,
            transform=marker.transform,
            median=space.medians[column],
            mean=space.means[column],
            deviation=space.deviations[column],
            good=centroids[0, column],
            bad=centroids[1, column],
            # Missing throughout one of the groups: nothing is known, which is a tie.
            probability_worse=0.5 if probability is None else probability,
        )


def _two_means(standardised: Floats, scores: Floats, partition: Partition) -> tuple[NDArray[np.bool_], Floats, int]:
    """KMeans from the means of the lowest and the highest third of the scores; the group of higher score is bad.

    Returns:
        Whether each row is bad; the centroids, shape (2, markers), good first; and the iterations it took.

    Raises:
        AlgorithmError: ``no_variation``, ``not_converged``.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if len(np.unique(standardised, axis=0)) < 2:
        raise AlgorithmError(
            f"partition {partition.partition}: the {len(standardised)} tenants of the training part are all alike on "
            "every marker: there are no two groups to find",
            code="no_variation",
        )
    third = thirds(scores)
    start = np.stack([standardised[third == 0].mean(axis=0), standardised[third == 2].mean(axis=0)])
    # One thread: sums over several chunks round differently with another number of cores.
    with threadpool_limits(limits=1):
        fit = KMeans(n_clusters=2, init=start, n_init=1, tol=0, max_iter=MAX_ITERATIONS).fit(standardised)
    if fit.n_iter_ >= MAX_ITERATIONS:
        raise AlgorithmError(
            f"partition {partition.partition}: KMeans still moved tenants after {MAX_ITERATIONS} iterations",
            code="not_converged",
        )
    # Centroids again from the final labels: independent of how the library accumulates them.
    second = fit.labels_ == 1
    bad = second if scores[second].mean() > scores[~second].mean() else ~second
    centroids = np.stack([standardised[~bad].mean(axis=0), standardised[bad].mean(axis=0)])
    return bad, centroids, int(fit.n_iter_)


def _markers(use_case: UseCase) -> list[Marker]:
    return [
        Marker(name, use_case.features[name].direction, use_case.features[name].transform)
        for name in use_case.grouped.markers
    ]


def _scores(table: FeatureTable, markers: list[Marker]) -> Floats:
    names = [marker.name for marker in markers]
    return severity_scores(table.matrix(names), [marker.direction for marker in markers])
