"""Which groups a partition gets: those of the live release, new ones, or those of another release or a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tenant_experience.data_layout import GROUPING_FILE
from tenant_experience.errors import PlatformError, UserError
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.file import GroupRows
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.held_rule import hold_groups, obstacle
from tenant_experience.groups.yardstick import Yardstick, measure
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.use_case.group_choice import GroupChoice
from tenant_experience.use_case.schema import UseCase


@dataclass(frozen=True)
class EarlierRules:
    """Rules that were found before.

    Attributes:
        live: the rule of the model that answers for the partition now; None when there is none.
        yardstick: of the same release.
        chosen: the rule of another release or of a file, when the manifest asks for one.
        unreadable: why the rule of the live release is not known although there is one, as the end of a sentence.
    """

    live: Grouping | None = None
    yardstick: Yardstick | None = None
    chosen: Grouping | None = None
    unreadable: str | None = None


@dataclass(frozen=True)
class GroupedPartition:
    """The groups of a partition: the rule, the tenants that it put into a group, and the shares by a frozen rule."""

    grouping: Grouping
    rows: GroupRows
    yardstick: Yardstick


def read_rules(folder: Path) -> EarlierRules:
    """The rule and the yardstick of an unpacked model; empty when it has no groups, or none that can be read."""
    if not (folder / GROUPING_FILE).is_file():
        return EarlierRules()
    try:
        return EarlierRules(Grouping.read(folder), Yardstick.read(folder))
    except PlatformError:
        return EarlierRules()


def read_rule_file(folder: Path, name: str) -> Grouping:
    """The rule in a file of the use case.

    Raises:
        UserError: ``unknown_groups``.
    """
    path = folder / name
    try:
        return Grouping.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        known = ", ".join(sorted(each.name for each in folder.glob("*.json"))) or "none"
        raise UserError(
            f"manifest.json asks for the groups in {name}, which is not in the folder of the use case; its .json files "
            f"are: {known}. Add a grouping.json of a released model, and deploy",
            code="unknown_groups",
        ) from error
    except ValueError as error:
        raise UserError(
            f"{name} in the folder of the use case is not a grouping.json of a released model: "
            f"{str(error).splitlines()[0]}",
            code="unknown_groups",
        ) from error


def choose_groups(
    table: FeatureTable,
    partition: Partition,
    use_case: UseCase,
    release: str,
    choice: GroupChoice,
    earlier: EarlierRules,
) -> GroupedPartition:
    """Puts the partition's tenants into groups.

    Args:
        table: the partition's tenants.
        partition: the partition.
        use_case: markers, limits and classes.
        release: the release that is made.
        choice: where its groups come from.
        earlier: the rules that there are.

    Raises:
        UserError: ``unknown_groups`` when the chosen rule cannot decide about these tenants.
        AlgorithmError: as ``group_partition`` or ``hold_groups``.
    """
    unusable = earlier.unreadable if earlier.live is None else obstacle(earlier.live, table, use_case)
    live = None if unusable else earlier.live
    if choice.kind == "from" and earlier.chosen is not None:
        if reason := obstacle(earlier.chosen, table, use_case):
            raise UserError(
                f"manifest.json asks for the groups of {choice.origin}, which cannot be used: {reason}",
                code="unknown_groups",
            )
        grouping, rows = hold_groups(table, partition, use_case, earlier.chosen, "inherited")
    elif choice.kind == "keep" and live is not None:
        grouping, rows = hold_groups(table, partition, use_case, live, "kept")
    else:
        grouping, rows = group_partition(table, partition, use_case, release)
        if choice.kind == "keep" and unusable:
            warning = f"The groups of the live release could not be kept, so new ones were found: {unusable}."
            grouping = grouping.model_copy(update={"warnings": (warning, *grouping.warnings)})
    return GroupedPartition(grouping, rows, measure(table, release, grouping, live, earlier.yardstick))
