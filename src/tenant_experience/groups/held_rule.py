"""Puts a partition's tenants into groups that were found before: by the live release, another release or a file.

So that a label means the same from month to month, and so that a landlord with few tenants has groups at all.
"""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

from tenant_experience.errors import AlgorithmError
from tenant_experience.features.table import INSUFFICIENT, FeatureTable
from tenant_experience.groups._methods import explained_variance
from tenant_experience.groups.file import GroupRows
from tenant_experience.groups.grouping import Grouping, HeldRule
from tenant_experience.groups.markers import Marker, marker_scores, marker_values
from tenant_experience.groups.split import split_tenants
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.ranks import impute, pair_probabilities
from tenant_experience.statistics.splitting import TRAIN
from tenant_experience.use_case.schema import UseCase

SHUFFLES = 20
# With fewer tenants a model can be neither trained nor tested.
LEAST_TENANTS = 100

# Releases of earlier versions said tenants of all records.
_FITS_BADLY = re.compile(r"The groups found by release \S+ fit these .+ badly: ")


def obstacle(rule: Grouping, table: FeatureTable, use_case: UseCase) -> str | None:
    """Why an earlier rule cannot decide about these tenants, as the end of a sentence; None when it can."""
    classes = tuple(use_case.labels.classes or ())
    if rule.classes != classes:
        return f"it has the groups {', '.join(rule.classes)}, and use_case.yaml names {', '.join(classes)}"
    if rule.method != use_case.grouped.method:
        return f"its method is {rule.method}, and use_case.yaml asks for {use_case.grouped.method}"
    known = {marker.name for marker in rule.markers} | set(rule.left_out)
    if known != set(use_case.grouped.markers):
        differing = ", ".join(sorted(known ^ set(use_case.grouped.markers)))
        return f"use_case.yaml names other markers ({differing})"
    for marker in rule.markers:
        if np.isnan(table.column(marker.name)).all():
            return f"{marker.name}, which it needs, is not known for any {use_case.words.record}"
        feature = use_case.features[marker.name]
        if (feature.direction, feature.transform) != (marker.direction, marker.transform):
            return f"use_case.yaml says something else about {marker.name}"
    return None


def hold_groups(
    table: FeatureTable,
    partition: Partition,
    use_case: UseCase,
    rule: Grouping,
    how: Literal["kept", "inherited"],
) -> tuple[Grouping, GroupRows]:
    """Splits the tenants, and puts each into a group by an earlier rule.

    An inherited rule must fit these tenants, who were not there when it was found: on each marker the worse group is
    worse off, and the markers go together. A kept rule is not refused for that, because it answers already: its
    warnings say so.

    Args:
        table: the partition's tenants.
        partition: the partition.
        use_case: markers and limits.
        rule: for which there is no ``obstacle``.
        how: ``kept`` from the live release of the partition, or ``inherited`` from elsewhere.

    Raises:
        AlgorithmError: ``too_few_tenants``, ``group_too_small`` or ``rule_does_not_fit``.
    """
    table = table.take(table.history != INSUFFICIENT)
    learnable, records = table.take(table.may_train), use_case.words.records
    if len(learnable) < LEAST_TENANTS:
        raise AlgorithmError(
            f"partition {partition.partition}: {len(learnable)} {records} have enough history to train on, but at "
            f"least {LEAST_TENANTS} are needed. Bring more {records} or a longer history",
            code="too_few_tenants",
        )
    markers = [Marker(marker.name, marker.direction, marker.transform) for marker in rule.markers]
    split = split_tenants(table, use_case)
    label = rule.assign(table)
    train = split == TRAIN
    held = _described(rule, table.take(train), label[train], how)
    _check_size(held, partition, use_case)
    faults = list(_faults(held, rule, use_case))
    if faults and how == "inherited":
        raise AlgorithmError(
            f"partition {partition.partition}: the groups of {rule.version} do not fit these {records}: "
            f"{'; '.join(faults)}. Let this release find groups of its own, with more {records}",
            code="rule_does_not_fit",
        )
    grouping = rule.model_copy(
        update={
            "partition": partition.partition,
            "slug": partition.slug,
            "scale": "inherited" if how == "inherited" else rule.scale,
            "held": held,
            "warnings": (*_kept_warnings(rule, faults, records), *_still_true(rule)),
        }
    )
    rows = GroupRows(table.tenant_id, split, marker_scores(table, markers), label, rule.classes)
    return grouping, rows


def _described(rule: Grouping, train: FeatureTable, label: Floats, how: Literal["kept", "inherited"]) -> HeldRule:
    groups = len(rule.classes)
    pairs = {
        marker.name: _least(pair_probabilities(train.column(marker.name), label, groups, marker.direction))
        for marker in rule.markers
    }
    markers = [Marker(marker.name, marker.direction, marker.transform) for marker in rule.markers]
    rows = rule.rule.space.standardise(impute(raw := marker_values(train, markers), np.nanmedian(raw, axis=0)))
    return HeldRule(
        how=how,
        tenants=len(train),
        sizes=tuple(np.bincount(label.astype(np.int64), minlength=groups).tolist()),
        probability_worse=pairs,
        explained_variance=explained_variance(rows, label),
        permuted_variance=_permuted_variance(rule, rows),
    )


def _permuted_variance(rule: Grouping, rows: Floats) -> float:
    """The largest share of the variance that the rule explains when columns are shuffled one by one."""
    chance = np.random.default_rng(1)
    place = rule.rule.place
    shuffled = (chance.permuted(rows, axis=0) for _ in range(SHUFFLES))
    return max(explained_variance(each, place(each)) for each in shuffled)


def _check_size(held: HeldRule, partition: Partition, use_case: UseCase) -> None:
    least = use_case.grouped.limits.smallest_group
    if min(held.sizes) < least:
        raise AlgorithmError(
            f"partition {partition.partition}: by the earlier groups, the smallest has {min(held.sizes)} of "
            f"{held.tenants} {use_case.words.records}, but a model needs at least {least}. "
            + (
                'Upload the batch with "groups": "new" in manifest.json to find new ones'
                if held.how == "kept"
                else f"Bring more {use_case.words.records}"
            ),
            code="group_too_small",
        )


def _faults(held: HeldRule, rule: Grouping, use_case: UseCase) -> list[str]:
    limits = use_case.grouped.limits
    worst, previous = rule.classes[-1], rule.classes[0]
    faults = [
        f"{worst} is not worse than {previous} on {name} ({probability:.3f})"
        for name, probability in held.probability_worse.items()
        if probability is not None and probability < 0.5
    ]
    ratio = held.explained_variance / held.permuted_variance
    if ratio < limits.structure_ratio:
        faults.append(
            f"the groups explain {held.explained_variance:.3f} of the variance, which is {ratio:.2f} times the "
            f"{held.permuted_variance:.3f} of columns shuffled one by one, but at least {limits.structure_ratio:g} "
            "times is needed"
        )
    return faults


def _kept_warnings(rule: Grouping, faults: list[str], records: str) -> list[str]:
    if not faults:
        return []
    return [
        f"The groups found by release {rule.version} fit these {records} badly: {'; '.join(faults)}. "
        'Consider new groups: "groups": "new" in manifest.json.'
    ]


def _still_true(rule: Grouping) -> list[str]:
    """Warnings about how the rule was found, but not about the tenants it was kept for."""
    return [warning for warning in rule.warnings if not _FITS_BADLY.match(warning)]


def _least(pairs: list[float | None]) -> float | None:
    return min((probability for probability in pairs if probability is not None), default=None)
