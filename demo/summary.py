"""The figures of the demo's release, written to ``.local/demo.json``."""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore.exceptions import ClientError

from operations.laptop import LOCAL
from operations.releases import Decision, FinishedRelease, model_packages
from operations.stack import Stack

PATH = LOCAL / "demo.json"


def write(stack: Stack, done: FinishedRelease, decision: Decision, prediction: dict[str, Any] | None) -> dict[str, Any]:
    """Collect the figures of one release from the services, write them to PATH and return them."""
    summary: dict[str, Any] = {
        "release": done.release,
        "execution": {
            "arn": done.execution["executionArn"],
            "status": done.execution["status"],
            "error": done.execution.get("error"),
            "cause": done.execution.get("cause"),
        },
        "seconds": round(done.seconds, 1),
        "states": done.visited,
        "decision": {"decision": decision.choice, "approver": decision.approver, "reason": decision.reason},
        "model_packages": model_packages(stack, done.release),
        "endpoint": _endpoint(stack),
        "api_url": stack.api_url,
        "mailbox_url": stack.mailbox_url,
        "metrics": {},
        "prediction": prediction,
    }
    for package in summary["model_packages"]:
        summary["metrics"] = summary["metrics"] or package["metrics"]
    PATH.write_text(json.dumps(summary, indent=2, default=str) + "\n")
    return summary


def _endpoint(stack: Stack) -> dict[str, Any]:
    name = stack.outputs["EndpointName"]
    try:
        found = boto3.client("sagemaker").describe_endpoint(EndpointName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise
        return {"name": name, "status": None}
    return {"name": name, "status": found["EndpointStatus"], "config": found["EndpointConfigName"]}
