"""Which IAM actions on which resources a SageMaker call needs.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

REGION = "us-east-1"
_VERBS = re.compile(r"(Create|Describe|Update|Delete|Stop|List|Add|Search|Batch)")
_OF_ENDPOINT_AND_CONFIG = ("CreateEndpoint", "UpdateEndpoint")  # actions on two resources
_PASSED_ROLES = ("RoleArn", "ExecutionRoleArn")
_FEATURE_STORE_ACTIONS = {"BatchWriteRecord": ("BatchWriteRecord", "PutRecord")}


@dataclass(frozen=True)
class Action:
    """One check: an action, its resource, and its condition keys."""

    name: str
    resource: str
    conditions: dict[str, str] = field(default_factory=dict)


def of_control_plane(operation: str, request: dict[str, Any], account: str) -> list[Action]:
    """The operation itself, ``AddTags`` when it has tags, and ``iam:PassRole`` for each role it passes to SageMaker."""
    resource = _resource(operation, request, account)
    actions = [Action(f"sagemaker:{operation}", resource)]
    if operation in _OF_ENDPOINT_AND_CONFIG and "EndpointConfigName" in request:
        config = _arn("endpoint-config", request["EndpointConfigName"], account)
        actions.append(Action(f"sagemaker:{operation}", config))
    if request.get("Tags") and operation.startswith("Create"):
        actions.append(Action("sagemaker:AddTags", resource))
    actions += [
        Action("iam:PassRole", part[member], {"iam:PassedToService": "sagemaker.amazonaws.com"})
        for part in (request, request.get("TrainingJobDefinition", {}))  # a tuning job passes its jobs' role
        for member in _PASSED_ROLES
        if member in part
    ]
    return actions


def of_feature_store(operation: str, request: dict[str, Any], account: str) -> list[Action]:
    """The actions on each feature group. A request may name a group by an ARN, whose last part is the name.

    Source: SageMaker developer guide, Feature Store, "Security and access control".
    """
    named = [request, *request.get("Identifiers", []), *request.get("Entries", [])]
    groups = dict.fromkeys(item["FeatureGroupName"].rpartition("/")[2] for item in named if "FeatureGroupName" in item)
    names = _FEATURE_STORE_ACTIONS.get(operation, (operation,))
    return [Action(f"sagemaker:{name}", _arn("feature-group", group, account)) for group in groups for name in names]


def invoke(endpoint: str, account: str) -> Action:
    """InvokeEndpoint on an endpoint."""
    return Action("sagemaker:InvokeEndpoint", _arn("endpoint", endpoint, account))


def _resource(operation: str, request: dict[str, Any], account: str) -> str:
    """The ARN of the operation's resource; ``*`` for lists and searches."""
    for member in ("ResourceArn", "ModelPackageArn"):
        if member in request:
            return str(request[member])
    kind = _VERBS.sub("", operation, count=1)
    name = request.get(f"{kind}Name")
    if name is None and kind == "ModelPackage" and "ModelPackageGroupName" in request:
        return _arn("model-package", f"{request['ModelPackageGroupName']}/*", account)
    if operation.startswith(("List", "Search")) or name is None:
        return "*"
    return _arn(re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind).lower(), name, account)


def _arn(kind: str, name: str, account: str) -> str:
    if name.startswith("arn:"):
        return name
    return f"arn:aws:sagemaker:{REGION}:{account}:{kind}/{name.lower()}"
