"""Run one Lambda function of the laptop's stack with an event from a file."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from operations.errors import OperationError, interruption
from operations.laptop import ROOT, relative
from operations.stack import Stack

_FUNCTIONS = ROOT / "functions"
_EVENTS = ROOT / "events"


@dataclass(frozen=True)
class Answer:
    """What a function answered.

    Attributes:
        function: its folder in ``functions/``.
        event: the file with its event.
        answer: the decoded answer; for a failure its type, message and stack trace.
        failed: whether the function raised an error.
        log: the last lines of its log, as far as the laptop's AWS returns them.
    """

    function: str
    event: str
    answer: Any
    failed: bool
    log: str


def function_names() -> list[str]:
    """The functions by their folders."""
    return sorted(folder.name for folder in _FUNCTIONS.iterdir() if (folder / "app.py").is_file())


def read_event(function: str, path: Path | None) -> tuple[Path, bytes]:
    """The file with the function's event, and its content.

    Args:
        function: its folder in ``functions/``.
        path: by default the sample event of the function in ``events/``.

    Raises:
        OperationError: the function or the file is unknown, or the file is not JSON.
    """
    if function not in function_names():
        raise OperationError(f"there is no function {function!r}: choose one of {', '.join(function_names())}")
    path = path or _EVENTS / f"{function}.json"
    if not path.is_file():
        known = ", ".join(sorted(f"events/{each.name}" for each in _EVENTS.glob("*.json")))
        raise OperationError(f"there is no event file {relative(path)}: samples are {known}")
    content = path.read_bytes()
    try:
        json.loads(content)
    except ValueError as error:
        raise OperationError(f"{relative(path)} is not valid JSON: {error}") from error
    return path, content


def invoke(stack: Stack, function: str, path: Path, event: bytes) -> Answer:
    """Run the function that is deployed, and wait for its answer.

    Raises:
        OperationError: the stack is in an account, where a sample event would change what is served.
        Interrupted: Ctrl-C was pressed.
    """
    if stack.laptop is None:
        raise OperationError(
            f"stack {stack.name} is in an account, and invoke runs functions of the laptop's stack only: "
            "use `aws lambda invoke` there"
        )
    logical = "".join(word.capitalize() for word in function.split("_"))
    with interruption(f"Interrupted. Function {function} may go on until its time-out."):
        called = boto3.client("lambda").invoke(FunctionName=stack.physical_id(logical), Payload=event, LogType="Tail")
        answer = json.loads(called["Payload"].read() or b"null")
    log = base64.b64decode(called.get("LogResult", "")).decode(errors="replace")
    return Answer(function, relative(path), answer, "FunctionError" in called, log)
