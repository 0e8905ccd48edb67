"""What a state machine's role needs: for each task, for the children of a map, and for the machine's creation.

Sources: https://docs.aws.amazon.com/step-functions/latest/dg/service-integration-iam-templates.html (actions and
resources), and the errors of executions as people report them, e.g. aws/aws-cdk#32294 (AddTags) and
serverless-operations/serverless-step-functions#385 (managed rules are checked when the machine is created).
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core import responses
from ministack.services import stepfunctions as sfn
from ministack.services.cloudformation import provisioners

from local_aws.ministack_patches.iam import permissions
from local_aws.ministack_patches.iam.permissions import Action, Session
from local_aws.ministack_patches.states import running

_INTEGRATION = re.compile(r"arn:aws:states:::(?:aws-sdk:)?(?P<service>\w+):(?P<action>\w*)")
# Error name, service and status as the integration's SDK (1 for the optimized ones, 2 for aws-sdk) writes them.
_OPTIMIZED = {
    "lambda": ("Lambda.AWSLambdaException", "AWSLambda", 403, "AccessDeniedException"),
    "sns": ("SNS.AuthorizationErrorException", "AmazonSNS", 403, "AuthorizationError"),
    "sqs": ("SQS.AmazonSQSException", "AmazonSQS", 403, "AccessDenied"),
    "dynamodb": ("DynamoDB.AmazonDynamoDBException", "AmazonDynamoDBv2", 400, "AccessDeniedException"),
    "events": ("EventBridge.AmazonEventBridgeException", "AmazonEventBridge", 400, "AccessDeniedException"),
    "states": ("StepFunctions.AWSStepFunctionsException", "AWSStepFunctions", 400, "AccessDeniedException"),
    "sagemaker": ("SageMaker.AmazonSageMakerException", "AmazonSageMaker", 400, "AccessDeniedException"),
}
_SDK_SERVICES = {
    "dynamodb": "DynamoDb",
    "eventbridge": "EventBridge",
    "lambda": "Lambda",
    "s3": "S3",
    "sagemaker": "SageMaker",
    "sfn": "Sfn",
    "sns": "Sns",
    "sqs": "Sqs",
}
_PREFIXES = {"eventbridge": "events", "sfn": "states"}  # where IAM's name differs from the SDK's
_LOG_DELIVERY = (
    "CreateLogDelivery",
    "GetLogDelivery",
    "UpdateLogDelivery",
    "DeleteLogDelivery",
    "ListLogDeliveries",
    "PutResourcePolicy",
    "DescribeResourcePolicies",
    "DescribeLogGroups",
)
_MANAGED_RULES = {
    "sagemaker:createProcessingJob": "StepFunctionsGetEventsForSageMakerProcessingJobsRule",
    "sagemaker:createTrainingJob": "StepFunctionsGetEventsForSageMakerTrainingJobsRule",
    "sagemaker:createTransformJob": "StepFunctionsGetEventsForSageMakerTransformJobsRule",
    "sagemaker:createHyperParameterTuningJob": "StepFunctionsGetEventsForSageMakerTuningJobsRule",
    "states:startExecution": "StepFunctionsGetEventsForStepFunctionsExecutionRule",
}
_update_machine = sfn._update_state_machine
_handlers = provisioners._RESOURCE_HANDLERS["AWS::StepFunctions::StateMachine"]
_create_resource = _handlers["create"]


def install() -> None:
    """Check a machine's role when a template makes it, and when it is changed. ``api`` asks ``refusal_of_creation``."""
    sfn._update_state_machine = _update_checked
    _handlers["create"] = _create_resource_checked


def demand(resource: str, action: Action) -> None:
    """Fail the task unless the role of the running execution allows ``action``.

    Args:
        resource: the task's resource, which decides the wording of the refusal.
        action: what the task does.

    Raises:
        sfn._ExecutionError: the integration's error, with AWS's sentence.
    """
    refused = permissions.refusal(_session(), action)
    if refused is not None:
        raise _error(resource, refused)


