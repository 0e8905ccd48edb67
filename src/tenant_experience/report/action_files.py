"""``actions.csv`` and ``actions.json``: the list to act on, and each portfolio's roll-up, as files."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from tenant_experience.data_layout import ACTIONS_FILE, ACTIONS_TABLE, GLOBAL_PARTITION
from tenant_experience.evaluation.evaluation import PartitionEvaluation
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.file import GroupRows
from tenant_experience.groups.uncertainty import probability_bad
from tenant_experience.report._action_list import Action, action_list, missing_list, open_items
from tenant_experience.use_case.schema import UseCase

# What a spreadsheet would take for a formula (OWASP, CSV injection); a space before it makes it text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@dataclass(frozen=True)
class ActionReport:
    """What a shard's list says.

    Attributes:
        as_of: when it was true.
        missing: why there is no list, in words; None when there is one.
        targets: hours by name, empty when the use case sets none.
        capacity: at most so many actions a portfolio.
        portfolios: the roll-up: portfolio_id, tenants, bad, share, low, high and rank of ``portfolio_shares`` with
            the scale they are on (null where no model tells), and waiting, overdue and oldest_open_hr of ``open_items``
            (null where there is no list).
        actions: by portfolio and rank.
    """

    as_of: str
    missing: str | None
    targets: dict[str, float]
    capacity: int
    portfolios: list[dict[str, Any]]
    actions: list[Action]

    def write(self, folder: Path, record_id: str) -> None:
        """Writes both files into ``folder``.

        Args:
            folder: exists.
            record_id: what the column of ids is called, by which erasing finds it.
        """
        rows = [asdict(action) for action in self.actions]
        names = [record_id if field.name == "tenant_id" else field.name for field in fields(Action)]
        with (folder / ACTIONS_TABLE).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            writer.writerows([_cell(value) for value in row.values()] for row in rows)
        document = vars(self) | {"actions": [dict(zip(names, row.values(), strict=True)) for row in rows]}
        (folder / ACTIONS_FILE).write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")


def report_actions(
    table: FeatureTable,
    use_case: UseCase,
    evaluations: Sequence[PartitionEvaluation],
    groups: Mapping[str, GroupRows],
) -> ActionReport:
    """The list and the roll-up of some tenants.

    Args:
        table: the tenants.
        use_case: its targets and capacity.
        evaluations: of the models that are ready. The global one's shares are told before a local one's: they can be
            compared.
        groups: partition slug -> its rows. A local model's label is told before the global one's: it is the answer.
    """
    targets = use_case.targets
    missing = missing_list(table, targets)
    actions: list[Action] = []
    waiting: dict[str, dict[str, Any]] = {}
    nobody: dict[str, Any] = dict.fromkeys(("waiting", "overdue", "oldest_open_hr"))
    if targets is not None and missing is None:
        actions = _with_probability(action_list(table, targets, use_case.capacity, _labels(groups)), table, evaluations)
        waiting = open_items(table, targets)
        nobody |= {"waiting": 0, "overdue": 0}
    shares: dict[str, dict[str, Any]] = {}
    for evaluation in evaluations:
        for row in evaluation.portfolios:
            if evaluation.manifest.scale == "global" or row["portfolio_id"] not in shares:
                shares[row["portfolio_id"]] = row | {"scale": evaluation.manifest.scale}
    untold = dict.fromkeys(("tenants", "bad", "share", "low", "high", "rank", "scale"))
    return ActionReport(
        as_of=table.as_of,
        missing=missing,
        targets=targets.model_dump() if targets else {},
        capacity=use_case.capacity,
        portfolios=[
            {"portfolio_id": name} | untold | shares.get(name, {}) | waiting.get(name, nobody)
            for name in np.unique(table.portfolio_id).tolist()
        ],
        actions=actions,
    )


def _with_probability(
    actions: list[Action], table: FeatureTable, evaluations: Sequence[PartitionEvaluation]
) -> list[Action]:
    """P(bad) of each that has a group, by the rule that its own partition's model answers with, else by the global."""
    listed = table.take(np.isin(table.tenant_id, [action.tenant_id for action in actions if action.group]))
    known: dict[str, float] = {}
    for evaluation in sorted(evaluations, key=lambda each: each.manifest.slug != GLOBAL_PARTITION):
        rows = listed.of_partition(evaluation.manifest.slug)
        if evaluation.grouping and len(rows):
            known |= zip(rows.tenant_id.tolist(), probability_bad(evaluation.grouping, rows).tolist(), strict=True)
    return [replace(action, probability_bad=known.get(action.tenant_id)) for action in actions]


def _labels(groups: Mapping[str, GroupRows]) -> dict[str, str]:
    """Tenant -> label: that of its own partition where it has one, else the global one's."""
    names: dict[str, str] = {}
    for slug in sorted(groups, key=lambda slug: slug != GLOBAL_PARTITION):
        rows = groups[slug]
        if rows.classes is not None:
            names |= zip(
                rows.tenant_id.tolist(), np.asarray(rows.classes)[rows.label.astype(int)].tolist(), strict=True
            )
    return names


def _cell(value: object) -> object:
    return f" {value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
