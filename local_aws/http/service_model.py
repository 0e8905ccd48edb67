"""Reads requests and writes answers of a service, by botocore's model of it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import unquote

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.utils import parse_timestamp
from botocore.validate import ParamValidator


class ParseError(Exception):
    """A request that the service's model does not allow. The text names the member."""


@cache
def service_model(name: str) -> ServiceModel:
    """The model botocore has of a service, e.g. ``sagemaker``."""
    return botocore.session.get_session().get_service_model(name)


def parse_request(
    model: ServiceModel,
    operation: str,
    members: Any,
    member_name: Callable[[str], str] = lambda name: name,
) -> dict[str, Any]:
    """JSON members of an operation's input as Python values (datetimes, bytes), checked by the model.

    Args:
        model: the service's.
        operation: e.g. ``CreateTrainingJob``.
        members: the decoded JSON body.
        member_name: how the sender spells a member of the model.

    Raises:
        ParseError: an unknown or missing member, a wrong type, a value outside its bounds.
    """
    shape = model.operation_model(operation).input_shape
    if shape is None:
        return {}
    request: dict[str, Any] = _parse(members, shape, "", member_name)
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        raise ParseError(report.generate_report())
    return request


def parse_rest_request(
    operation: OperationModel, path: str, query: Mapping[str, list[str]], body: Any
) -> dict[str, Any]:
    """Members of a REST operation's input from its path, query string and decoded JSON body.

    Raises:
        ParseError: as ``parse_request``.
    """
    members = dict(body or {})
    match = uri_pattern(operation).fullmatch(path)
    in_path = match.groupdict() if match else {}
    for name, member in operation.input_shape.members.items() if operation.input_shape else ():
        location = member.serialization.get("location")
        wire = member.serialization.get("name", name)
        if location == "uri":
            members[name] = unquote(in_path[wire])
        elif location == "querystring" and wire in query:
            members[name] = query[wire] if member.type_name == "list" else query[wire][0]
    return parse_request(operation.service_model, operation.name, members)


@cache
def uri_pattern(operation: OperationModel) -> re.Pattern[str]:
    """The paths of a REST operation, each label a named group; the last one may hold slashes (an ARN)."""
    template = operation.http["requestUri"].split("?")[0]
    return re.compile(re.sub(r"\{(\w+)\+?\}", r"(?P<\1>.+)", template))


def dump_answer(value: Any) -> Any:
    """A Python answer as the JSON protocols write it: datetimes as epoch seconds, bytes as base64, no nulls."""
    if isinstance(value, dict):
        return {key: dump_answer(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [dump_answer(item) for item in value]
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def _parse(value: Any, shape: Shape, path: str, member_name: Callable[[str], str]) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        known = {member_name(name): (name, member) for name, member in shape.members.items()}
        unknown = sorted(set(value) - set(known))
        if unknown:
            raise ParseError(f"{path or '$'}: unknown member {', '.join(unknown)}")
        return {
            known[key][0]: _parse(item, known[key][1], f"{path}.{key}", member_name)
            for key, item in value.items()
            if item is not None
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_parse(item, shape.member, f"{path}[{index}]", member_name) for index, item in enumerate(value)]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _parse(item, shape.value, f"{path}.{key}", member_name) for key, item in value.items()}
    return _parse_scalar(value, shape)


def _parse_scalar(value: Any, shape: Shape) -> Any:
    if shape.type_name == "timestamp" and isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    if shape.type_name == "timestamp" and isinstance(value, str):
        return parse_timestamp(value)
    if shape.type_name == "blob" and isinstance(value, str):
        return base64.b64decode(value)
    if shape.type_name in ("float", "double") and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value
