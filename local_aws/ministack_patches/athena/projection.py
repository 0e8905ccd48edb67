"""Athena's partition projection: partitions of a table whose folders its parameters describe.

MiniStack knows partitions from folders such as ``date=2026-01-02`` only. Here the objects of a table with projection
are laid out so: one folder for each key, as ``storage.location.template`` says. Objects elsewhere, and values that the
projection does not contain, are not part of the table. Source:
https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_KEY = re.compile(r"\$\{(\w+)\}")
_KINDS = ("enum", "integer", "date", "injected")


class ProjectionError(Exception):
    """The table's parameters do not describe its partitions, or an injected key has no value."""


@dataclass(frozen=True)
class Projection:
    """The partitions of one table."""

    keys: tuple[str, ...]
    parameters: Mapping[str, str]
    pattern: re.Pattern[str]  # of a path below the table's location

    def folders(self, path: str) -> str | None:
        """The path of an object with a folder ``key=value`` for each key; None when it is in no partition."""
        found = self.pattern.match(path)
        if found is None or not all(self._contains(key, found[key]) for key in self.keys):
            return None
        return "/".join([*(f"{key}={found[key]}" for key in self.keys), path[found.end() :]])

    def _contains(self, key: str, value: str) -> bool:
        kind = self.parameters[f"projection.{key}.type"]
        if kind == "enum":
            return value in [each.strip() for each in self.parameters[f"projection.{key}.values"].split(",")]
        if kind == "integer":
            first, last = (int(each) for each in self.parameters[f"projection.{key}.range"].split(","))
            return value.isdigit() and first <= int(value) <= last
        return True

    def check(self, query: str) -> None:
        """Whether the query gives each injected key a value, as Athena demands.

        Raises:
            ProjectionError: it does not.
        """
        for key in self.keys:
            if self.parameters[f"projection.{key}.type"] == "injected" and not re.search(
                rf"\b{key}\b\"?\s*(?:=|in\s*\()", query, re.IGNORECASE
            ):
                raise ProjectionError(
                    f"CONSTRAINT_VIOLATION: For the injected projected partition column {key}, the WHERE clause must "
                    "contain only static equality conditions, and at least one such condition must be present."
                )


def projection(location: str, keys: Sequence[str], parameters: Mapping[str, str]) -> Projection | None:
    """What a table's parameters say about its partitions; None when they say nothing.

    Args:
        location: the table's, ``s3://bucket/prefix/``.
        keys: names of its partition keys.
        parameters: the table's.

    Raises:
        ProjectionError: a key has no kind, or the template lacks a key or leaves the table's location.
    """
    if parameters.get("projection.enabled", "").lower() != "true" or not keys:
        return None
    for key in keys:
        if parameters.get(f"projection.{key}.type") not in _KINDS:
            raise ProjectionError(f"projection.{key}.type is none of {', '.join(_KINDS)}")
    below = location if location.endswith("/") else f"{location}/"
    template = parameters.get("storage.location.template") or below + "/".join(f"{key}=${{{key}}}" for key in keys)
    template = template if template.endswith("/") else f"{template}/"
    if sorted(_KEY.findall(template)) != sorted(keys) or not template.startswith(below):
        raise ProjectionError(f"storage.location.template must begin with {below} and name each partition key once")
    parts = _KEY.split(template.removeprefix(below))
    pattern = "".join(f"(?P<{part}>[^/]+)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
    return Projection(tuple(keys), dict(parameters), re.compile(pattern))
