"""A few tenants and what must be answered about them: what SmokeTest compares the endpoint with."""

from __future__ import annotations

from typing import Any

import numpy as np

from tenant_experience.features.table import FeatureTable
from tenant_experience.models.served_model import ServedModel
from tenant_experience.statistics.arrays import Floats

SMOKE_TEST_TENANTS = 8
SMOKE_TEST_TOLERANCE = 1e-6


def smoke_samples(model: ServedModel, test: FeatureTable, outputs: Floats) -> list[dict[str, Any]]:
    """Up to 8 tenants of the test part, spread over the whole range of what the model says.

    Args:
        model: as it will be served.
        test: the tenants of the test part.
        outputs: (tenants,) a number of the model's for each.

    Returns:
        ``instance`` as the endpoint is asked, and ``answer`` as ``ServedModel.answers`` tells it.
    """
    order = np.argsort(outputs, kind="stable")
    rows = order[np.unique(np.linspace(0, len(order) - 1, min(SMOKE_TEST_TENANTS, len(order))).round().astype(int))]
    days = test.side.get("exposure_days", np.full(len(test), np.nan))
    # 32-bit numbers, which is all a model sees of them, so that both sides redraw the very same values.
    values = model.scorer.encoding.matrix(test)[rows].astype(np.float64)
    return [
        {
            "instance": {
                "tenant_id": str(test.tenant_id[row]),
                "features": {name: _told(test, name, row) for name in model.scorer.manifest.features},
                "exposure_days": None if np.isnan(days[row]) else float(days[row]),
            },
            "answer": answer,
        }
        for row, answer in zip(rows, model.answers(values, days[rows]), strict=True)
    ]


def _told(table: FeatureTable, name: str, row: int) -> float | str | None:
    value = table.column(name)[row]
    if np.isnan(value):
        return None
    return table.categories[name][int(value)] if name in table.categories else float(np.float32(value))
