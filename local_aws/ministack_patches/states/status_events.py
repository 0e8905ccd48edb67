"""The "Step Functions Execution Status Change" event, with error and cause of every execution that failed.

The metrics of executions are counted here too. Sources:
https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import cloudwatch, eventbridge
from ministack.services import stepfunctions as sfn

from local_aws.ministack_patches.states import fields

_MAX_PAYLOAD_BYTES = 248 * 1024
_METRICS = {
    "RUNNING": "ExecutionsStarted",
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}
REDRIVABLE = ("FAILED", "TIMED_OUT", "ABORTED")


def install() -> None:
    """Replace MiniStack's event, which lacks time-outs and the causes of aborts."""
    sfn._emit_execution_status_event = emit


def emit(execution: dict[str, Any]) -> None:
    """Put the event of an execution's current status on the default bus."""
    if execution.get("sync"):
        return
    _count(execution)
    eventbridge._put_events(
        {
            "Entries": [
                {
                    "Source": "aws.states",
                    "DetailType": "Step Functions Execution Status Change",
                    "Detail": json.dumps(_detail(execution)),
                    "Resources": [execution["executionArn"]],
                }
            ]
        },
        allow_aws_source=True,
    )


def _count(execution: dict[str, Any]) -> None:
    of = {"StateMachineArn": execution["stateMachineArn"]}
    name = _METRICS.get(execution["status"])
    if name is not None:
        cloudwatch.record_metric("AWS/States", name, 1, "Count", of)
    begin, end = (fields.epoch_milliseconds(execution.get(key)) for key in ("startDate", "stopDate"))
    if begin is not None and end is not None:
        cloudwatch.record_metric("AWS/States", "ExecutionTime", end - begin, "Milliseconds", of)


def _detail(execution: dict[str, Any]) -> dict[str, Any]:
    status = execution["status"]
    failed = status in REDRIVABLE
    given, given_details = _payload(execution["input"])
    output, output_details = _payload(execution["output"] if status == "SUCCEEDED" else None)
    return {
        "executionArn": execution["executionArn"],
        "stateMachineArn": execution["stateMachineArn"],
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "name": execution["name"],
        "status": status,
        "startDate": fields.epoch_milliseconds(execution["startDate"]),
        "stopDate": fields.epoch_milliseconds(execution["stopDate"]),
        "input": given,
        "inputDetails": given_details,
        "output": output,
        "outputDetails": output_details,
        "error": execution.get("error") if failed else None,
        "cause": execution.get("cause") if failed else None,
        "redriveCount": execution.get("redriveCount", 0),
        "redriveDate": fields.epoch_milliseconds(execution.get("redriveDate")),
        "redriveStatus": "REDRIVABLE" if failed else "NOT_REDRIVABLE",
        "redriveStatusReason": None if failed else f"Execution is {status} and cannot be redriven",
    }


def _payload(text: str | None) -> tuple[str | None, dict[str, bool] | None]:
    """The text and its details. Text over 248 KiB is left out, and the details say so."""
    if text is None:
        return None, None
    included = len(text.encode()) <= _MAX_PAYLOAD_BYTES
    return (text if included else None), {"included": included}
