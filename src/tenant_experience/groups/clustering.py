"""Finds the groups of a partition's tenants on the markers, names them by rule, and checks them before use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tenant_experience.errors import AlgorithmError
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups._checks import check_evidence, check_groups, warnings
from tenant_experience.groups._group_number import better_number
from tenant_experience.groups._methods import explained_variance, find_groups
from tenant_experience.groups._rule import GroupRule
from tenant_experience.groups.evidence import Evidence, predicted_by
from tenant_experience.groups.file import GroupRows
from tenant_experience.groups.grouping import FittedMarker, Grouping
from tenant_experience.groups.markers import Marker, marker_scores, marker_values, usable_markers
from tenant_experience.groups.split import split_tenants, with_label
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.ranks import impute, pair_probabilities
from tenant_experience.statistics.splitting import TRAIN, smallest_keys
from tenant_experience.statistics.threads import one_thread
from tenant_experience.statistics.transforms import transformed
from tenant_experience.use_case.labels import Method
from tenant_experience.use_case.schema import UseCase

# With fewer tenants nothing is claimed about a marker, whatever the gates of the use case say.
LEAST_TENANTS = 100
# The number of tenants used for refits, and by the slow methods: a mixture takes many rounds, and Ward's method holds
# the distance of each pair in memory. KMeans itself uses all tenants.
SAMPLES: dict[Method, int] = {"kmeans": 10_000, "gaussian_mixture": 10_000, "ward": 2_000}


def group_partition(
    table: FeatureTable, partition: Partition, use_case: UseCase, version: str
) -> tuple[Grouping, GroupRows]:
    """Splits a partition's tenants, finds the groups on the training part alone, and puts every tenant into a group.

    Args:
        table: the partition's tenants.
        partition: the partition.
        use_case: markers, checks, limits and the least number of tenants.
        version: the release.

    Returns:
        The rule, and the tenants it put into a group: all except those with too little history.

    Raises:
        AlgorithmError: ``too_few_tenants``, ``no_markers``, what ``find_groups`` refuses, or ``check_groups``, or
            ``check_evidence``.
    """
    table = with_label(table)
    learnable = table.take(table.may_train)
    least = max(LEAST_TENANTS, use_case.gates.pooled_tenants if partition.scale == "global" else 0)
    if len(learnable) < least:
        records = use_case.words.records
        raise AlgorithmError(
            f"partition {partition.partition}: {len(learnable)} {records} have enough history to train on, but at "
            f"least {least} are needed to find groups. Bring more {records} or a longer history",
            code="too_few_tenants",
        )
    markers, _ = usable_markers(learnable, use_case)
    split = split_tenants(table, use_case)
    with one_thread():
        grouping = fit_grouping(table.take(split == TRAIN), partition, use_case, version)
    label = grouping.assign(table)
    return grouping, GroupRows(
        table.tenant_id, split, marker_scores(table, markers), label, tuple(use_case.labels.classes or ())
    )


def fit_grouping(train: FeatureTable, partition: Partition, use_case: UseCase, version: str) -> Grouping:
    """Finds groups among the tenants of the training part, and refuses groups that fail a check.

    Call it within ``one_thread``.

    Raises:
        AlgorithmError: as ``group_partition``.
    """
    markers, left_out = usable_markers(train, use_case)
    clustering = use_case.grouped
    classes = tuple(use_case.labels.classes or ())
    raw = marker_values(train, markers)
    # Filled before sampling: a marker that few tenants have could be unknown for a whole sample.
    filled = impute(raw, np.nanmedian(raw, axis=0))
    directions = [marker.direction for marker in markers]
    sample = smallest_keys(train.row_keys(), SAMPLES[clustering.method])
    fitted_rows = filled if clustering.method == "kmeans" else filled[sample]
    rule, iterations = find_groups(fitted_rows, directions, clustering.method, clustering.groups)
    standardised = rule.space.standardise(filled)
    label = rule.place(standardised)
    sizes = np.bincount(label.astype(np.int64), minlength=len(classes)).tolist()
    scores = marker_scores(train, markers)
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
    evidence = Evidence(rule, filled[sample], directions, clustering.method)
    return defended(grouping, evidence, train.take(sample), use_case)


def defended(grouping: Grouping, evidence: Evidence, sample: FeatureTable, use_case: UseCase) -> Grouping:
    """Checks the grouping, and adds the figures that support it and the warnings about it.

    Args:
        grouping: whose groups are large enough and in order.
        evidence: is gathered on the sample.
        sample: tenants of the training part.
        use_case: the limits, and which features are about service.

    Raises:
        AlgorithmError: ``groups_not_stable`` or ``no_structure``.
    """
    limits = use_case.grouped.limits
    service = [
        transformed(sample.column(name), feature.transform)
        for name, feature in use_case.features.items()
        if feature.aspect == "service" and feature.kind == "number"
    ]
    worst = grouping.assign(sample) == len(grouping.classes) - 1
    stability, permuted = evidence.stability(), evidence.permuted_variance()
    check_evidence(grouping, stability, permuted, use_case)
    copula = evidence.copula_variance()
    grouping = grouping.model_copy(
        update={
            "stability": stability,
            "permuted_variance": permuted,
            "copula_variance": copula,
            "other_number": better_number(evidence, copula, limits),
            "service_auc": predicted_by(np.column_stack(service), worst) if service else None,
        }
    )
    return grouping.model_copy(update={"warnings": tuple(warnings(grouping, use_case))})


def _fitted(markers: list[Marker], rule: GroupRule, raw: Floats, label: Floats) -> Iterator[FittedMarker]:
    for column, marker in enumerate(markers):
        pairs = pair_probabilities(raw[:, column], label, len(rule.centroids), marker.direction)
        # Missing for a whole group: nothing is known, which counts as a tie.
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
