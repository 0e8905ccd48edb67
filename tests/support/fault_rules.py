"""Rules of the laptop's AWS for failures on demand (see local_aws/README.md)."""

from __future__ import annotations

from typing import Any

THROTTLED = {"code": "ThrottlingException", "message": "Rate exceeded"}
NOT_READY = {"code": "ModelNotReadyException", "status": 429}
CONFLICT = {"code": "TransactionCanceledException", "message": "Transaction cancelled [TransactionConflict]"}


def operation(name: str, code: str | dict[str, Any], status: int = 400, **more: Any) -> dict[str, Any]:
    """The operation fails with this error."""
    error = code if isinstance(code, dict) else {"code": code, "status": status}
    return {"operation": name, "error": error, **more}
