"""Checks requests and answers by botocore's service model: names, types, lengths, patterns, enumerations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.validate import ParamValidator

from local_aws.sagemaker.core.errors import ServiceError, not_emulated, validation_error

_JAVA_CLASSES = {
    r"\p{L}": r"a-zA-Z\u00aa-\uffdc",
    r"\p{Z}": r"\s",
    r"\p{N}": r"\d",
    r"\p{ASCII}": r"\x00-\x7f",
    r"\z": r"\Z",
}


@lru_cache(maxsize=1)
def _service() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")


def service_operations() -> list[str]:
    """Every operation that SageMaker's control plane has."""
    return list(_service().operation_names)


@lru_cache(maxsize=256)
def operation_model(operation: str) -> OperationModel:
    """Botocore's model of an operation.

    Raises:
        ServiceError: UnsupportedOperation, SageMaker has no such operation.
    """
    if operation not in _service().operation_names:
        raise not_emulated(operation)
    model: OperationModel = _service().operation_model(operation)
    return model


def check_request(operation: str, request: dict[str, Any]) -> None:
    """Refuse a request whose form AWS would refuse.

    Raises:
        ServiceError: ValidationException that lists every fault in AWS's wording.
    """
    shape = operation_model(operation).input_shape
    if shape is None:
        return
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        raise validation_error(report.generate_report())
    faults = list(_faults(shape, request, ""))
    if faults:
        count = f"{len(faults)} validation error{'s' if len(faults) > 1 else ''} detected"
        raise validation_error(f"{count}: {'; '.join(faults)}")


def check_answer(operation: str, answer: dict[str, Any]) -> None:
    """Refuse to send an answer that AWS would never send, which is an error in this emulation.

    Raises:
        ServiceError: InternalFailure.
    """
    shape = operation_model(operation).output_shape
    faults = shape_faults(shape, answer)
    if faults:
        listed = "; ".join(faults)
        raise ServiceError("InternalFailure", f"The laptop's AWS answered {operation} wrongly: {listed}", 500)


def shape_faults(shape: Shape | None, answer: dict[str, Any]) -> list[str]:
    """The members of an answer that do not fit botocore's model."""
    if shape is None:
        return [f"{name} in an answer that has no members" for name in answer]
    faults = [f"unknown member {name}" for name in _unknown(shape, answer, "")]
    report = ParamValidator().validate(answer, shape).generate_report().splitlines()
    # ModelArtifacts is "required" of DescribeTrainingJob and absent until there is a model, on AWS too
    faults += [line for line in report if "ModelArtifacts" not in line]
    return faults or list(_faults(shape, answer, ""))


def _unknown(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """Members that the model does not have, which botocore's validator accepts."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for name, item in value.items():
            if name not in shape.members:
                yield f"{path}{name}"
            else:
                yield from _unknown(shape.members[name], item, f"{path}{name}.")
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for item in value:
            yield from _unknown(shape.member, item, path)


def _faults(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """Faults that botocore's validator leaves to the service: patterns, enumerations, maximum lengths."""
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            if name in value:
                yield from _faults(member, value[name], f"{path}.{_camel(name)}".lstrip("."))
    elif isinstance(shape, ListShape):
        yield from _size(shape, value, path)
        for number, item in enumerate(value, start=1):
            yield from _faults(shape.member, item, f"{path}.{number}.member")
    elif isinstance(shape, MapShape):
        yield from _size(shape, value, path)
        for key, item in value.items():
            yield from _faults(shape.key, key, path)
            yield from _faults(shape.value, item, f"{path}.{key}.member")
    elif shape.type_name == "string":
        yield from _string(shape, value, path)
    elif shape.type_name in {"integer", "long", "float", "double"} and value > shape.metadata.get("max", value):
        yield _failed(value, path, f"have value less than or equal to {shape.metadata['max']}")


def _size(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if len(value) > shape.metadata.get("max", len(value)):
        yield _failed(value, path, f"have length less than or equal to {shape.metadata['max']}")


def _string(shape: Shape, value: str, path: str) -> Iterator[str]:
    yield from _size(shape, value, path)
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield _failed(value, path, f"satisfy enum value set: [{', '.join(allowed)}]")
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value):
        yield _failed(value, path, f"satisfy regular expression pattern: {pattern}")


def _failed(value: Any, path: str, constraint: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: Member must {constraint}"


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]


def _matches(pattern: str, value: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(value) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """The model's Java pattern, or None when Python has no equivalent; such a pattern is not checked."""
    for java, python in _JAVA_CLASSES.items():
        pattern = pattern.replace(java, python)
    try:
        return re.compile(pattern)
    except re.error:
        return None


def refuse_others(operation: str, request: dict[str, Any], emulated: frozenset[str], where: str = "") -> None:
    """Refuse, by name, a parameter that would have no effect here.

    Raises:
        ServiceError: UnsupportedOperation.
    """
    for name in request:
        if name not in emulated:
            raise not_emulated(operation, f"{where}{name}")
