"""SageMaker over HTTP: the control plane's JSON 1.1, and REST for endpoints and the feature store.

Operations, URIs and members come from botocore's service models, so every SDK can be the client. MiniStack
authenticates each call, and this module authorises it against the caller's policies.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from botocore.model import OperationModel

from local_aws.http import sagemaker_iam_actions
from local_aws.http.service_model import (
    ParseError,
    dump_answer,
    parse_request,
    parse_rest_request,
    service_model,
    uri_pattern,
)

Response = tuple[int, dict[str, str], bytes]
# Access key, action, resource ARN, condition keys -> the refusal's text, or None.
Authorize = Callable[[dict[str, str], str, str, dict[str, str]], str | None]

_JSON = "application/x-amz-json-1.1"
_REST_JSON = "application/json"


class SageMakerService(Protocol):
    """The service that answers: see ``local_aws.sagemaker.SageMaker``."""

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one control-plane operation."""

    def invoke_endpoint(self, name: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Answer InvokeEndpoint."""

    def feature_store_runtime(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a record operation."""


class RefusedError(Exception):
    """An error answer.

    Args:
        code: AWS's error code.
        message: the sentence.
        status: the HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class SageMakerHttp:
    """The handler MiniStack's router calls for requests signed for ``sagemaker``."""

    def __init__(
        self, service: SageMakerService, service_error: type[Exception], authorize: Authorize, account: str
    ) -> None:
        self._service = service
        self._service_error: Any = service_error
        self._authorize = authorize
        self._account = account

    async def handle(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Response:
        """Answer one request. Calls that block run in a thread."""
        return await asyncio.to_thread(self._answer, method, path, headers, body, query)

    def _answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Response:
        target = headers.get("x-amz-target", "")
        try:
            if target:
                return self._control_plane(target.rpartition(".")[2], headers, body)
            operation = self._rest_operation(method, path)
            if operation.name == "InvokeEndpoint":
                return self._invoke(operation, path, headers, body)
            return self._feature_store(operation, path, headers, body, query)
        except RefusedError as refusal:
            return _error(refusal.code, refusal.message, refusal.status, is_rest=not target)
        except ParseError as error:
            code = "ValidationError" if not target and "/FeatureGroup" not in path else "ValidationException"
            return _error(code, str(error), 400, is_rest=not target)
        except self._service_error as error:
            return _error(error.code, error.message, error.status, is_rest=not target)

    def _control_plane(self, name: str, headers: dict[str, str], body: bytes) -> Response:
        model = service_model("sagemaker")
        if name not in model.operation_names:
            raise RefusedError("UnknownOperationException", f"SageMaker has no operation {name}")
        request = parse_request(model, name, _decode(body))
        self._check(headers, sagemaker_iam_actions.of_control_plane(name, request, self._account))
        answer = self._service.call(name, request)
        return 200, {"content-type": _JSON}, json.dumps(dump_answer(answer)).encode()

    def _feature_store(
        self, operation: OperationModel, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Response:
        request = parse_rest_request(operation, path, query, _decode(body))
        self._check(headers, sagemaker_iam_actions.of_feature_store(operation.name, request, self._account))
        answer = self._service.feature_store_runtime(operation.name, request)
        return 200, {"content-type": _REST_JSON}, json.dumps(dump_answer(answer)).encode()

    def _invoke(self, operation: OperationModel, path: str, headers: dict[str, str], body: bytes) -> Response:
        match = uri_pattern(operation).fullmatch(path)
        name = match["EndpointName"] if match else ""
        self._check(headers, [sagemaker_iam_actions.invoke(name, self._account)])
        return self._service.invoke_endpoint(name, headers, body)

    def _check(self, headers: dict[str, str], actions: list[sagemaker_iam_actions.Action]) -> None:
        for action in actions:
            refused = self._authorize(headers, action.name, action.resource, action.conditions)
            if refused is not None:
                raise RefusedError("AccessDeniedException", refused, 400)

    def _rest_operation(self, method: str, path: str) -> OperationModel:
        runtime = service_model("sagemaker-runtime")
        for model in (runtime, service_model("sagemaker-featurestore-runtime")):
            for name in model.operation_names:
                operation = model.operation_model(name)
                if operation.http["method"] == method and uri_pattern(operation).fullmatch(path):
                    if model is runtime and name != "InvokeEndpoint":
                        raise RefusedError("ValidationError", f"sagemaker-runtime:{name} is not emulated on a laptop")
                    return operation
        raise RefusedError("ValidationError", f"SageMaker has no {method} {path}", 404)


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}")
    except ValueError as error:
        raise RefusedError("SerializationException", f"The body is not JSON: {error}") from error


def _error(code: str, message: str, status: int, *, is_rest: bool) -> Response:
    body = {"message": message} if is_rest else {"__type": code, "message": message}
    headers = {"content-type": _REST_JSON if is_rest else _JSON, "x-amzn-errortype": code}
    return status, headers, json.dumps(body).encode()
