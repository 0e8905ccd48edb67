"""Which tenants of a partition train a model, stop its training and test it; also asked of an earlier release."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenant_experience.errors import AlgorithmError
from tenant_experience.features.table import INSUFFICIENT, FeatureTable
from tenant_experience.groups.markers import marker_scores, usable_markers
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.ranks import thirds
from tenant_experience.statistics.splitting import TEST, split_rows
from tenant_experience.use_case.schema import UseCase

# The number of equally large bands from which numbers are drawn evenly.
BANDS = 10


@dataclass(frozen=True)
class FittedTenants:
    """The tenants that a model was fitted on: those of the training part and of the validation part.

    Attributes:
        as_of: the moment that their features describe.
        tenant_id: their ids.
    """

    as_of: str
    tenant_id: NDArray[np.str_]


def with_label(table: FeatureTable) -> FeatureTable:
    """The tenants that get a label: those with enough history and, if labels come from a column, a value there."""
    known = table.history != INSUFFICIENT
    return table.take(known if table.label is None else known & ~np.isnan(table.label))


def split_tenants(table: FeatureTable, use_case: UseCase) -> NDArray[np.str_]:
    """The part of each tenant, shape (tenants,); empty for those that may not train.

    Parts have the same shares of each class, of bands of a number, or of thirds by the rank score of the markers.

    Args:
        table: from ``with_label``.
        use_case: its markers or classes.

    Raises:
        AlgorithmError: ``no_markers``.
    """
    split = np.full(len(table), "", dtype="<U10")
    learnable = table.take(table.may_train)
    split[table.may_train] = split_rows(learnable.row_keys(), _strata(learnable, use_case))
    return split


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
    return FittedTenants(table.as_of, table.tenant_id[(split != TEST) & (split != "")])


def _strata(table: FeatureTable, use_case: UseCase) -> NDArray[np.integer]:
    if table.label is None:
        return thirds(marker_scores(table, usable_markers(table, use_case)[0]))
    return table.label.astype(np.int64) if use_case.labels.classes else _bands(table.label)


def _bands(labels: Floats) -> NDArray[np.int64]:
    ranks = np.empty(len(labels), dtype=np.int64)
    ranks[np.argsort(labels, kind="stable")] = np.arange(len(labels))
    return ranks * BANDS // max(len(labels), 1)
