"""Says how rows were put into the three parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tenant_experience.data_layout import EXAMPLES_FILE, FEATURES_FILE
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.file import GroupRows
from tenant_experience.groups.split import unit_words
from tenant_experience.statistics.splitting import TEST, TRAIN
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.split import ROWS


@dataclass(frozen=True)
class SplitDescription:
    """How a partition's rows were split.

    Attributes:
        by: what was kept together: ``record``, ``rows`` or the name of a column.
        time: whether time decided the parts.
        rows: how many have a label.
        records: how many tenants they are about.
        trained_until: with ``time``, the latest time in the training part; of rows that stay together, of their latest.
        tested_from: likewise the earliest time in the test part.
        text: a sentence.
        file: which of the features' files has the rows.
    """

    by: str
    time: bool
    rows: int
    records: int
    trained_until: str | None
    tested_from: str | None
    text: str
    file: str = FEATURES_FILE

    def document(self) -> dict[str, Any]:
        """The description as evaluation.json has it."""
        return asdict(self)


def describe_split(table: FeatureTable, groups: GroupRows, use_case: UseCase) -> SplitDescription:
    """Describes the split of a partition.

    Args:
        table: the partition's rows with a label.
        groups: the same rows, with their parts.
        use_case: says how they were split.
    """
    is_of_rows, unit = use_case.split_unit == ROWS, unit_words(use_case)
    text = "Split row by row" if is_of_rows else f"Split by {unit}"
    trained = tested = None
    if use_case.split.time:
        trained = _moment(table, groups, use_case, TRAIN, np.max)
        tested = _moment(table, groups, use_case, TEST, np.min)
        of_each = "rows" if is_of_rows else f"each {unit} whose latest row is"
        text = "Split" if is_of_rows else text
        until, start = (f"{of_each} {word}" for word in ("up to", "from"))
        text = f"{text}, in order of time: trained on {until} {trained}, tested on {start} {tested}"
    if groups.examples is not None:
        text += f"; {len(groups.label):,} rows of {use_case.words.counted(groups.records)} have a label"
    return SplitDescription(
        by=use_case.split_unit,
        time=use_case.split.time,
        rows=len(groups.label),
        records=groups.records,
        trained_until=trained,
        tested_from=tested,
        text=f"{text}.".replace("Split, in", "Split in"),
        file=FEATURES_FILE if groups.examples is None else EXAMPLES_FILE,
    )


def _moment(
    table: FeatureTable, groups: GroupRows, use_case: UseCase, part: str, choose: Callable[..., np.datetime64]
) -> str | None:
    """The first or last time in a part: of its rows, or of the latest row of each unit."""
    chosen = groups.split == part
    if table.moments is None or not chosen.any():
        return None
    times = table.moments[chosen]
    if use_case.split_unit != ROWS:
        values = table.split_values if use_case.split_column else table.tenant_id
        units = np.unique(np.asarray(values)[chosen], return_inverse=True)[1].reshape(-1)
        order = np.lexsort((times, units))
        last = np.append(units[order][1:] != units[order][:-1], True)
        times = times[order][last]
    return f"{np.datetime_as_string(choose(times), unit='s')}Z"
