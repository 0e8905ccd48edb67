"""``events:`` of ``use_case.yaml``: which columns the events of a use case have, and what each of them may hold.

Every event has the use case's record id and a time. Whatever else it has, the use case declares.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, FiniteFloat, StringConstraints, field_validator, model_validator

from tenant_experience.settings_file import Settings
from tenant_experience.use_case.features import Name

EVENT_ID, RECORDED_AT, DELETED = "event_id", "recorded_at", "deleted"
# The names that rows of events have already, for the engine's own purposes.
_TAKEN = {
    *(
        EVENT_ID,
        RECORDED_AT,
        DELETED,
        "repeated",
        "event_hash",
        "file",
        "broken_rule",
        "newlines",
        "refused",
        "malformed",
    ),
    *("repeats_key", "swallows_rows"),
    *("where", "file_row_number"),
}
# While a row is read, the value of a column in the file is called raw_<column>, and so on.
_PREFIXES = ("raw_", "failed_", "attempt_")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

ColumnType = Literal["text", "category", "number", "integer", "boolean", "time"]
Combination = Literal["first", "last", "any"]
Value = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]


def _usable_name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ValueError(
            "the name of an event column begins with a letter from a to z, followed by at most 62 of a to z, 0 to 9 "
            "and _: declare it under such a name, and let the source map the column of the file to it"
        )
    if name in _TAKEN:
        raise ValueError("every row of events has a column of this name already: choose another name")
    return name


EventColumnName = Annotated[str, AfterValidator(_usable_name)]


class EventColumn(Settings):
    """One column of events.

    Attributes:
        type: what its values are; a value that cannot be read as one costs its row.
        values: the values that a category may have, as ``features.sql`` sees them; a file may write them in upper or
            lower case. Without them, a category may have any value.
        minimum: of a number or a time; a lower value costs its row.
        maximum: of a number or a time; a higher value costs its row.
        required: whether every event must have a value.
        required_for: the kinds of event (``Events.kind``) that must have a value; it may be blank for all others.
        optional: whether a source may leave the column out; it is then null for every event.
        follows_event: a time at which something has happened to the event, such as its resolution: null until then,
            never before the event, and never in the future.
    """

    type: ColumnType = "category"
    values: list[Value] | None = Field(default=None, min_length=1)
    minimum: FiniteFloat | datetime | None = None
    maximum: FiniteFloat | datetime | None = None
    required: bool = False
    required_for: list[Value] = Field(default_factory=list)
    optional: bool = False
    follows_event: bool = False

    @field_validator("minimum", "maximum")
    @classmethod
    def _in_utc(cls, bound: float | datetime | None) -> float | datetime | None:
        if not isinstance(bound, datetime):
            return bound
        return bound.astimezone(UTC) if bound.tzinfo else bound.replace(tzinfo=UTC)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for key in ("values", "required_for"):
            names = [name.lower() for name in getattr(self, key) or ()]
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise ValueError(f"{key} lists {repeated[0]!r} more than once; upper and lower case are the same here")
        return self

    @model_validator(mode="after")
    def _fit_the_type(self) -> Self:
        if self.values and self.type != "category":
            raise ValueError(f"values belong to type: category, and not to type: {self.type}")
        if self.follows_event and self.type != "time":
            raise ValueError(f"follows_event belongs to type: time, and not to type: {self.type}")
        bounds = [bound for bound in (self.minimum, self.maximum) if bound is not None]
        wanted = {"number": float, "integer": float, "time": datetime}.get(self.type)
        if bounds and wanted is None:
            raise ValueError(f"minimum and maximum belong to numbers, integers and times, and not to {self.type}")
        if wanted and not all(isinstance(bound, wanted) for bound in bounds):
            raise ValueError(
                f"minimum and maximum of type: {self.type} must be {'times' if wanted is datetime else 'numbers'}"
            )
        if len(bounds) == 2 and not bounds[0] <= bounds[1]:  # type: ignore[operator] # both are of one type
            raise ValueError("minimum must not exceed maximum")
        if self.optional and self.required:
            raise ValueError("a column cannot be both optional and required: where a source lacks it, no event has one")
        if self.required and self.required_for:
            raise ValueError("required_for must be left out where every event must have a value (required: true)")
        return self


class Events(Settings):
    """The events of a use case.

    Attributes:
        time: the column that says when an event happened.
        kind: the category that says what kind of event a row is; None where all are of one kind. Every event has one.
        columns: the other columns, in the order in which rows show them.
        kept_days: how long the events of batches that add up count, where ``features.sql`` looks back further than any
            window of the use case.
    """

    time: EventColumnName = "event_time"
    kind: Name | None = None
    columns: dict[EventColumnName, EventColumn] = Field(default_factory=dict)
    kept_days: int | None = Field(default=None, ge=1, le=36_500)

    @model_validator(mode="after")
    def _kinds_are_declared(self) -> Self:
        kind = None if self.kind is None else self.columns.get(self.kind)
        if self.kind is not None:
            if kind is None or kind.values is None:
                raise ValueError(f"kind names {self.kind!r}, which must be one of columns, with its values")
            if kind.required_for or kind.optional:
                raise ValueError(
                    f"columns.{self.kind} must have neither required_for nor optional: every event has one"
                )
        for name, column in self.columns.items():
            if column.required_for and (kind is None or kind.values is None):
                raise ValueError(f"columns.{name}.required_for needs the key 'kind', the column whose values it names")
            known = [] if kind is None else kind.values or []
            unknown = [value for value in column.required_for if value not in known]
            if unknown:
                raise ValueError(
                    f"columns.{name}.required_for names {unknown[0]!r}, which is not one of "
                    f"columns.{self.kind}.values: {', '.join(known)}"
                )
        return self

    def of_type(self, *types: ColumnType) -> dict[str, EventColumn]:
        """The declared columns of these types."""
        return {name: column for name, column in self.columns.items() if column.type in types}

    @property
    def following(self) -> list[str]:
        """The times at which something has happened to an event."""
        return [name for name, column in self.columns.items() if column.follows_event]

    def is_required(self, name: str) -> bool:
        """Whether every event must have a value in this column."""
        return name == self.kind or self.columns[name].required

    def clashing_names(self, record_id: str, partition_column: str) -> dict[tuple[str, ...], str]:
        """Key of ``use_case.yaml`` -> why the column cannot have this name beside the others."""
        others = {record_id: "record_id", partition_column: "partition_column", self.time: "events.time"}
        clashes: dict[tuple[str, ...], str] = {}
        for key, name in ((("record_id",), record_id), (("partition_column",), partition_column)):
            if name in _TAKEN:
                clashes[key] = f"every row of events has a column {name!r} of its own"
            elif name == self.time:
                clashes[key] = f"events.time is {name!r} too"
        mapped = [*others, *self.columns, EVENT_ID, RECORDED_AT]
        while_read = {prefix + name for name in mapped for prefix in _PREFIXES}
        while_read |= {f"{name}_is_plain" for name in (record_id, partition_column, EVENT_ID)}
        for name in self.columns:
            if name in others:
                clashes["events", "columns", name] = f"{others[name]} is {name!r} too"
            elif name in while_read:
                clashes["events", "columns", name] = f"the engine calls a value {name!r} while it reads another column"
        return clashes
