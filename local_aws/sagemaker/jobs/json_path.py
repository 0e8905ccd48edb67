"""The JSONPath of a transform job's filters, as far as the service documents it.

``$``, ``.<name>``, ``*``, ``['<name>' (, '<name>')]``, ``[<number> (, <number>)]``, ``[<start>:<end>]``, and lists
of the last two, such as ``[0,5:]``.
Source: https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Step = Callable[[Any], Any]

_TOKEN = re.compile(
    r"""\.?(?:
      \[\s*(?P<names>'[^']*'(?:\s*,\s*'[^']*')*)\s*\]
    | \[\s*(?P<places>(?:-?\d+|-?\d*\s*:\s*-?\d*)(?:\s*,\s*(?:-?\d*\s*:\s*-?\d*|-?\d+))*)\s*\]
    | (?P<all>\[\s*\*\s*\]|(?<=\.)\*)
    | (?<=\.)(?P<name>[A-Za-z_][\w-]*)
    )""",
    re.VERBOSE,
)


class PathError(Exception):
    """The path is not of the documented kind, or finds nothing in a record."""


class JsonPath:
    """One filter.

    Raises:
        PathError: it is not of the documented kind.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if not text.startswith("$"):
            raise PathError(f"{text!r} does not start with $")
        self._steps: list[Step] = []
        place = 1
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None or match.end() == place:
                raise PathError(f"{text!r} is no supported JSONPath from character {place + 1} on")
            self._steps.append(_step(match))
            place = match.end()

    def select(self, value: Any) -> Any:
        """What the path finds.

        Raises:
            PathError: nothing.
        """
        for step in self._steps:
            try:
                value = step(value)
            except (KeyError, IndexError, TypeError) as error:
                raise PathError(f"{self.text!r} finds nothing in the record") from error
        return value


def _step(match: re.Match[str]) -> Step:
    found = match.groupdict()
    if found["name"] is not None:
        return lambda value: value[found["name"]]
    if found["names"] is not None:
        names = re.findall(r"'([^']*)'", found["names"])
        return _one(names[0]) if len(names) == 1 else lambda value: {name: value[name] for name in names}
    if found["all"] is not None:
        return lambda value: list(value.values()) if isinstance(value, dict) else list(_list(value))
    places = [_place(text) for text in found["places"].split(",")]
    if len(places) == 1 and isinstance(places[0], int):
        return _one(places[0])
    return lambda value: [each for place in places for each in _at(_list(value), place)]


def _place(text: str) -> int | slice:
    start, colon, end = (part.strip() for part in text.partition(":"))
    return slice(*(int(part) if part else None for part in (start, end))) if colon else int(start)


def _at(values: list[Any], place: int | slice) -> list[Any]:
    return values[place] if isinstance(place, slice) else [values[place]]


def _one(key: str | int) -> Step:
    return lambda value: value[key] if isinstance(key, str) else _list(value)[key]


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value
