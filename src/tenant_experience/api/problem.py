"""Answers and refusals of the HTTPS API, made in one place: problem+json (RFC 9457) with a stable ``code``."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from tenant_experience.api.http import Methods, is_wrong_method
from tenant_experience.api.route_family import FAMILIES, RouteFamily
from tenant_experience.errors import PlatformError, UserError
from tenant_experience.tenant_id import RULE, IdCase, tenant_id_of
from tenant_experience.use_case import files as use_case_files
from tenant_experience.use_case import served
from tenant_experience.use_case.served import ServedUseCase

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = "5"
_WELL_FORMED = f"an id must have {RULE}"
_UNAVAILABLE = "the service cannot answer at the moment; try again in a few seconds"
_DETAIL = {
    "model_differs": "the archive of the model was changed after it was registered, so the model does not answer; "
    "tell the operator of the service"
}
# Raised for a request that is longer than the API reads.
TOO_LARGE = "request_too_large"
_STATUS = {
    **{routes.unknown: 404 for routes in FAMILIES},
    "unknown_use_case": 404,
    "unknown_route": 404,
    TOO_LARGE: 413,
}


def problem(status: int, code: str, detail: str) -> Response[str]:
    """One refusal. A 503 says when to retry."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail}
    headers: dict[str, str | list[str]] = {"Cache-Control": "no-store"}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = RETRY_AFTER_SECONDS
    return Response(status_code=status, content_type=CONTENT_TYPE, body=json.dumps(body), headers=headers)


def answer(body: object) -> Response[str]:
    """One answer. It is about a person, so it is never cached."""
    return Response(
        status_code=200, content_type="application/json", body=json.dumps(body), headers={"Cache-Control": "no-store"}
    )


def api(logger: Logger, methods: Methods) -> APIGatewayRestResolver:
    """A resolver that turns our errors into problems: 4xx for the client's, 503 for ours, and never a bare 500.

    Args:
        logger: told of what is our fault.
        methods: what the function answers, by resource.
    """
    app = APIGatewayRestResolver()

    def refuse(error: UserError) -> Response[str]:
        return problem(_STATUS.get(error.code, 400), error.code, error.message)

    def unavailable(error: PlatformError) -> Response[str]:
        logger.error("unavailable", extra={"code": error.code, "cause": error.message})
        return problem(503, error.code, unavailable_detail(error))

    def unknown(_error: NotFoundError) -> Response[str]:
        if is_wrong_method(app.current_event.raw_event, methods):
            return problem(405, "method_not_allowed", "this route does not answer this method; see the header Allow")
        # Where the gateway knows the route, what stands in the path is at fault.
        parameters = app.current_event.path_parameters or {}
        if "name" in parameters:
            try:
                _deployed_name(parameters["name"])
            except UserError as error:
                return refuse(error)
        for routes in FAMILIES:
            if routes.record_id in parameters:
                return problem(400, routes.malformed, _WELL_FORMED)
        return problem(404, "unknown_route", "this route does not exist")

    app.exception_handler(UserError)(refuse)
    app.exception_handler(PlatformError)(unavailable)
    app.not_found(unknown)
    return app


def unavailable_detail(error: PlatformError) -> str:
    """What a client reads about a fault of ours: what to do, and nothing of how the service is built."""
    return _DETAIL.get(error.code, _UNAVAILABLE)


def request_text(event: Mapping[str, Any], longest: int) -> str:
    """The body of a proxy request. The gateway has replaced what is not UTF-8 by U+FFFD, which no id contains.

    Args:
        event: the proxy request.
        longest: in characters.

    Raises:
        UserError: ``request_too_large``, or ``malformed_request`` when it is not UTF-8.
    """
    body = event.get("body") or ""
    if len(body) > longest:
        raise UserError(f"the body is longer than {longest} characters; send fewer ids at a time", code=TOO_LARGE)
    try:
        text = base64.b64decode(body, validate=True).decode("utf-8") if event.get("isBase64Encoded") else body
    except ValueError as error:
        raise UserError("the body is not UTF-8", code="malformed_request") from error
    if "\N{REPLACEMENT CHARACTER}" in text:
        raise UserError("the body is not UTF-8, or contains U+FFFD, which no id may", code="malformed_request")
    return text


def asked_id(text: object, case: IdCase, routes: RouteFamily) -> str:
    """The id that a request means, in its normal form.

    Raises:
        UserError: ``malformed_tenant_id`` or ``malformed_record_id``.
    """
    if not isinstance(text, str):
        raise UserError("an id must be a text", code=routes.malformed)
    meant = tenant_id_of(text, case)
    if meant is None:
        raise UserError(_WELL_FORMED, code=routes.malformed)
    return meant


def id_of_path(text: str, case: IdCase, routes: RouteFamily) -> str:
    """The id in a path. A REST API passes it on as the client wrote it, ``%20`` for a space.

    Raises:
        UserError: ``malformed_tenant_id`` or ``malformed_record_id``.
    """
    try:
        meant = unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise UserError(_WELL_FORMED, code=routes.malformed) from error
    return asked_id(meant, case, routes)


def use_case_of_path(text: str) -> ServedUseCase:
    """The use case that a path names.

    Raises:
        UserError: ``unknown_use_case``.
        PlatformError: ``use_case_unavailable``.
    """
    return served.read(_deployed_name(text))


def _deployed_name(text: str) -> str:
    """The name in a path, once it is known to be one of a deployed use case: it becomes the name of a folder."""
    name, known = unquote(text), use_case_files.names()
    if name not in known:
        raise UserError(
            f"this stack has no use case of this name; it has {', '.join(known) or 'none'}", code="unknown_use_case"
        )
    return name
