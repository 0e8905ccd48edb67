"""API Gateway: the caller's key in the event, and gateway responses of an OpenAPI body (SAM's ``GatewayResponses``)."""

from __future__ import annotations

import contextvars
from typing import Any

from ministack.services import apigateway_v1

_key: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("local_aws_api_key", default=None)
_check_api_key = apigateway_v1._check_api_key
_build_event = apigateway_v1._build_lambda_event_v1
_import_rest_api = apigateway_v1._import_rest_api
_RESPONSES = "x-amazon-apigateway-gateway-responses"


def install() -> None:
    """Wrap the key check, the event and the import."""
    apigateway_v1._check_api_key = _check_and_remember
    apigateway_v1._build_lambda_event_v1 = _build_event_with_key
    apigateway_v1._import_rest_api = _import_with_responses


def _check_and_remember(*arguments: Any) -> Any:
    error, key = _check_api_key(*arguments)
    _key.set(key)
    return error, key


def _build_event_with_key(*arguments: Any, **named: Any) -> dict[str, Any]:
    event: dict[str, Any] = _build_event(*arguments, **named)
    identity = event["requestContext"]["identity"]
    key = _key.get()
    identity["apiKey"] = key["value"] if key else None
    identity["apiKeyId"] = key["id"] if key else None
    return event


def _import_with_responses(spec: dict[str, Any], base_data: dict[str, Any] | None = None) -> str:
    api_id: str = _import_rest_api(spec, base_data)
    for response_type, response in (spec.get(_RESPONSES) or {}).items():
        status, _headers, body = apigateway_v1._put_gateway_response(api_id, response_type, response)
        if status >= 400:
            raise ValueError(f"{_RESPONSES}/{response_type}: {body!r}")
    return api_id
