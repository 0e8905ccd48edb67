"""Find mistakes in a state machine's definition before it is deployed.

Every ``Next`` exists and every state is reached. Every Task has a time-out and a Retry, and no Task retries the error
of a failed job. The arguments of service integrations are members of the operation's request in botocore's service
model, and the required ones are there. Every JSONata expression parses, and the substitutions agree with the template.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import jsonata
import yaml
from botocore.model import ListShape, MapShape, Shape, StructureShape

State = Mapping[str, Any]

_NEVER_RETRIED_ON_JOBS = {"States.ALL", "States.TaskFailed"}
_SERVICES = {"sfn": "stepfunctions"}
_LAMBDA_ARGUMENTS = {"FunctionName", "Payload", "InvocationType", "Qualifier", "ClientContext", "LogType"}
_SUBSTITUTION = re.compile(r"\$\{(\w+)\}")


def problems(definition: Mapping[str, Any], substitutions: set[str] | None = None) -> Iterator[str]:
    """Everything that is wrong with a definition, one sentence each.

    Args:
        definition: the parsed ASL.
        substitutions: the names that the template substitutes; None does not check them.
    """
    yield from _machine(definition, "")
    if substitutions is not None:
        used = set(_SUBSTITUTION.findall(json.dumps(definition)))
        for name in sorted(used - substitutions):
            yield f"${{{name}}} is used, but the template does not substitute it"
        for name in sorted(substitutions - used):
            yield f"the template substitutes ${{{name}}}, but the definition does not use it"


def _machine(machine: Mapping[str, Any], where: str) -> Iterator[str]:
    states: Mapping[str, State] = machine["States"]
    reached = {machine["StartAt"]}
    for name, state in states.items():
        for target in _targets(state):
            reached.add(target)
            if target not in states:
                yield f"{where}{name}: Next {target!r} does not exist"
        yield from _state(f"{where}{name}", state)
        for inner in [state.get("ItemProcessor"), *state.get("Branches", [])]:
            if inner:
                yield from _machine(inner, f"{where}{name}/")
    if machine["StartAt"] not in states:
        yield f"{where}StartAt {machine['StartAt']!r} does not exist"
    for name in states.keys() - reached:
        yield f"{where}{name} is never reached"


def _targets(state: State) -> Iterator[str]:
    for holder in (state, *state.get("Choices", []), *state.get("Catch", [])):
        for field in ("Next", "Default"):
            if field in holder:
                yield holder[field]


def _state(where: str, state: State) -> Iterator[str]:
    own = {key: value for key, value in state.items() if key not in ("ItemProcessor", "Branches")}
    for expression in _expressions(own):
        try:
            jsonata.Jsonata(expression)
        except jsonata.JException as error:
            yield f"{where}: {expression.strip()[:80]!r} is not JSONata: {error}"
    if state["Type"] == "Choice" and "Default" not in state:
        yield f"{where}: a Choice without Default fails the execution when nothing matches"
    if state["Type"] != "Task":
        return
    for field in ("TimeoutSeconds", "Retry"):
        if not state.get(field):
            yield f"{where}: a Task needs {field}"
    retried = {error for retry in state.get("Retry", []) for error in retry["ErrorEquals"]}
    if ".sync" in state["Resource"] and retried & _NEVER_RETRIED_ON_JOBS:
        yield f"{where}: a failed job raises States.TaskFailed; a retry would only run into the same failure again"
    yield from _arguments(where, state)


def _expressions(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("{%") and value.endswith("%}"):
        yield _SUBSTITUTION.sub("1", value[2:-2])
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _expressions(inner)


def _arguments(where: str, state: State) -> Iterator[str]:
    parts = state["Resource"].removeprefix("arn:aws:states:::").removeprefix("aws-sdk:").split(":")
    service, action = parts[0], parts[1].split(".")[0]
    arguments = state.get("Arguments", {})
    if service == "lambda":
        for name in arguments.keys() - _LAMBDA_ARGUMENTS:
            yield f"{where}: lambda:invoke takes no {name}"
        return
    model = botocore.session.get_session().get_service_model(_SERVICES.get(service, service))
    operation = action[0].upper() + action[1:]
    if operation not in model.operation_names:
        yield f"{where}: {service} has no operation {operation}"
        return
    shape = model.operation_model(operation).input_shape
    if shape is not None:
        yield from _members(f"{where}: {operation}", arguments, shape)


def _members(where: str, value: Any, shape: Shape) -> Iterator[str]:
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name in value.keys() - shape.members.keys():
            yield f"{where} has no member {name}"
        for name in set(shape.required_members) - value.keys():
            yield f"{where} needs {name}"
        for name in value.keys() & shape.members.keys():
            yield from _members(f"{where}.{name}", value[name], shape.members[name])
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _members(f"{where}[{number}]", inner, shape.member)
    elif isinstance(shape, MapShape) and isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _members(f"{where}.{name}", inner, shape.value)
    elif isinstance(value, str) and not value.startswith("{%"):
        yield from _text(where, value, shape)
    elif isinstance(value, (Mapping, list)):
        yield f"{where} must be of type {shape.type_name}"


def _text(where: str, value: str, shape: Shape) -> Iterator[str]:
    if shape.type_name not in ("string", "timestamp", "blob"):
        yield f"{where} must be of type {shape.type_name}, not text"
        return
    allowed = shape.metadata.get("enum")
    if allowed and "${" not in value and value not in allowed:
        yield f"{where}: {value!r} is not an allowed value"
    longest = shape.metadata.get("max")
    if longest and len(value) > longest:
        yield f"{where} is longer than {longest} characters"


class _Template(yaml.SafeLoader):
    """Reads CloudFormation's short tags as plain values."""


_Template.add_multi_constructor("!", lambda loader, _suffix, node: _plain(loader, node))


def _plain(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)  # type: ignore[arg-type]  # only scalars are left


def substitutions_of(template: Path, definition: Path) -> set[str]:
    """The names that the template substitutes in ``definition``.

    Raises:
        LookupError: no state machine of the template uses the file.
    """
    resources = yaml.load(template.read_text(), Loader=_Template)["Resources"]  # noqa: S506  # a SafeLoader
    for resource in resources.values():
        properties = resource.get("Properties", {})
        if str(properties.get("DefinitionUri", "")).endswith(definition.name):
            return set(properties.get("DefinitionSubstitutions", {}))
    raise LookupError(f"no state machine of {template} has DefinitionUri {definition.name}")


def main() -> int:
    """Check the files; 1 when anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("definitions", nargs="+", type=Path)
    parser.add_argument("--template", type=Path, default=Path("template.yaml"))
    arguments = parser.parse_args()
    wrong = 0
    for path in arguments.definitions:
        found = list(problems(json.loads(path.read_text()), substitutions_of(arguments.template, path)))
        wrong += len(found)
        for sentence in found:
            print(f"{path}: {sentence}")  # noqa: T201  # a command's output
        print(f"{path}: {'clean' if not found else f'{len(found)} problem(s)'}")  # noqa: T201  # a command's output
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
