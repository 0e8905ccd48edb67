"""Failure on demand over HTTP: which operation a signed request asks for, and how its service writes an error.

Both come from botocore's models. Used only while there are rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any
from urllib.parse import parse_qs, unquote

from botocore.model import OperationModel, ServiceModel

from local_aws.faults.rules import Faults, Rule
from local_aws.http.service_model import service_model

Response = tuple[int, dict[str, str], bytes]
_SIGNED_FOR = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")
_LABEL = re.compile(r"\{(\w+)(\+?)\}")


@dataclass(frozen=True)
class Request:
    """One HTTP request; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, scope: Mapping[str, Any], body: bytes) -> Request:
        """Read a request from an ASGI scope and its body."""
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        raw_path = scope.get("raw_path") or scope["path"].encode()
        return cls(scope["method"], raw_path.decode("latin-1").partition("?")[0], query, headers, body)


def find(faults: Faults, request: Request) -> tuple[Rule, ServiceModel] | None:
    """The rule that makes a request fail, and the service of the request."""
    signed_for = _SIGNED_FOR.search(request.headers.get("authorization", ""))
    if signed_for is None:
        return None
    services = {rule.name.partition(":")[0] for rule in faults.rules if rule.subject == "operation"}
    for service in sorted(services):
        model = service_model(service)
        if model.signing_name != signed_for[1]:
            continue
        recognised = _recognise(model, request)
        if recognised is None:
            continue
        operation, members = recognised
        rule = faults.find("operation", f"{service}:{operation}", members)
        if rule is not None:
            return rule, model
    return None


def refusal(rule: Rule, model: ServiceModel) -> Response:
    """The rule's error as the service's protocol writes it."""
    code, message = rule.code or "", rule.message
    if model.metadata["protocol"] in ("query", "rest-xml"):
        error = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
        if model.metadata["protocol"] == "query":
            kind = "Receiver" if rule.status >= 500 else "Sender"
            error = error.replace("<Error>", f"<Error><Type>{kind}</Type>")
            error = f"<ErrorResponse>{error}<RequestId>ordered-failure</RequestId></ErrorResponse>"
        return rule.status, {"content-type": "text/xml"}, error.encode()
    headers = {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": code}
    return rule.status, headers, json.dumps({"__type": code, "message": message}).encode()


def _recognise(model: ServiceModel, request: Request) -> tuple[str, dict[str, Any]] | None:
    protocol = model.metadata["protocol"]
    if protocol == "json":
        prefix, _, operation = request.headers.get("x-amz-target", "").rpartition(".")
        is_ours = prefix == model.metadata["targetPrefix"] and operation in model.operation_names
        return (operation, _json(request.body)) if is_ours else None
    if protocol == "query":
        form = parse_qs(request.body.decode("latin-1"), keep_blank_values=True)
        members = {name: values[0] for name, values in {**request.query, **form}.items()}
        operation = members.get("Action", "")
        return (operation, members) if operation in model.operation_names else None
    return _rest_operation(model, request)


def _rest_operation(model: ServiceModel, request: Request) -> tuple[str, dict[str, Any]] | None:
    """The operation that matches path, query string and headers; of several, the one that requires most of them.

    ``PUT /bucket/key`` is PutObject, and UploadPart with a ``partNumber``, and CopyObject with ``x-amz-copy-source``.
    """
    best: tuple[tuple[int, int], str, dict[str, Any]] | None = None
    for operation, pattern, wanted in _routes(model.service_name):
        if operation.http["method"] != request.method:
            continue
        match = pattern.fullmatch(request.path)
        if match is None or not all(_is_there(each, request) for each in wanted):
            continue
        score = (len(wanted), len(_LABEL.sub("", operation.http["requestUri"])))
        if best is None or score > best[0]:
            labels = {name: unquote(value) for name, value in match.groupdict().items()}
            best = (score, operation.name, _rest_members(operation, labels, request))
    return None if best is None else best[1:]


@cache
def _routes(service: str) -> list[tuple[OperationModel, re.Pattern[str], frozenset[tuple[str, str, str | None]]]]:
    """Each operation with its path and what it requires: (where, name, value or None)."""
    model = service_model(service)
    routes = []
    for operation in map(model.operation_model, model.operation_names):
        path, _, query = operation.http["requestUri"].partition("?")
        wanted: set[tuple[str, str, str | None]] = {
            ("querystring", key, values[0] or None) for key, values in parse_qs(query, keep_blank_values=True).items()
        }
        shape = operation.input_shape
        required = shape.required_members if shape else []
        for name, member in shape.members.items() if shape else ():
            where = member.serialization.get("location", "")
            if where in ("querystring", "header") and name in required:
                wanted.add((where, member.serialization.get("name", name), None))
        pattern = _LABEL.sub(lambda label: f"(?P<{label[1]}>{'.+' if label[2] else '[^/]+'})", path)
        routes.append((operation, re.compile(pattern), frozenset(wanted)))
    return routes


def _is_there(wanted: tuple[str, str, str | None], request: Request) -> bool:
    where, name, value = wanted
    if where == "header":
        return name.lower() in request.headers
    return name in request.query and value in (None, request.query[name][0])


def _rest_members(operation: OperationModel, labels: Mapping[str, str], request: Request) -> dict[str, Any]:
    shape = operation.input_shape
    if shape is None:
        return {}
    is_json = operation.service_model.metadata["protocol"] == "rest-json" and "payload" not in shape.serialization
    members = _json(request.body) if is_json else {}
    for name, member in shape.members.items():
        wire = member.serialization.get("name", name)
        where = member.serialization.get("location")
        if where == "uri" and wire in labels:
            members[name] = labels[wire]
        elif where == "querystring" and wire in request.query:
            members[name] = request.query[wire][0]
        elif where == "header" and wire.lower() in request.headers:
            members[name] = request.headers[wire.lower()]
    return members


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
