"""Payloads of more than 256 KiB are refused, as AWS refuses them.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html (state machine execution quotas).
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import stepfunctions as sfn

MAX_PAYLOAD_BYTES = 262_144


def check_payload(value: Any, what: str) -> None:
    """Refuse a value whose JSON is over the limit.

    Args:
        value: anything JSON can hold.
        what: for the cause, e.g. ``state 'TrainModels'``.

    Raises:
        sfn._ExecutionError: ``States.DataLimitExceeded``.
    """
    if len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_PAYLOAD_BYTES:
        raise sfn._ExecutionError(
            "States.DataLimitExceeded",
            f"The {what} returned a result with a size exceeding the maximum number of bytes service limit.",
        )
