"""Whether what a model publishes comes true in a period that it has not seen."""

from __future__ import annotations

import numpy as np

from tenant_experience.features.table import INSUFFICIENT, FeatureTable
from tenant_experience.groups.backtest import reliability
from tenant_experience.groups.next_period import Reliability
from tenant_experience.models.served_model import ServedModel


def came_true(model: ServedModel, now: FeatureTable, following: FeatureTable) -> Reliability:
    """The published probabilities of the tenants that have enough history in both periods, against the rule's label.

    Args:
        model: of two groups.
        now: the period that the answers are about to follow.
        following: the next one.
    """
    assert model.grouping
    now, following = (table.take(table.history != INSUFFICIENT) for table in (now, following))
    _, first, second = np.intersect1d(now.tenant_id, following.tenant_id, return_indices=True)
    now, following = now.take(first), following.take(second)
    answers = model.answers(model.scorer.encoding.matrix(now), now.side["exposure_days"])
    told = np.asarray([np.nan if each["probability"] is None else each["probability"] for each in answers])
    known = ~np.isnan(told)
    shares = np.column_stack([1 - told, told])[known]
    return reliability(shares, model.grouping.assign(following).astype(np.intp)[known])
