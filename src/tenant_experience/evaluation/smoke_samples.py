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

    Args:
        model: the model that will be served.
        test: the tenants of the test part.
        outputs: (tenants,) a number from the model for each.
    """
    order = np.argsort(outputs, kind="stable")
    rows = order[np.unique(np.linspace(0, len(order) - 1, min(SMOKE_TEST_TENANTS, len(order))).round().astype(int))]
    days = test.side.get("exposure_days", np.full(len(test), np.nan))
    # 32-bit numbers, because a model sees no more of them, so that both sides redraw exactly the same values.
    values = model.scorer.encoding.matrix(test)[rows].astype(np.float64)
    return [
        SmokeSample(
            instance={
                "tenant_id": str(test.tenant_id[row]),
                "features": {name: _value(test, name, row) for name in model.scorer.manifest.features},
                "exposure_days": None if np.isnan(days[row]) else float(days[row]),
            },
            answer=answer,
        )
        for row, answer in zip(rows, model.answers(values, days[rows]), strict=True)
    ]


def _value(table: FeatureTable, name: str, row: int) -> float | str | None:
    value = table.column(name)[row]
    if np.isnan(value):
        return None
    return table.categories[name][int(value)] if name in table.categories else float(np.float32(value))