def demand_for_task(resource: str, arguments: Any) -> None:
    """Fail the task unless the role may do it. SageMaker's calls are checked where they are made."""
    for action in _of_task(resource, arguments):
        demand(resource, action)


def demand_for_reader(reader: dict[str, Any]) -> None:
    """Fail unless the role may read the items of a Distributed Map.

    Raises:
        sfn._ExecutionError: ``States.ItemReaderFailed``.
    """
    given = reader.get("Arguments") or reader.get("Parameters") or {}
    bucket = f"arn:aws:s3:::{given.get('Bucket')}"
    if reader.get("Resource", "").endswith("listObjectsV2"):
        action = Action("s3:ListBucket", bucket, {"s3:prefix": given.get("Prefix", "")})
    else:
        action = Action("s3:GetObject", f"{bucket}/{given.get('Key')}")
    refused = permissions.refusal(_session(), action)
    if refused is not None:
        raise sfn._ExecutionError("States.ItemReaderFailed", refused)


def demand_for_children(name: str, resource: str) -> None:
    """Fail unless the role may do ``states:`` actions that a Distributed Map needs."""
    demand("arn:aws:states:::states:", Action(f"states:{name}", resource))


def asker_about_children(children: str) -> Callable[[], bool]:
    """A function that says, at any time and in any thread, whether the children of a map may be stopped."""
    session = _session()
    return lambda: permissions.is_allowed(session, Action("states:StopExecution", children))


def _session() -> Session:
    run = running.current()
    digest = hashlib.md5(run.execution["executionArn"].encode(), usedforsecurity=False).hexdigest()
    return Session(run.role_arn, digest)


def _error(resource: str, sentence: str) -> Any:
    found = _INTEGRATION.match(resource)
    service = found["service"] if found else "lambda"
    request_id = uuid.uuid4()
    if ":aws-sdk:" in resource:
        name = _SDK_SERVICES.get(service, service[:1].upper() + service[1:])
        status = 403 if service in ("s3", "sns", "sqs", "lambda") else 400
        cause = f"{sentence} (Service: {name}, Status Code: {status}, Request ID: {request_id})"
        return sfn._ExecutionError(f"{name}.{name}Exception", cause)
    error, client, status, code = _OPTIMIZED.get(
        service, (f"{service.capitalize()}.AccessDeniedException", service, 400, "AccessDeniedException")
    )
    cause = (
        f"{sentence} (Service: {client}; Status Code: {status}; Error Code: {code}; Request ID: {request_id}; "
        "Proxy: null)"
    )
    return sfn._ExecutionError(error, cause)


def _of_task(resource: str, arguments: Any) -> Iterator[Action]:
    if resource.startswith("arn:aws:lambda:"):
        yield Action("lambda:InvokeFunction", resource)
        return
    found = _INTEGRATION.match(resource)
    if found is None or found["service"] == "sagemaker":
        return
    service, action = found["service"], found["action"]
    given = arguments if isinstance(arguments, dict) else {}
    if service == "events" or (service, action) == ("eventbridge", "putEvents"):
        for entry in given.get("Entries", []):
            named = {"events:source": entry.get("Source"), "events:detail-type": entry.get("DetailType")}
            yield Action("events:PutEvents", _bus(entry.get("EventBusName", "default")), named)
        return
    if service == "lambda":
        yield Action("lambda:InvokeFunction", _arn("lambda", f"function:{given.get('FunctionName')}"))
        return
    prefix = _PREFIXES.get(service, service)
    yield Action(f"{prefix}:{action[:1].upper()}{action[1:]}", _resource(service, given))


