"""Refusals of the HTTPS API: problem+json (RFC 9457) with a stable ``code``, made in one place for every function."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from urllib.parse import unquote

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from tenant_experience.errors import PlatformError, UserError

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = "5"
_TENANT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}")
_WELL_FORMED = "a tenant id is 1 to 128 letters, digits, or one of . _ : @ + -, and begins with a letter or digit"
UNAVAILABLE = "no answer can be given just now: try again shortly"
_STATUS = {"unknown_tenant": 404, "unknown_route": 404}


def problem(status: int, code: str, detail: str) -> Response[str]:
    """One refusal. 503 says when to come back."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail}
    headers: dict[str, str | list[str]] = {"Cache-Control": "no-store"}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = RETRY_AFTER_SECONDS
    return Response(status_code=status, content_type=CONTENT_TYPE, body=json.dumps(body), headers=headers)


def answer(body: object) -> Response[str]:
    """One answer, never cached: it is about a person."""
    return Response(
        status_code=200, content_type="application/json", body=json.dumps(body), headers={"Cache-Control": "no-store"}
    )


def api(logger: Logger) -> APIGatewayRestResolver:
    """A resolver that turns our errors into problems: the client's fault 4xx, ours 503, never a bare 500."""
    app = APIGatewayRestResolver()

    def refuse(error: UserError) -> Response[str]:
        return problem(_STATUS.get(error.code, 400), error.code, error.message)

    def unavailable(error: PlatformError) -> Response[str]:
        logger.error("unavailable", extra={"code": error.code, "cause": error.message})
        return problem(503, error.code, UNAVAILABLE)

    def unknown(_error: NotFoundError) -> Response[str]:
        if "tenant_id" in (app.current_event.path_parameters or {}):  # the gateway knew the route: the id is at fault
            return problem(400, "malformed_tenant_id", _WELL_FORMED)
        return problem(404, "unknown_route", "there is no such route")

    app.exception_handler(UserError)(refuse)
    app.exception_handler(PlatformError)(unavailable)
    app.not_found(unknown)
    return app


def tenant_id(text: str) -> str:
    """A tenant id as the API takes it.

    Raises:
        UserError: ``malformed_tenant_id``.
    """
    if not _TENANT_ID.fullmatch(text):
        raise UserError(_WELL_FORMED, code="malformed_tenant_id")
    return text


def tenant_id_of_path(text: str) -> str:
    """The same, from a path: a REST API hands it on as the client wrote it, ``%40`` for ``@``.

    Raises:
        UserError: ``malformed_tenant_id``.
    """
    return tenant_id(unquote(text))
