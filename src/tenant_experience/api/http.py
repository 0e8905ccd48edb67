"""What every answer of the API and of its pages has in common: methods, and headers that protect the reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

# Browsers must not guess another type than the one that is named, and must never come by plain HTTP.
PROTECTION = {
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}
# Of a page that a signed link opens: it runs nothing, sends nothing, is kept nowhere, and does not pass the link on.
READ_ONLY_PAGE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    **PROTECTION,
    "X-Frame-Options": "DENY",
}
# Resource, as the template names it -> the methods that a function answers there.
Methods = Mapping[str, Sequence[str]]


def resolve(app: APIGatewayRestResolver, event: Mapping[str, Any], context: Any, methods: Methods) -> dict[str, Any]:
    """Answers an API Gateway proxy request. HEAD is answered as GET is, without the body.

    The gateway passes every method on (``ANY``), so that a wrong one gets 405 with ``Allow``, and not the gateway's
    "no such route". The resolver's own ``not_found`` handler writes that 405; see ``is_wrong_method``.
    """
    is_head = event["httpMethod"] == "HEAD"
    answer = app.resolve({**event, "httpMethod": "GET"} if is_head else dict(event), context)
    headers = answer.setdefault("multiValueHeaders", {})
    headers |= {name: [value] for name, value in PROTECTION.items()}
    if answer["statusCode"] == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = [", ".join(_allowed(methods.get(event["resource"], ())))]
    return answer | {"body": ""} if is_head else answer


def is_wrong_method(event: Mapping[str, Any], methods: Methods) -> bool:
    """Whether the resource exists, but not with the method of ``event``."""
    return event["resource"] in methods and event["httpMethod"] not in _allowed(methods[event["resource"]])


def _allowed(methods: Sequence[str]) -> list[str]:
    return sorted({*methods, "HEAD"}) if "GET" in methods else sorted(methods)
