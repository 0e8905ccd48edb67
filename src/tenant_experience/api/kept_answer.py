"""One kept answer: a row of ``predictions/`` and an item of the answer table, in the words of the API. No AWS.

An answer is that of ``GET /use-cases/{name}/records/{id}/prediction``, flattened, without what only the moment of
asking decides (``stale``).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tenant_experience.api.prediction import ModelPrediction, ServedTenant, describe_prediction
from tenant_experience.api.route_family import RECORD_ROUTES
from tenant_experience.use_case.served import ServedUseCase

Row = dict[str, Any]

# No answer is kept as stale: how old it is, is the reader's to see.
_NEVER_STALE = timedelta(days=1_000_000)
_COPIED = ("label_basis", "probability", "probability_basis", "model_probability", "history", "model_version", "scale")
_LARGEST_AGE_HR = 9_999_999


def answer_row(
    tenant: ServedTenant,
    prediction: ModelPrediction | None,
    use_case: ServedUseCase,
    *,
    scored_at: str,
    batch: str,
    run: str,
) -> Row:
    """What is kept of an answer.

    Args:
        tenant: the record.
        prediction: what its model answers; None when its history is too short for a model to be asked.
        use_case: names and words.
        scored_at: ISO 8601 UTC, the moment of the run's trigger.
        batch: whose answer it is.
        run: likewise.
    """
    described = describe_prediction(
        tenant,
        prediction,
        use_case,
        routes=RECORD_ROUTES,
        now=datetime.fromisoformat(scored_at),
        stale_after=_NEVER_STALE,
    )
    items = described["open_items"]
    return {
        "record_id": tenant.tenant_id,
        "portfolio_id": tenant.portfolio_id,
        "partition": tenant.partition_slug,
        "status": str(described["status"]),
        "answer": described[RECORD_ROUTES.label],
        **{name: described[name] for name in _COPIED},
        "probabilities": described.get("probabilities"),
        "value": described.get("value"),
        "value_of": described.get("value_of"),
        "unknown_categories": described.get("unknown_categories"),
        "reasons": [reason["text"] for reason in described["reasons"]],
        "counter_reasons": [reason["text"] for reason in described["counter_reasons"]],
        "open_items": items["count"],
        "oldest_open_hr": items["oldest_hr"],
        "as_of": tenant.as_of,
        "scored_at": scored_at,
        "batch": batch,
        "run": run,
    }


def attention(row: Mapping[str, Any], positive: str | None) -> str:
    """A text that sorts rows by who needs attention: the first comes first.

    First come records with the positive label, then other labels and numbers, then records without an answer; within
    each, the higher probability, and of numbers the earlier event or else the higher number; then the open item that is
    older.

    Args:
        row: as ``answer_row`` makes it.
        positive: the label that needs attention; None when no label is special.
    """
    answered = row["probability"] is not None or row["value"] is not None or row["answer"] is not None
    group = 2 if not answered else 0 if positive is not None and row["answer"] == positive else 1
    if row["value"] is not None:
        strength = -row["value"] if row["value_of"] else row["value"]
    else:
        strength = row["probability"] or 0.0
    age = min(_LARGEST_AGE_HR, max(0.0, row["oldest_open_hr"] or 0.0))
    return f"{group}#{_descending(strength)}#{_LARGEST_AGE_HR - int(age):07d}"


def _descending(number: float) -> str:
    """16 hexadecimal digits that sort as text in the reverse order of the numbers."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", number + 0.0))  # + 0.0: -0.0 is 0.0
    ascending = bits ^ (0xFFFF_FFFF_FFFF_FFFF if bits >> 63 else 0x8000_0000_0000_0000)
    return f"{ascending ^ 0xFFFF_FFFF_FFFF_FFFF:016x}"
