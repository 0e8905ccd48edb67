"""API Gateway: paths as they were sent, the caller's key, gateway responses and ``ANY`` of OpenAPI, and a lasting id.

A REST API gives a function the path as the client wrote it: ``path`` and ``pathParameters`` keep ``%20``, ``%2F`` and
``%2520``, and only an unescaped ``/`` separates segments. Query strings are decoded. The developer guide does not say
so, but it has been observed on AWS: https://github.com/serverless/serverless/issues/5037 (``/posts/%40`` gives
``{"id": "%40"}``), and https://github.com/middleapi/standard-server/pull/93 (REST APIs keep what HTTP APIs decode).
MiniStack passes on the decoded path, which a function that decodes it then decodes twice.

Of a parameter that a query string repeats, ``queryStringParameters`` has the last value. Source:
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html

SAM writes ``Method: ANY`` as ``x-amazon-apigateway-any-method``, which MiniStack's import passes over, and
``GatewayResponses`` into the OpenAPI body. When a stack update changes the body, MiniStack replaces the API
by one with another id. Here the id stays, so links that were sent earlier still work.
"""

from __future__ import annotations

import contextvars
import functools
from typing import Any

from ministack import app
from ministack.services import apigateway_v1
from ministack.services.cloudformation import provisioners

_key: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("local_aws_api_key", default=None)
_check_api_key = apigateway_v1._check_api_key
_build_event = apigateway_v1._build_lambda_event_v1
_handle_request = app._handle_execute_api_request
_import_rest_api = apigateway_v1._import_rest_api
_handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]
_create_api = _handlers["create"]
_update_api = _handlers["update"]
# The stores that the import of a body fills. Stages and deployments stay those of the old API.
_FILLED_BY_IMPORT = ("_resources", "_authorizers_v1", "_models", "_gateway_responses", "_documentation_parts")
_ANY = "x-amazon-apigateway-any-method"
_RESPONSES = "x-amazon-apigateway-gateway-responses"


def install() -> None:
    """Wrap the request, the key check, the event and the import."""
    app._handle_execute_api_request = _handle_request_as_sent
    apigateway_v1._check_api_key = _check_and_remember
    apigateway_v1._build_lambda_event_v1 = _build_event_with_key
    apigateway_v1._import_rest_api = _import_with_responses
    apigateway_v1._OPENAPI_HTTP_METHODS = apigateway_v1._OPENAPI_HTTP_METHODS | {"any"}
    _handlers["update"] = _update_in_place
    authorization_type = app._execute_api_authorization_type
    # A route that does not exist needs no credentials: API Gateway itself answers.
    app._execute_api_authorization_type = lambda *route: authorization_type(*route) or "NONE"


async def _handle_request_as_sent(
    host: str, path: str, *arguments: Any, raw_path: str | None = None, **named: Any
) -> tuple[int, dict[str, str], bytes] | None:
    """Route a REST API's request by the path as it was sent."""
    found = app._parse_execute_api_url(host, path)
    is_rest = found is not None and apigateway_v1.find_api_scope(found[0]) is not None
    answer: tuple[int, dict[str, str], bytes] | None = await _handle_request(
        host, raw_path if is_rest and raw_path else path, *arguments, raw_path=raw_path, **named
    )
    return answer


def _check_and_remember(*arguments: Any) -> Any:
    error, key = _check_api_key(*arguments)
    _key.set(key)
    return error, key


def _build_event_with_key(*arguments: Any, **named: Any) -> dict[str, Any]:
    event: dict[str, Any] = _build_event(*arguments, **named)
    repeated = event["multiValueQueryStringParameters"]
    event["queryStringParameters"] = {name: values[-1] for name, values in repeated.items()} if repeated else None
    identity = event["requestContext"]["identity"]
    key = _key.get()
    identity["apiKey"] = key["value"] if key else None
    identity["apiKeyId"] = key["id"] if key else None
    return event


def _import_with_responses(spec: dict[str, Any], base_data: dict[str, Any] | None = None) -> str:
    paths = {
        path: {"any" if method == _ANY else method: operation for method, operation in methods.items()}
        for path, methods in (spec.get("paths") or {}).items()
    }
    api_id: str = _import_rest_api({**spec, "paths": paths}, base_data)
    for response_type, response in (spec.get(_RESPONSES) or {}).items():
        status, _headers, body = apigateway_v1._put_gateway_response(api_id, response_type, response)
        if status >= 400:
            raise ValueError(f"{_RESPONSES}/{response_type}: {body!r}")
    return api_id


@functools.wraps(_update_api)  # CloudFormation looks at the signature
def _update_in_place(
    physical_id: str, old_props: dict[str, Any], new_props: dict[str, Any], stack_name: str, logical_id: str = ""
) -> tuple[str, dict[str, str]]:
    """Overwrite the API, as AWS does (PutRestApi)."""
    if new_props.get("Body") == old_props.get("Body"):
        unchanged: tuple[str, dict[str, str]] = _update_api(physical_id, old_props, new_props, stack_name, logical_id)
        return unchanged
    imported_id, _ = _create_api(logical_id, new_props, stack_name)
    for name in _FILLED_BY_IMPORT:
        store = getattr(apigateway_v1, name)
        store[physical_id] = store[imported_id]
    imported = apigateway_v1._rest_apis[imported_id]
    kept = {field: apigateway_v1._rest_apis[physical_id][field] for field in ("id", "createdDate")}
    apigateway_v1._rest_apis[physical_id] = {**imported, **kept}
    apigateway_v1._delete_rest_api(imported_id)
    # An update without changes gives the attributes.
    kept_id, attributes = _update_api(physical_id, new_props, new_props, stack_name, logical_id)
    return kept_id, attributes
