"""A few tenants and the answers expected for them: SmokeTest compares the endpoint with these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tenant_experience.features.table import FeatureTable
from tenant_experience.models.served_model import ServedModel
from tenant_experience.statistics.arrays import Floats

SMOKE_TEST_TENANTS = 8
SMOKE_TEST_TOLERANCE = 1e-6


@dataclass(frozen=True)
class SmokeSample:
    """One tenant.

    Attributes:
        instance: what the endpoint is asked.
        answer: what it must answer, see ``ServedModel.answers``.
    """

    instance: dict[str, Any]
    answer: dict[str, Any]


def smoke_samples(model: ServedModel, test: FeatureTable, outputs: Floats) -> list[SmokeSample]:
    """Up to 8 tenants of the test part, spread over the whole range of the model's answers.

    Where labels come from groups, every other tenant is asked about without one of the markers, because the model then
    decides the label and not the rule.

    Args:
        model: the model that will be served.
        test: the tenants of the test part.
        outputs: (tenants,) a number from the model for each.
    """
    order = np.argsort(outputs, kind="stable")
    rows = order[np.unique(np.linspace(0, len(order) - 1, min(SMOKE_TEST_TENANTS, len(order))).round().astype(int))]
    days = test.side.get("exposure_days", np.full(len(test), np.nan))
    encoding = model.scorer.encoding
    values = encoding.matrix(test)[rows]
    hidden = [_hidden_marker(model, place) for place in range(len(rows))]
    for place, name in enumerate(hidden):
        if name is not None:
            values[place, encoding.columns.index(name)] = np.nan
    return [
        SmokeSample(
            instance={
                "tenant_id": str(test.tenant_id[row]),
                "features": {
                    name: None if name == unknown else _value(model, test, name, row)
                    for name in model.scorer.manifest.features
                },
                "exposure_days": None if np.isnan(days[row]) else float(days[row]),
            },
            answer=answer,
        )
        for row, unknown, answer in zip(rows, hidden, model.answers(values, days[rows]), strict=True)
    ]


def _hidden_marker(model: ServedModel, place: int) -> str | None:
    if model.grouping is None or place % 2 == 0:
        return None
    markers = model.grouping.markers
    return markers[place // 2 % len(markers)].name


def _value(model: ServedModel, table: FeatureTable, name: str, row: int) -> float | str | None:
    if name == model.scorer.encoding.numbered:
        return str(table.portfolio_id[row]) or None
    value = table.column(name)[row]
    if np.isnan(value):
        return None
    return table.categories[name][int(value)] if name in table.categories else float(np.float32(value))
