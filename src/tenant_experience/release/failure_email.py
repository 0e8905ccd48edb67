"""The e-mail about an execution that ended without a release."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_UNCHANGED = "The models that answer now were not changed."
_REDRIVE = f"{_UNCHANGED} When the cause is gone, redrive the execution: it goes on where it stopped."
_ADVICE = {
    "UserError": f"{_UNCHANGED} Mend the input and upload it as a new batch.",
    "AlgorithmError": f"{_UNCHANGED} The data does not carry an honest model: see the message.",
    "ReleaseRejected": f"{_UNCHANGED} The models are in the registry, Rejected, with the reason.",
    "ApprovalExpired": f"{_UNCHANGED} Upload the batch again for a new decision.",
    "ReleaseSuperseded": "A later release answers. Upload the batch again if this one should.",
}
_MAX_CAUSE = 4000


def write(detail: Mapping[str, Any]) -> tuple[str, str]:
    """The subject and the text.

    Args:
        detail: of the status-change event: name, status, error, cause, executionArn.
    """
    error = detail.get("error") or detail["status"]
    cause = _readable(detail.get("cause") or "(no cause given)")
    kind = error.split(".")[0]
    lines = [
        f"Release {detail['name']} ended: {error}",
        "",
        cause[:_MAX_CAUSE],
        "",
        _ADVICE.get(kind, _REDRIVE),
        "",
        f"Execution: {detail['executionArn']}",
    ]
    return f"Release {detail['name']}: {error}", "\n".join(lines)


def _readable(cause: str) -> str:
    """A failed job's cause is the whole job as JSON: keep what a person needs."""
    try:
        document = json.loads(cause)
    except ValueError:
        return cause
    if not isinstance(document, dict):
        return cause
    if "errorMessage" in document:  # a Lambda's
        return f"{document.get('errorType', 'Error')}: {document['errorMessage']}"
    name = document.get("ProcessingJobName") or document.get("TrainingJobName")
    if name is None:
        return cause
    status = document.get("ProcessingJobStatus") or document.get("TrainingJobStatus")
    reason = document.get("ExitMessage") or document.get("FailureReason") or "no reason given: see its log"
    return f"Job {name} is {status}: {reason}"
