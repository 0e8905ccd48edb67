"""``sources/<name>.yaml``: how an export's columns become ours. A new export is a new file here, never new code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, model_validator

from tenant_experience.errors import UserError
from tenant_experience.settings_file import Settings, load_settings
from tenant_experience.source_expression import columns_read
from tenant_experience.use_case import SOURCES_FOLDER, Name, UseCase

REQUIRED_EVENT_COLUMNS = ("event_id", "tenant_id", "channel", "opened_at", "first_response_at", "resolved_at")
OPTIONAL_EVENT_COLUMNS = (
    *("portfolio_id", "direction", "answered", "escalated", "sentiment"),
    *("tenancy_start_at", "tenancy_end_at"),
)


def _known_zone(zone: str) -> str:
    if zone not in available_timezones():
        raise ValueError("not an IANA time zone, such as UTC or Europe/Berlin")
    return zone


def _readable(expression: str) -> str:
    columns_read(expression)
    return expression


Expression = Annotated[str, AfterValidator(_readable)]


class CsvOptions(Settings):
    """How CSV files of this source are written."""

    delimiter: str = Field(default=",", min_length=1, max_length=1)


class Source(Settings):
    """What all kinds of sources share.

    Attributes:
        kind: ``events``: one row per communication event; ``table``: one row per tenant, features ready-made.
        columns: our column -> SQL expression over the file's columns.
        optional: columns of the file that may be missing from it; they then read as null.
        time_zone: of time stamps without an offset.
    """

    kind: Literal["events", "table"]
    columns: dict[Name, Expression] = Field(min_length=1)
    optional: list[str] = Field(default_factory=list)
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    csv: CsvOptions = Field(default_factory=CsvOptions)

    def raw_columns(self) -> dict[str, str]:
        """Each column of the file that is read -> the first of our columns that reads it."""
        read_by: dict[str, str] = {}
        for ours, expression in self.columns.items():
            for raw in columns_read(expression):
                read_by.setdefault(raw, ours)
        return read_by

    @model_validator(mode="after")
    def _columns_of_events(self) -> Self:
        if self.kind == "events":
            _check_columns(self.columns, REQUIRED_EVENT_COLUMNS, OPTIONAL_EVENT_COLUMNS)
        return self


def _check_columns(columns: dict[str, str], required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    missing = [name for name in required if name not in columns]
    unknown = [name for name in columns if name not in (*required, *optional)]
    if missing:
        raise ValueError(f"columns lacks {', '.join(missing)}")
    if unknown:
        raise ValueError(f"columns has unknown {', '.join(unknown)}; allowed: {', '.join((*required, *optional))}")


def load_source(folder: Path, name: str, use_case: UseCase) -> Source:
    """Reads ``folder/sources/<name>.yaml`` of the use case in ``folder``.

    Raises:
        UserError: ``unknown_source`` when the use case does not list it, ``invalid_source`` when the file is wrong;
            the message names the file, the key and what is allowed there.
    """
    if name not in use_case.sources:
        raise UserError(
            f"there is no source {name!r}; choose one of {', '.join(use_case.sources)}", code="unknown_source"
        )
    path = folder / SOURCES_FOLDER / f"{name}.yaml"
    source = load_settings(path, Source, code="invalid_source")
    if source.kind == "table":
        try:
            _check_columns(source.columns, (use_case.record_id, *use_case.features), (use_case.partition_column,))
        except ValueError as error:
            raise UserError(f"{path.name}: {error}", code="invalid_source") from error
    return source