def _resource(service: str, given: dict[str, Any]) -> str:
    """The ARN of a call's resource: from the usual parameters, otherwise the first ARN, otherwise ``*``."""
    if service == "s3" and "Bucket" in given:
        return f"arn:aws:s3:::{given['Bucket']}" + (f"/{given['Key']}" if "Key" in given else "")
    if service == "dynamodb" and "TableName" in given:
        return _arn("dynamodb", f"table/{given['TableName']}")
    if service == "sqs" and "QueueUrl" in given:
        return _arn("sqs", given["QueueUrl"].rpartition("/")[2])
    return next((value for value in given.values() if isinstance(value, str) and value.startswith("arn:")), "*")


def _arn(service: str, name: str) -> str:
    ending = name.partition(":")[2] or name
    if ending.startswith("arn:"):
        return ending
    if name.startswith("table/arn:"):
        return name.partition("/")[2]
    return f"arn:aws:{service}:{responses.get_region()}:{responses.get_account_id()}:{name}"


def _bus(name: str) -> str:
    return name if name.startswith("arn:") else _arn("events", f"event-bus/{name}")


def refusal_of_creation(data: dict[str, Any]) -> Any:
    """The answer to CreateStateMachine when the machine's role lacks rights; None when it has them."""
    role, definition = data.get("roleArn", ""), data.get("definition", "{}")
    refused = _refusal_of_role(data.get("name", ""), role, definition, data.get("loggingConfiguration"))
    return _denied(refused) if refused else None


def _update_checked(data: dict[str, Any]) -> Any:
    machine = sfn._state_machines.get(data.get("stateMachineArn"))
    if machine is not None:
        new = {**machine, **data}
        refused = _refusal_of_role(machine["name"], new["roleArn"], new["definition"], new.get("loggingConfiguration"))
        if refused:
            return _denied(refused)
    return _update_machine(data)


def _create_resource_checked(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
    definition = provisioners._sfn_definition(props)
    logging = props.get("LoggingConfiguration")
    refused = _refusal_of_role(logical_id, props.get("RoleArn", ""), definition, logging)
    if refused:
        raise ValueError(f"{refused} (Service: AWSStepFunctions; Status Code: 400; Error Code: AccessDeniedException)")
    return _create_resource(logical_id, props, stack_name)


def _refusal_of_role(name: str, role_arn: str, definition: str, logging: dict[str, Any] | None) -> str | None:
    """Why a machine may not be made with this role. MiniStack refuses a role that does not exist."""
    session = Session(role_arn, name)
    try:
        resources = set(_task_resources(json.loads(definition)))
    except (ValueError, AttributeError):
        return None  # the checks of the definition refuse it
    if role_arn.count(":") < 5:
        return None
    rules = {rule for resource in resources if ".sync" in resource and (rule := _managed_rule(resource))}
    wanted = [
        Action(f"events:{verb}", _arn("events", f"rule/{rule}"))
        for rule in sorted(rules)
        for verb in ("PutTargets", "PutRule", "DescribeRule")
    ]
    if not all(permissions.is_allowed(session, action) for action in wanted):
        return f"'{role_arn}' is not authorized to create managed-rule."
    level = (logging or {}).get("level") or (logging or {}).get("Level") or "OFF"
    delivery = [Action(f"logs:{verb}", "*") for verb in _LOG_DELIVERY] if level != "OFF" else []
    if not all(permissions.is_allowed(session, action) for action in delivery):
        return "The state machine IAM Role is not authorized to access the Log Destination"
    return None


def _managed_rule(resource: str) -> str | None:
    found = _INTEGRATION.match(resource)
    return _MANAGED_RULES.get(f"{found['service']}:{found['action']}") if found else None


def _task_resources(machine: dict[str, Any]) -> Iterator[str]:
    for state in machine.get("States", {}).values():
        if state.get("Type") == "Task":
            yield state.get("Resource", "")
        for inner in (state.get("ItemProcessor"), state.get("Iterator"), *state.get("Branches", [])):
            if inner:
                yield from _task_resources(inner)


def _denied(message: str) -> Any:
    return responses.error_response_json("AccessDeniedException", message, 400)
