"""Step Functions' SageMaker integrations: optimized with ``.sync``, and ``aws-sdk:sagemaker``."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from ministack.core import responses
from ministack.services import stepfunctions as sfn

from local_aws.http import sagemaker_iam_actions
from local_aws.http.service_model import ParseError, parse_request, service_model
from local_aws.ministack_patches.iam.permissions import Action
from local_aws.ministack_patches.states import rights, running, task
from local_aws.ministack_patches.states.aws_sdk import sdk_member_name

Call = Callable[[str, dict[str, Any]], dict[str, Any]]

_OPTIMIZED = "arn:aws:states:::sagemaker:"
_SDK = "arn:aws:states:::aws-sdk:sagemaker:"
_SYNC = ".sync"
# Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html
_OPTIMIZED_ACTIONS = frozenset(
    {
        "createEndpoint",
        "createEndpointConfig",
        "createHyperParameterTuningJob",
        "createLabelingJob",
        "createModel",
        "createProcessingJob",
        "createTrainingJob",
        "createTransformJob",
        "updateEndpoint",
    }
)
_SYNC_ACTIONS = frozenset(action for action in _OPTIMIZED_ACTIONS if action.endswith("Job"))
_SUCCEEDED, _FAILED = ("Completed",), ("Failed", "Stopped")
_FIRST_POLL_S, _LAST_POLL_S = 0.02, 0.25


class ServiceFaultError(Exception):
    """SageMaker refused a call, with ``code``, ``message`` and HTTP ``status``."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def install(call: Call) -> None:
    """Answer both kinds of integration with ``call``, which may raise ServiceFaultError."""
    integration = _Integration(call)
    invoke_other = sfn._invoke_aws_sdk_integration

    def invoke_sdk(resource: str, arguments: Any) -> Any:
        if resource.startswith(_SDK):
            return integration.sdk(resource.removeprefix(_SDK), arguments)
        return invoke_other(resource, arguments)

    sfn._SERVICE_DISPATCH[_OPTIMIZED] = lambda resource, arguments: integration.optimized(
        resource.removeprefix(_OPTIMIZED), arguments
    )
    sfn._invoke_aws_sdk_integration = invoke_sdk


class _Integration:
    def __init__(self, call: Call) -> None:
        self._call = call

    @cached_property
    def _model(self) -> ServiceModel:
        return service_model("sagemaker")  # large: read at the first use

    def sdk(self, action: str, arguments: Any) -> Any:
        """One action under its SDK name, with the SDK's member names."""
        operation = self._operation(action)
        try:
            answer = self._send(_SDK, operation, arguments, sdk_member_name)
        except ServiceFaultError as fault:
            name = _modelled_exception(self._model, fault.code) or "SageMakerException"
            cause = f"{fault.message} (Service: SageMaker, Status Code: {fault.status})"
            raise sfn._ExecutionError(f"SageMaker.{name}", cause) from fault
        return _as_json(answer, self._output(operation), sdk_member_name, _iso)

    def optimized(self, action: str, arguments: Any) -> Any:
        """One of the nine actions of Step Functions. With ``.sync`` the result is the job's final description."""
        plain = action.removesuffix(_SYNC)
        if plain not in (_SYNC_ACTIONS if action.endswith(_SYNC) else _OPTIMIZED_ACTIONS):
            raise sfn._ExecutionError("States.Runtime", f"Step Functions has no integration {_OPTIMIZED}{action}")
        try:
            operation = self._operation(plain)
            answer = self._send(_OPTIMIZED, operation, arguments, _unchanged)
            described = operation
            if action.endswith(_SYNC):
                described = operation.replace("Create", "Describe", 1)
                answer = self._wait_for_job(operation.removeprefix("Create"), arguments)
        except ServiceFaultError as fault:
            name = _modelled_exception(self._model, fault.code) or "AmazonSageMakerException"
            cause = f"{fault.message} (Service: AmazonSageMaker; Status Code: {fault.status}; Error Code: {fault.code})"
            raise sfn._ExecutionError(f"SageMaker.{name}", cause) from fault
        return _as_json(answer, self._output(described), _unchanged, _milliseconds)

    def _output(self, operation: str) -> Shape | None:
        shape: Shape | None = self._model.operation_model(operation).output_shape
        return shape

    def _operation(self, action: str) -> str:
        operation = action[:1].upper() + action[1:]
        if operation not in self._model.operation_names:
            raise sfn._ExecutionError("States.Runtime", f"SageMaker has no action {action}")
        return operation

    def _send(
        self, integration: str, operation: str, arguments: Any, member_name: Callable[[str], str]
    ) -> dict[str, Any]:
        try:
            request = parse_request(self._model, operation, arguments or {}, member_name)
        except ParseError as error:
            raise sfn._ExecutionError("States.Runtime", f"sagemaker:{operation}: {error}") from error
        return self._authorized(integration, operation, request)

    def _authorized(self, integration: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Call as the state machine's role."""
        for needed in sagemaker_iam_actions.of_control_plane(operation, request, responses.get_account_id()):
            rights.demand(integration, Action(needed.name, needed.resource, dict(needed.conditions)))
        return self._call(operation, request)

    def _wait_for_job(self, job: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Poll until the job has ended; stop it when the task's result is no longer wanted."""
        name = {f"{job}Name": arguments[f"{job}Name"]}
        pause = _FIRST_POLL_S
        unwanted = task.cancelled.get()
        while True:
            description = self._authorized(_OPTIMIZED, f"Describe{job}", name)
            status = description[f"{job}Status"]
            if status in _SUCCEEDED:
                return description
            if status in _FAILED:
                cause = _as_json(description, self._output(f"Describe{job}"), _unchanged, _milliseconds)
                raise sfn._ExecutionError("States.TaskFailed", json.dumps(cause))
            if unwanted.wait(pause):
                with contextlib.suppress(sfn._ExecutionError):  # not allowed to: then it runs on, as on AWS
                    self._authorized(_OPTIMIZED, f"Stop{job}", name)
                raise running.InterruptedRunError
            pause = min(pause * 1.5, _LAST_POLL_S)


def _modelled_exception(model: ServiceModel, code: str) -> str | None:
    """The SDK's class for an error the service model names, e.g. ``ResourceInUseException``."""
    if not any(shape.name == code for shape in model.error_shapes):
        return None
    return code if code.endswith("Exception") else f"{code}Exception"


def _as_json(
    value: Any, shape: Shape | None, member_name: Callable[[str], str], moment: Callable[[datetime], Any]
) -> Any:
    """A Python answer as JSON: members renamed (except the keys of maps), times as text, nulls left out."""
    if isinstance(value, dict) and isinstance(shape, StructureShape):
        return {
            member_name(name): _as_json(item, shape.members.get(name), member_name, moment)
            for name, item in value.items()
            if item is not None
        }
    if isinstance(value, dict):
        inner = shape.value if isinstance(shape, MapShape) else None
        return {key: _as_json(item, inner, member_name, moment) for key, item in value.items()}
    if isinstance(value, list | tuple):
        inner = shape.member if isinstance(shape, ListShape) else None
        return [_as_json(item, inner, member_name, moment) for item in value]
    return moment(value) if isinstance(value, datetime) else value


def _unchanged(name: str) -> str:
    return name


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
