"""Step Functions' cause of an error as text for people: never JSON, a traceback or an ARN, whole or cut."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_TRACEBACK = ("Traceback (most recent call last)", 'File "', "\n    at ")
_ARN = re.compile(r"arn:[\w-]+:[\w-]*:[\w-]*:\d*:([^\s,;()'\"]+)")
# A member of a JSON object that was cut: Step Functions keeps 32,768 characters of a cause.
_MEMBER = re.compile(r'"(\w+)"\s*:\s*"((?:[^"\\]|\\.)*)"')
# A list of plain names, such as ["null_share"], is part of a sentence: it is what a reader has to write.
_OBJECT = re.compile(r'^\s*[\[{]|\{\s*"|\[\s*[\[{]|\[\s*"(?!\w+"(?:, "\w+")*\])')
_NOT_SHOWN = "(not shown here; it is in the execution's history)"


def document(cause: str) -> Mapping[str, Any]:
    """A cause that is a JSON object, or what can be read of one that was cut: the first text of each name."""
    if not cause.lstrip().startswith("{"):
        return {}
    try:
        found = json.loads(cause)
    except ValueError:
        found = {}
        for name, value in _MEMBER.findall(cause):
            found.setdefault(name, value)
    return found if isinstance(found, dict) else {}


def is_sentence(text: str) -> bool:
    """Whether a message is one that a person can read: no JSON, and no traceback."""
    return bool(text.strip()) and not _OBJECT.search(text) and not any(sign in text for sign in _TRACEBACK)


def line(text: str) -> str:
    """A message as one line for the operator.

    Of a traceback, its last line is kept, which names the error. JSON is left out. An ARN becomes its resource, such
    as ``role/name``.
    """
    if any(sign in text for sign in _TRACEBACK):
        text = _last_of_traceback(text)
    found = _OBJECT.search(text)
    if found:
        text = f"{text[: found.start()]} {_NOT_SHOWN}"
    return " ".join(_ARN.sub(r"\1", text).split())


def _last_of_traceback(text: str) -> str:
    lines = [each.strip() for each in text.splitlines() if each.strip()]
    said = [each for each in lines if re.match(r"[\w.]*(Error|Exception|Warning|Exit)\b", each)]
    return said[-1] if said and not any(sign in said[-1] for sign in _TRACEBACK) else _NOT_SHOWN
