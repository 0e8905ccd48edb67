"""Groups of a partition's tenants: found on the markers, named by rule, and defended before anyone is called bad."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tenant_experience.errors import AlgorithmError
from tenant_experience.feature_table import INSUFFICIENT, FeatureTable
from tenant_experience.group_checks import check_evidence, check_groups, warnings
from tenant_experience.group_evidence import Evidence, predicted_by
from tenant_experience.group_file import GroupRows
from tenant_experience.group_methods import explained_variance, find_groups, one_thread
from tenant_experience.group_rule import GroupRule
from tenant_experience.grouping import FittedMarker, Grouping, Transform, transformed
from tenant_experience.labelling import Floats, pair_probabilities, severity_scores, thirds
from tenant_experience.partition_runs import Partition
from tenant_experience.splitting import TRAIN, hash_sample, split_tenants
from tenant_experience.use_case import Method, UseCase

# Under so many tenants nothing is claimed about a marker, whatever the gates of the use case say.
LEAST_TENANTS = 100
# A mixture settles on some ten thousand tenants, Ward's method holds every distance in memory; KMeans takes all.
SAMPLES: dict[Method, int] = {"gaussian_mixture": 10_000, "ward": 2_000}
EVIDENCE_SAMPLE = 10_000


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
        use_case: markers, checks, limits and the least number of tenants.
        version: the release.

    Returns:
        The rule, and the tenants it put into a group: all but those with too little history.

    Raises:
        AlgorithmError: ``too_few_tenants``, ``no_markers``, what ``find_groups`` refuses, or ``check_groups``, or
            ``check_evidence``.
    """
    table = table.take(table.history != INSUFFICIENT)
    learnable = table.take(table.may_train)
    least = max(LEAST_TENANTS, use_case.gates.pooled_tenants if partition.scale == "global" else 0)
    if len(learnable) < least:
        raise AlgorithmError(
            f"partition {partition.partition}: {len(learnable)} tenants may train, and {least} are the least from "
            "which groups are found: bring more tenants or a longer history",
            code="too_few_tenants",
        )
    markers, _ = usable_markers(learnable, _markers(use_case), partition)
    split = np.full(len(table), "", dtype="<U10")
    split[table.may_train] = split_tenants(list(learnable.tenant_id), thirds(_scores(learnable, markers)))
    with one_thread():
        grouping = fit_grouping(table.take(split == TRAIN), partition, use_case, version)
    label = grouping.assign(table)
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


def fit_grouping(train: FeatureTable, partition: Partition, use_case: UseCase, version: str) -> Grouping:
    """Finds groups among the tenants of the training part, and lets none pass that cannot be defended.

    Call it within ``one_thread``.

    Raises:
        AlgorithmError: as ``group_partition``.
    """
    markers, left_out = usable_markers(train, _markers(use_case), partition)
    clustering = use_case.grouped
    classes = tuple(use_case.labels.classes or ())
    raw = np.column_stack([transformed(train.column(marker.name), marker.transform) for marker in markers])
    directions = [marker.direction for marker in markers]
    sample = hash_sample(train.tenant_id, SAMPLES.get(clustering.method, len(train)))
    rule, iterations = find_groups(raw[sample], directions, clustering.method, clustering.groups)
    standardised = rule.space.standardise(raw)
    label = rule.place(standardised)
    sizes = np.bincount(label.astype(np.int64), minlength=len(classes)).tolist()
    scores = _scores(train, markers)
    grouping = Grouping(
        partition=partition.partition,
        slug=partition.slug,
        version=version,
        scale=partition.scale,
        as_of=train.as_of,
        method=clustering.method,
        classes=classes,
        markers=tuple(_fitted(markers, rule, raw, label)),
        weights=tuple(rule.mixture.weights) if rule.mixture else (),
        noise={marker.name: use_case.noise[marker.name] for marker in markers if marker.name in use_case.noise},
        left_out=left_out,
        checks={
            name: _least(pair_probabilities(train.column(name), label, len(classes), use_case.features[name].direction))
            for name in clustering.checks
        },
        fitted_tenants=len(train),
        fitted_bad=sizes[-1],
        sizes=tuple(sizes),
        mean_scores={name: float(scores[label == group].mean()) for group, name in enumerate(classes) if sizes[group]},
        explained_variance=explained_variance(standardised, label),
        iterations=iterations,
    )
    check_groups(grouping, use_case)
    sample = hash_sample(train.tenant_id, min(EVIDENCE_SAMPLE, SAMPLES.get(clustering.method, EVIDENCE_SAMPLE)))
    evidence = Evidence(rule, raw[sample], directions, clustering.method)
    return defended(grouping, evidence, train.take(sample), use_case)


def defended(grouping: Grouping, evidence: Evidence, sample: FeatureTable, use_case: UseCase) -> Grouping:
    """The grouping with the figures that speak for it, and what should be known about it.

    Args:
        grouping: found, and in order.
        evidence: to be gathered on the sample.
        sample: tenants of the training part.
        use_case: limits, and which features are of service.

    Raises:
        AlgorithmError: ``groups_not_stable`` or ``no_structure``.
    """
    service = [
        transformed(sample.column(name), feature.transform)
        for name, feature in use_case.features.items()
        if feature.aspect == "service" and feature.kind == "number"
    ]
    worst = grouping.assign(sample) == len(grouping.classes) - 1
    stability, permuted = evidence.stability(), evidence.permuted_variance()
    check_evidence(grouping, stability, permuted, use_case.grouped.limits)
    grouping = grouping.model_copy(
        update={
            "stability": stability,
            "permuted_variance": permuted,
            "copula_variance": evidence.copula_variance(),
            "service_auc": predicted_by(np.column_stack(service), worst) if service else None,
        }
    )
    return grouping.model_copy(update={"warnings": tuple(warnings(grouping, use_case.grouped.limits))})


def _fitted(markers: list[Marker], rule: GroupRule, raw: Floats, label: Floats) -> Iterator[FittedMarker]:
    for column, marker in enumerate(markers):
        pairs = pair_probabilities(raw[:, column], label, len(rule.centroids), marker.direction)
        # Missing throughout one of the groups: nothing is known, which is a tie.
        known = tuple(0.5 if probability is None else probability for probability in pairs)
        yield FittedMarker(
            name=marker.name,
            direction=1 if marker.direction > 0 else -1,
            transform=marker.transform,
            median=rule.space.medians[column],
            mean=rule.space.means[column],
            deviation=rule.space.deviations[column],
            centroids=tuple(rule.centroids[:, column]),
            variances=tuple(rule.mixture.variances[:, column]) if rule.mixture else (),
            pairs=known,
            probability_worse=min(known),
        )


def _least(pairs: Sequence[float | None]) -> float | None:
    return min((probability for probability in pairs if probability is not None), default=None)


def _markers(use_case: UseCase) -> list[Marker]:
    return [
        Marker(name, use_case.features[name].direction, use_case.features[name].transform)
        for name in use_case.grouped.markers
    ]


def _scores(table: FeatureTable, markers: list[Marker]) -> Floats:
    names = [marker.name for marker in markers]
    return severity_scores(table.matrix(names), [marker.direction for marker in markers])
