"""Failure on demand inside MiniStack: invocations of functions, and the calls that Step Functions makes.

Rules about SageMaker calls are asked in ``server/sagemaker_service.py``, and rules about HTTP requests in the gateway.
"""

from __future__ import annotations

import re
import time
from typing import Any

from botocore.exceptions import UnknownServiceError
from ministack.services import lambda_svc
from ministack.services import stepfunctions as sfn

from local_aws.faults.rules import FaultError, Faults, Rule
from local_aws.http.service_model import service_model

_INTEGRATION = re.compile(r"arn:aws:states:::(?P<sdk>aws-sdk:)?(?P<service>\w+):(?P<action>\w+)")
_ELSEWHERE = frozenset({"lambda", "sagemaker", "states"})
_SDK_NAMES = {"s3": "S3", "dynamodb": "DynamoDb", "sfn": "Sfn"}
_BOTO_NAMES = {"sfn": "stepfunctions"}
_THROTTLED = "TooManyRequestsException"

_run_function = lambda_svc._execute_function_dispatch
_invoke_resource = sfn._invoke_resource


def install(faults: Faults) -> None:
    """Ask the rules before a function runs, and before a task calls a service."""

    def run(func: dict[str, Any], config: dict[str, Any], *more: Any) -> Any:
        rule = faults.find("function", config.get("FunctionName", "")) if faults.rules else None
        if rule is None:
            return _run_function(func, config, *more)
        time.sleep(rule.delay)
        answer = _run_function(func, config, *more) if rule.code is None or rule.loses_answer else None
        return answer if rule.code is None else _failed(rule)

    def invoke(resource: str, arguments: Any) -> Any:
        integration = _INTEGRATION.match(resource) if faults.rules else None
        if integration is None or integration["service"] in _ELSEWHERE:
            return _invoke_resource(resource, arguments)
        service = _BOTO_NAMES.get(integration["service"], integration["service"])
        operation = integration["action"][:1].upper() + integration["action"][1:]
        try:
            return faults.perform(service, operation, arguments, lambda: _invoke_resource(resource, arguments))
        except FaultError as error:
            name = _error_name(service, integration["service"], error.code, is_sdk=integration["sdk"] is not None)
            raise sfn._ExecutionError(name, f"{error.message} (Status Code: {error.status})") from error

    lambda_svc._execute_function_dispatch = run
    sfn._invoke_resource = invoke


def _failed(rule: Rule) -> dict[str, Any]:
    """MiniStack's result of a failed invocation; a throttled one has its own form."""
    body = {"errorType": rule.code, "errorMessage": rule.message}
    if rule.code == _THROTTLED:
        thrown = {"__type": _THROTTLED, "message": rule.message, "Reason": "ConcurrentInvocationLimitExceeded"}
        return {
            "throttle": True,
            "error": True,
            "log": "",
            "body": {**body, **thrown, "errorType": f"Lambda.{_THROTTLED}"},
        }
    return {"error": True, "log": "", "body": body}


def _error_name(service: str, integration: str, code: str, *, is_sdk: bool) -> str:
    """The error's name in Step Functions, for example ``S3.NoSuchKeyException`` or ``SNS.ThrottledException``.

    Errors that the service's model does not have get the service's general name: in an SDK integration that of the AWS
    SDK for Java 2 (``S3.S3Exception``), in an optimized one that of version 1 (``SNS.AmazonSNSException``).
    """
    prefix = _SDK_NAMES.get(integration, integration.capitalize()) if is_sdk else integration.upper()
    try:
        shapes = service_model(service).error_shapes
    except UnknownServiceError:
        shapes = []
    for shape in shapes:
        if code in (shape.name, shape.metadata.get("error", {}).get("code")):
            return f"{prefix}.{shape.name if shape.name.endswith('Exception') else shape.name + 'Exception'}"
    return f"{prefix}.{prefix}Exception" if is_sdk else f"{prefix}.Amazon{prefix}Exception"
