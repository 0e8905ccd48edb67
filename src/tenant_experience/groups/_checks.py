"""Whether groups may be called good and bad at all. If not, there is no model, and the figures say why."""

from __future__ import annotations

from collections.abc import Iterator

from tenant_experience.errors import AlgorithmError
from tenant_experience.groups.grouping import Grouping, OtherNumber, Stability
from tenant_experience.use_case.schema import UseCase

_NUMBERS = {2: "two", 3: "three"}


def check_groups(grouping: Grouping, use_case: UseCase) -> None:
    """Refuses groups that are too small, or that are not worse off than the group before.

    Raises:
        AlgorithmError: ``group_too_small`` or ``groups_not_ordered``.
    """
    limits = use_case.grouped.limits
    smallest, least = min(grouping.sizes), max(limits.smallest_group, limits.smallest_share * grouping.fitted_tenants)
    if smallest < least:
        raise AlgorithmError(
            f"partition {grouping.partition}: the smallest group has {smallest} of {grouping.fitted_tenants} "
            f"{use_case.words.records}, but a group needs at least {least:.0f}: these are outliers, not a group",
            code="group_too_small",
        )
    _check_order(grouping, use_case)


def check_evidence(grouping: Grouping, stability: Stability, permuted_variance: float, use_case: UseCase) -> None:
    """Refuses groups that are not found again on redrawn tenants, or that explain little more than shuffled columns.

    Raises:
        AlgorithmError: ``groups_not_stable`` or ``no_structure``.
    """
    limits, records = use_case.grouped.limits, use_case.words.records
    ratio = grouping.explained_variance / permuted_variance
    if ratio < limits.structure_ratio:
        raise AlgorithmError(
            f"partition {grouping.partition}: the groups explain {grouping.explained_variance:.3f} of the variance, "
            f"which is {ratio:.2f} times the {permuted_variance:.3f} of columns shuffled one by one, but at least "
            f"{limits.structure_ratio:g} times is needed: the markers do not go together, so there are no groups",
            code="no_structure",
        )
    if stability.ari_median < limits.stability_median or stability.ari_minimum < limits.stability_minimum:
        raise AlgorithmError(
            f"partition {grouping.partition}: {stability.refits} refits on redrawn {records} agree with the groups "
            f"with an adjusted Rand index of {stability.ari_median:.3f} in the median and {stability.ari_minimum:.3f} "
            f"in the worst case, but {limits.stability_median:g} and {limits.stability_minimum:g} are needed: other "
            f"{records} would give other groups",
            code="groups_not_stable",
        )


def warnings(grouping: Grouping, use_case: UseCase) -> Iterator[str]:
    """What the approver should know about groups that passed: one sentence each."""
    limits, records = use_case.grouped.limits, use_case.words.records
    smooth, service = grouping.copula_variance, grouping.service_auc
    if grouping.other_number:
        yield _other_number(grouping, grouping.other_number, records)
    if smooth is not None and grouping.explained_variance - smooth <= limits.continuum_margin:
        yield (
            f"The groups are a cut through a continuum: they explain {grouping.explained_variance:.3f} of the "
            "variance, and a cut through data with the same distributions and correlations but without groups explains "
            f"{smooth:.3f}. Near the boundary {records} differ little."
        )
    if service is not None and service < limits.service_auc:
        yield (
            f"The groups mostly reflect how often {records} make contact: the service features alone tell them apart "
            f"with an AUC of {service:.3f}, below {limits.service_auc:g}."
        )


def _other_number(grouping: Grouping, other: OtherNumber, records: str) -> str:
    many, chosen = _NUMBERS[len(other.sizes)], _NUMBERS[len(grouping.classes)]
    total = sum(other.sizes)
    sizes = ", ".join(f"{size / total:.0%}" for size in other.sizes[:-1]) + f" and {other.sizes[-1] / total:.0%}"
    shares = ", ".join(f"{share:.0%}" for share in other.split[:-1]) + f" and {other.split[-1]:.0%}"
    return (
        f"{many.capitalize()} groups fit these {records} clearly better than {chosen}: {sizes} of them, from the best "
        f"off to the worst off. Of each, {shares} are called {grouping.classes[-1]} now. The {many} groups explain "
        f"{other.explained_variance - other.copula_variance:.3f} more of the variance than data with the same "
        f"distributions and correlations but without groups, and the {chosen} groups {other.chosen_excess:.3f} more. "
        f"To use {many}, set clustering.groups to {len(other.sizes)} and name {many} labels.classes in use_case.yaml."
    )


def _check_order(grouping: Grouping, use_case: UseCase) -> None:
    """A group that is better off on a marker than the group before, or hardly worse, must not be called worse."""
    least = use_case.grouped.limits.probability_worse
    steps = list(zip(grouping.classes, grouping.classes[1:], strict=False))
    faults = [
        f"{worse} is not worse than {better} on {marker.name} ({probability:.3f})"
        for marker in grouping.markers
        for (better, worse), probability in zip(steps, marker.pairs, strict=True)
        if probability < least
    ]
    # A check did not influence the grouping, so only its sign must be right.
    faults += [
        f"{grouping.classes[-1]} is not worse on {name} (check) ({probability:.3f})"
        for name, probability in grouping.checks.items()
        if use_case.features[name].direction and probability is not None and probability < 0.5
    ]
    if faults:
        figures = ", ".join(
            f"{marker.name} {' and '.join(f'{probability:.3f}' for probability in marker.pairs)}"
            for marker in grouping.markers
        )
        sizes = ", ".join(f"{size} {name}" for name, size in zip(grouping.classes, grouping.sizes, strict=True))
        raise AlgorithmError(
            f"partition {grouping.partition}: {'; '.join(faults)}: P(worse) must be at least {least:g} for a marker "
            f"and 0.5 for a check. All markers: {figures}. Of {grouping.fitted_tenants} {use_case.words.records} "
            f"there would be {sizes}",
            code="groups_not_ordered",
        )
