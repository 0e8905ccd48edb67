"""Which rows of a partition train a model, stop its training and test it; also asked of an earlier release.

A row is a tenant, or one of several examples of a tenant. ``split`` of the use case says what stays together in a part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenant_experience.errors import AlgorithmError
from tenant_experience.features.table import INSUFFICIENT, FeatureTable
from tenant_experience.groups.markers import marker_scores, usable_markers
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.ranks import thirds
from tenant_experience.statistics.splitting import SHARES, TEST, split_by_time, split_rows, split_units
from tenant_experience.use_case.schema import USE_CASE_FILE, UseCase
from tenant_experience.use_case.split import RECORD, ROWS

# The number of equally large bands from which numbers are drawn evenly.
BANDS = 10


@dataclass(frozen=True)
class FittedTenants:
    """The tenants that a model was fitted on: those of the training part and of the validation part.

    Attributes:
        as_of: the moment that their features describe.
        tenant_id: their ids.
        split_values: the values of ``split.by`` that they have, where it names a column.
    """

    as_of: str
    tenant_id: NDArray[np.str_]
    split_values: NDArray[np.str_] | None = None

    def include(self, table: FeatureTable) -> NDArray[np.bool_]:
        """For each row of a table: whether the model saw its tenant or, of a split by a column, its value there."""
        seen: NDArray[np.bool_] = np.isin(table.tenant_id, self.tenant_id)
        if self.split_values is not None and table.split_values is not None:
            seen |= np.isin(table.split_values, self.split_values)
        return seen


def with_label(table: FeatureTable) -> FeatureTable:
    """The tenants that get a label: those with enough history and, if labels come from a column, a value there."""
    known = table.history != INSUFFICIENT
    return table.take(known if table.label is None else known & ~np.isnan(table.label))


def split_tenants(table: FeatureTable, use_case: UseCase) -> NDArray[np.str_]:
    """The part of each row, shape (rows,); empty for those that may not train.

    Unless time decides, parts have the same shares of each class, of bands of a number, or of thirds by the rank score
    of the markers, as far as what must stay together allows.

    Args:
        table: from ``with_label``.
        use_case: its markers or classes.

    Raises:
        AlgorithmError: ``no_markers``; ``too_few_times`` or ``too_few_groups``: there are not three parts to be made.
    """
    split = np.full(len(table), "", dtype="<U10")
    learnable = table.take(table.may_train)
    split[table.may_train] = _parts(learnable, use_case)
    return split


def _parts(table: FeatureTable, use_case: UseCase) -> NDArray[np.str_]:
    if not len(table):
        return np.full(0, "", dtype="<U10")
    units = _units(table, use_case)
    if use_case.split.time:
        return _by_time(table, units, use_case)
    if units is None or units.max() + 1 == len(table):
        return split_rows(table.row_keys(), _strata(table, use_case))
    parts = split_units(table.unit_keys(units), units, _strata(table, use_case))
    if len(np.unique(parts)) < len(SHARES):
        raise AlgorithmError(
            f"{USE_CASE_FILE} key 'split' keeps all rows of one {unit_words(use_case)} together, but there are only "
            f"{units.max() + 1} of them, of too different size to make three parts: send more, or split by something "
            "else",
            code="too_few_groups",
        )
    return parts


def _units(table: FeatureTable, use_case: UseCase) -> NDArray[np.integer] | None:
    """The number of what each row stays together with; None where it is a unit of its own."""
    unit = use_case.split_unit
    if unit == ROWS or (unit == RECORD and table.examples is None):
        return None
    values = table.tenant_id if unit == RECORD else table.split_values
    if values is None:
        raise ValueError(f"the table was read without the column {unit}")
    return np.unique(values, return_inverse=True)[1].reshape(-1)


def _by_time(table: FeatureTable, units: NDArray[np.integer] | None, use_case: UseCase) -> NDArray[np.str_]:
    """By the time of each row; of rows that stay together, by that of the latest."""
    times = table.moments
    if times is None:
        raise ValueError("the table was read without the times of its rows")
    if units is not None:
        latest = np.full(units.max() + 1, np.iinfo(np.int64).min)
        np.maximum.at(latest, units, times.astype("datetime64[us]").astype(np.int64))
        times = latest[units].astype("datetime64[us]")
    parts = split_by_time(times)
    if parts is None:
        whose = "the rows" if units is None else f"the latest rows of each {unit_words(use_case)}"
        raise AlgorithmError(
            f"{USE_CASE_FILE} key 'split' asks for an order of time, but {whose} have only {len(np.unique(times))} "
            "different times (as_of), and train, validation and test need one each: send rows of more times, or leave "
            "out split.time",
            code="too_few_times",
        )
    return parts


def unit_words(use_case: UseCase) -> str:
    """What the split keeps together, in a word: that for a record, or the name of a column."""
    return use_case.words.record if use_case.split_unit == RECORD else use_case.split_unit


def fitted_tenants(table: FeatureTable, use_case: UseCase) -> FittedTenants | None:
    """The tenants that an earlier release fitted its model on; None when its features cannot be split.

    Args:
        table: the features of the partition's tenants in that release.
        use_case: as ``split_tenants``.
    """
    table = with_label(table)
    try:
        split = split_tenants(table, use_case)
    except AlgorithmError:
        return None
    fitted = (split != TEST) & (split != "")
    values = None if table.split_values is None else np.unique(table.split_values[fitted])
    return FittedTenants(table.as_of, table.tenant_id[fitted], values)


def _strata(table: FeatureTable, use_case: UseCase) -> NDArray[np.integer]:
    if table.label is None:
        return thirds(marker_scores(table, usable_markers(table, use_case)[0]))
    return table.label.astype(np.int64) if use_case.labels.classes else _bands(table.label)


def _bands(labels: Floats) -> NDArray[np.int64]:
    ranks = np.empty(len(labels), dtype=np.int64)
    ranks[np.argsort(labels, kind="stable")] = np.arange(len(labels))
    return ranks * BANDS // max(len(labels), 1)
