"""What the demo writes down: ``.local/demo.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError
from rich.console import Console
from rich.table import Table

from demo.laptop import LOCAL, Stack
from demo.run import Choice, Release

PATH = LOCAL / "demo.json"


def write(stack: Stack, done: Release, choice: Choice, prediction: dict[str, Any] | None) -> dict[str, Any]:
    """Collect the figures of one release from the services themselves, and write them."""
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
        "decision": {"decision": choice.decision, "approver": choice.approver, "reason": choice.reason},
        "model_packages": packages(stack, done.release),
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


def show(stack: Stack, done: Release, console: Console) -> None:
    """The models of another use case than the API's: they are in the registry, and the endpoint serves them."""
    table = Table("model package", "status", "figures", title="Model Registry")
    for package in packages(stack, done.release):
        figures = ", ".join(f"{name} {value:.3f}" for name, value in package["metrics"].items())
        table.add_row(package["arn"].partition("/")[2], package["status"], figures)
    console.print(table)


def packages(stack: Stack, release: str) -> list[dict[str, Any]]:
    """The model packages that a release registered: arn, status, reason, metrics."""
    sagemaker = boto3.client("sagemaker")
    prefix = stack.outputs["ModelPackageGroupPrefix"]
    found = []
    groups = sagemaker.get_paginator("list_model_package_groups").paginate(NameContains=prefix)
    for group in (group for page in groups for group in page["ModelPackageGroupSummaryList"]):
        packages = sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group["ModelPackageGroupName"]
        )
        for listed in (package for page in packages for package in page["ModelPackageSummaryList"]):
            package = sagemaker.describe_model_package(ModelPackageName=listed["ModelPackageArn"])
            metadata = package.get("CustomerMetadataProperties", {})
            if metadata.get("release") == release:
                found.append(
                    {
                        "arn": package["ModelPackageArn"],
                        "status": package["ModelApprovalStatus"],
                        "reason": package.get("ApprovalDescription"),
                        "metrics": {name: _number(text) for name, text in metadata.items() if _is_number(name, text)},
                    }
                )
    return found


def _is_number(name: str, text: str) -> bool:
    return name not in ("release", "tenants") and _number(text) is not None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _endpoint(stack: Stack) -> dict[str, Any]:
    name = stack.outputs["EndpointName"]
    try:
        found = boto3.client("sagemaker").describe_endpoint(EndpointName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise
        return {"name": name, "status": None}
    return {"name": name, "status": found["EndpointStatus"], "config": found["EndpointConfigName"]}


def relative(path: Path) -> str:
    """A path as a person in the repository types it."""
    return str(path.relative_to(LOCAL.parent))
