"""What CreateStateMachine refuses: transitions to states that do not exist, and states that nothing leads to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ministack.services import stepfunctions as sfn

_validate_jsonata = sfn._validate_definition_jsonata


def install() -> None:
    """Check transitions after expressions."""
    sfn._validate_definition_jsonata = _validate


def _validate(definition: Any) -> str | None:
    """The refusal's text, or None."""
    refusal: str | None = _validate_jsonata(definition)
    if refusal is not None or not isinstance(definition, str):
        return refusal
    try:
        machine = json.loads(definition)
    except ValueError:
        return None  # MiniStack's own checks refuse it
    faults = list(_faults(machine, ""))
    return f"SCHEMA_VALIDATION_FAILED: {'; '.join(faults)}" if faults else None


def _faults(machine: dict[str, Any], path: str) -> Iterator[str]:
    states = machine.get("States", {})
    reached = {machine.get("StartAt")}
    if machine.get("StartAt") not in states:
        yield f"Missing 'Next' target: {machine.get('StartAt')} at {path}/StartAt"
    for name, state in states.items():
        here = f"{path}/States/{name}"
        for field, target in _transitions(state):
            reached.add(target)
            if target not in states:
                yield f"Missing 'Next' target: {target} at {here}/{field}"
        for inner, branch in _inner_machines(state):
            yield from _faults(branch, f"{here}/{inner}")
    for name in states:
        if name not in reached:
            yield f"State '{name}' is not reachable at {path}/States/{name}"


def _transitions(state: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for field in ("Next", "Default"):
        if field in state:
            yield field, state[field]
    for field in ("Choices", "Catch"):
        for index, rule in enumerate(state.get(field, [])):
            if "Next" in rule:
                yield f"{field}[{index}]/Next", rule["Next"]


def _inner_machines(state: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for field in ("ItemProcessor", "Iterator"):
        if field in state:
            yield field, state[field]
    for index, branch in enumerate(state.get("Branches", [])):
        yield f"Branches[{index}]", branch
