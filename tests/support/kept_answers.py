"""Answers that are kept, and what they are made of."""

from __future__ import annotations

from typing import Any

from tenant_experience.api.kept_answer import answer_row
from tenant_experience.api.prediction import ModelPrediction, ServedTenant
from tenant_experience.use_case.served import parse
from tests.support.places import USE_CASE_FOLDER

USE_CASE = parse((USE_CASE_FOLDER / "use_case.yaml").read_bytes())
SCORED_AT = "2026-11-02T03:00:00Z"
PREDICTION = ModelPrediction.read(
    {
        "status": "scored",
        "experience": "bad",
        "probability": 0.75,
        "contributions": {"work_order_count": 0.5, "answer_rate": -0.25},
        "contributions_for": "bad",
    },
    model_version="r1",
    scale="global",
)


def tenant(history: str = "sufficient") -> ServedTenant:
    values, side = {"work_order_count": 7.0}, {"open_count": 2.0, "oldest_open_hr": 30.0, "exposure_days": 365.0}
    moment = "2026-11-01T00:00:00Z"
    return ServedTenant("T1", "Tower 7", "all", moment, "r1", history, values, side, "portfolio_id")


def row_of(record: str, probability: float | None, **changes: Any) -> dict[str, Any]:
    """An answer of ``record``; one without a probability has no answer."""
    row = answer_row(tenant(), PREDICTION, USE_CASE, scored_at=SCORED_AT, batch="b1", run="r")
    label = None if probability is None else "bad"
    return row | {"record_id": record, "probability": probability, "answer": label, **changes}
