"""``events:`` of ``use_case.yaml``: what the columns of its communication events may hold.

A key below ``columns`` is a column of events, and what is below that key describes the column. Further columns of a use
case, and further properties of a column such as its type and range, belong in the same place.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from tenant_experience.settings_file import Settings
from tenant_experience.use_case.features import Name


class EventColumn(Settings):
    """One column of events that holds one of a few values.

    Attributes:
        values: the allowed values, in lower case; a file may use upper case. Any other value is quarantined.
        required_for: the channels whose events must have a value in this column; it may be blank for all others.
    """

    values: list[Name] = Field(min_length=1)
    required_for: list[Name] = Field(default_factory=list)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for key in ("values", "required_for"):
            names = getattr(self, key)
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise ValueError(f"{key} lists {repeated[0]!r} more than once")
        return self


class EventColumns(Settings):
    """The columns that a use case declares; every event has a ``channel``."""

    channel: EventColumn
    direction: EventColumn | None = None
    sentiment: EventColumn | None = None

    @model_validator(mode="after")
    def _required_for_known_channels(self) -> Self:
        if self.channel.required_for:
            raise ValueError("channel.required_for must be left out: every event has a channel")
        for name, column in self.declared.items():
            unknown = [channel for channel in column.required_for if channel not in self.channel.values]
            if unknown:
                raise ValueError(
                    f"{name}.required_for names {unknown[0]!r}, which is not one of channel.values: "
                    f"{', '.join(self.channel.values)}"
                )
        return self

    @property
    def declared(self) -> dict[str, EventColumn]:
        """The declared columns by name, in a fixed order."""
        columns = {"channel": self.channel, "direction": self.direction, "sentiment": self.sentiment}
        return {name: column for name, column in columns.items() if column is not None}

    @property
    def undeclared(self) -> list[str]:
        """The columns that events of this use case do not have."""
        return [name for name in type(self).model_fields if name not in self.declared]


class Events(Settings):
    """The events of a use case."""

    columns: EventColumns
