"""The e-mail about an execution that ended without a release."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tenant_experience.readable_text import readable_without_links

_UNCHANGED = "The live models were not changed."
_REDRIVE = f"{_UNCHANGED} Remove the cause, then redrive the execution; it resumes where it stopped."
_ADVICE = {
    "UserError": f"{_UNCHANGED} Correct the input and upload it as a new batch.",
    "AlgorithmError": f"{_UNCHANGED} No reliable model can be fitted to this data; the message above says why.",
    "ReleaseRejected": f"{_UNCHANGED} The models stay in the registry as Rejected, with the reason.",
    "ApprovalExpired": f"{_UNCHANGED} Upload the batch again to request a new decision.",
    "ReleaseSuperseded": "A release that began later is live. To release this batch instead, upload it again.",
}
_MAX_CAUSE = 4000


def write(detail: Mapping[str, Any]) -> tuple[str, str]:
    """The subject and the text.

    Args:
        detail: of the status-change event: name, status, error, cause, executionArn.
    """
    error = detail.get("error") or detail["status"]
    cause = _readable(detail.get("cause") or "No cause was given.")
    kind = error.split(".")[0]
    lines = [
        f"Release {detail['name']} did not go live: {error}",
        "",
        *(readable_without_links(line) for line in cause[:_MAX_CAUSE].splitlines()),
        "",
        _ADVICE.get(kind, _REDRIVE),
        "",
        f"Execution: {detail['executionArn']}",
    ]
    return f"Release {detail['name']}: {error}", "\n".join(lines)


def _readable(cause: str) -> str:
    """The part of a cause that a person needs: a failed job's cause is the whole job as JSON."""
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
    reason = document.get("ExitMessage") or document.get("FailureReason") or "no reason was given; see the job's log"
    return f"Job {name} is {status}: {reason}"
