"""Whether two groups may be called good and bad at all; if not, there is no model, and the figures say why.

The place for further checks of a grouping: each takes it, and raises AlgorithmError with its figures.
"""

from __future__ import annotations

from tenant_experience.errors import AlgorithmError
from tenant_experience.grouping import Grouping
from tenant_experience.use_case import UseCase

LEAST_GROUP = 30
LEAST_SHARE = 0.05
LEAST_PROBABILITY_WORSE = 0.55


def check_groups(grouping: Grouping, use_case: UseCase) -> None:
    """Runs every check.

    Raises:
        AlgorithmError: ``group_too_small`` or ``groups_not_ordered``.
    """
    _check_sizes(grouping)
    _check_order(grouping, use_case)


def _check_sizes(grouping: Grouping) -> None:
    smallest = min(grouping.fitted_bad, grouping.fitted_tenants - grouping.fitted_bad)
    least = max(LEAST_GROUP, LEAST_SHARE * grouping.fitted_tenants)
    if smallest < least:
        raise AlgorithmError(
            f"partition {grouping.partition}: of {grouping.fitted_tenants} tenants the smaller group has {smallest}, "
            f"and at least {least:.0f} are wanted: these are outliers, not a group",
            code="group_too_small",
        )


def _check_order(grouping: Grouping, use_case: UseCase) -> None:
    """A bad group that is better on a marker, or hardly worse, must not be called bad."""
    markers = {marker.name: marker.probability_worse for marker in grouping.markers}
    faults = [
        f"{name} {probability:.3f}" for name, probability in markers.items() if probability < LEAST_PROBABILITY_WORSE
    ]
    # A check had no say in the grouping, so it is only asked for the right sign.
    faults += [
        f"{name} (check) {probability:.3f}"
        for name, probability in grouping.checks.items()
        if use_case.features[name].direction and probability is not None and probability < 0.5
    ]
    if faults:
        figures = ", ".join(f"{name} {probability:.3f}" for name, probability in markers.items())
        raise AlgorithmError(
            f"partition {grouping.partition}: the bad group is not worse on {', '.join(faults)}: P(worse) must be at "
            f"least {LEAST_PROBABILITY_WORSE} for a marker and 0.5 for a check. All markers: {figures}. "
            f"{grouping.fitted_bad} of {grouping.fitted_tenants} tenants would be called bad",
            code="groups_not_ordered",
        )
