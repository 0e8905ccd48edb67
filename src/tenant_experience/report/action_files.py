"""``actions.csv`` and ``actions.json``: the list to act on, and the roll-up of each portfolio."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tenant_experience.data_layout import ACTIONS_FILE, ACTIONS_TABLE, GLOBAL_PARTITION
from tenant_experience.evaluation.evaluation import PartitionEvaluation
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.file import GroupRows
from tenant_experience.groups.grouping import Scale
from tenant_experience.groups.profile import PortfolioShare
from tenant_experience.models.served_model import ServedModel
from tenant_experience.report._action_list import Action, OpenItems, action_list, missing_list, open_items
from tenant_experience.text_cell import id_cell, text_cell
from tenant_experience.use_case.schema import UseCase


@dataclass(frozen=True)
class PortfolioRow:
    """One portfolio's roll-up: how its tenants are, and what is open.

    The first fields are those of ``PortfolioShare``, with the scale they are on; None where no model says it. The last
    three are those of ``OpenItems``.
    """

    portfolio_id: str
    tenants: int | None
    bad: int | None
    share: float | None
    low: float | None
    high: float | None
    rank: int | None
    scale: Scale | None
    waiting: int | None
    overdue: int | None
    oldest_open_hr: float | None


@dataclass(frozen=True)
class ActionReport:
    """The list to act on of one shard.

    Attributes:
        as_of: the moment the list describes.
        missing: why there is no list, in words; None when there is one.
        targets: hours by name; empty when the use case sets none.
        capacity: the most actions of one portfolio.
        portfolios: the roll-up.
        actions: by portfolio and rank.
    """

    as_of: str
    missing: str | None
    targets: dict[str, float]
    capacity: int
    portfolios: list[PortfolioRow]
    actions: list[Action]

    def write(self, folder: Path, record_id: str) -> None:
        """Writes both files into ``folder``.

        Args:
            folder: exists.
            record_id: the name of the column of ids, by which the erasure finds it.
        """
        rows = [vars(action) for action in self.actions]
        names = [record_id if field.name == "tenant_id" else field.name for field in fields(Action)]
        with (folder / ACTIONS_TABLE).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            writer.writerows([_cell(name, value) for name, value in row.items()] for row in rows)
        document = vars(self) | {
            "portfolios": [vars(row) for row in self.portfolios],
            "actions": [dict(zip(names, row.values(), strict=True)) for row in rows],
        }
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
        evaluations: of the models that are ready. The global model's shares are preferred to a local one's, because
            they can be compared.
        groups: partition slug -> its rows. A local model's label is preferred to the global one's, because it is what
            the API answers.
    """
    targets = use_case.targets
    missing = missing_list(table, targets, use_case.words)
    actions: list[Action] = []
    waiting: dict[str, OpenItems] = {}
    nothing_open = OpenItems()
    if targets is not None and missing is None:
        found = action_list(table, targets, use_case.capacity, use_case.words)
        actions = _with_answers(found, table, evaluations, groups)
        waiting, nothing_open = open_items(table, targets), OpenItems(0, 0)
    shares = _shares(evaluations)
    return ActionReport(
        as_of=table.as_of,
        missing=missing,
        targets=targets.model_dump() if targets else {},
        capacity=use_case.capacity,
        portfolios=[
            _portfolio(name, shares.get(name), waiting.get(name, nothing_open))
            for name in np.unique(table.portfolio_id).tolist()
        ],
        actions=actions,
    )


Scaled = tuple[PortfolioShare, Scale]


def _shares(evaluations: Sequence[PartitionEvaluation]) -> dict[str, Scaled]:
    shares: dict[str, Scaled] = {}
    for evaluation in evaluations:
        for row in evaluation.portfolios:
            if evaluation.manifest.slug == GLOBAL_PARTITION or row.portfolio_id not in shares:
                shares[row.portfolio_id] = (row, evaluation.manifest.scale)
    return shares


def _portfolio(name: str, scaled: Scaled | None, items: OpenItems) -> PortfolioRow:
    unknown = PortfolioRow(name, *[None] * 7, **vars(items))
    return unknown if scaled is None else replace(unknown, **vars(scaled[0]), scale=scaled[1])


def _with_answers(
    actions: list[Action],
    table: FeatureTable,
    evaluations: Sequence[PartitionEvaluation],
    groups: Mapping[str, GroupRows],
) -> list[Action]:
    """Adds what is published about each tenant with a group, by its own partition's model, else by the global one."""
    ids = pa.array([action.tenant_id for action in actions], pa.string())
    listed = table.take(pc.is_in(pa.array(table.tenant_id, pa.string()), ids).to_numpy(zero_copy_only=False))
    labels: dict[str, str] = {}
    for slug in sorted(groups, key=lambda slug: slug != GLOBAL_PARTITION):
        labels |= _labels(groups[slug], listed.tenant_id)
    labelled = listed.take(np.asarray([tenant in labels for tenant in listed.tenant_id.tolist()], dtype=np.bool_))
    known: dict[str, tuple[str | None, float | None]] = {}
    for evaluation in sorted(evaluations, key=lambda each: each.manifest.slug != GLOBAL_PARTITION):
        rows = labelled.of_partition(evaluation.manifest.slug)
        if evaluation.grouping and len(rows):
            model = ServedModel.load(evaluation.folder)
            answers = model.answers(model.scorer.encoding.matrix(rows), rows.side.get("exposure_days"))
            for tenant, answer in zip(rows.tenant_id.tolist(), answers, strict=True):
                known[tenant] = (answer["experience"], answer["probability"])
    given = {action.tenant_id: known.get(action.tenant_id, (labels.get(action.tenant_id), None)) for action in actions}
    return [
        replace(action, group=given[action.tenant_id][0], probability_bad=given[action.tenant_id][1])
        for action in actions
    ]


def _labels(rows: GroupRows, tenant_ids: NDArray[np.str_]) -> dict[str, str]:
    """Tenant -> label, of those of the tenants that the partition has."""
    if rows.classes is None:
        return {}
    places = pc.index_in(pa.array(tenant_ids, pa.string()), pa.array(rows.tenant_id, pa.string()))
    found = places.is_valid().to_numpy(zero_copy_only=False)
    names = np.asarray(rows.classes)[rows.label[places.drop_null().to_numpy()].astype(int)]
    return dict(zip(tenant_ids[found].tolist(), names.tolist(), strict=True))


def _cell(name: str, value: object) -> object:
    """What a spreadsheet shows: a text without hidden characters; but an id as it is, because it is looked up."""
    if not isinstance(value, str):
        return value
    return id_cell(value) if name == "tenant_id" else text_cell(value)
