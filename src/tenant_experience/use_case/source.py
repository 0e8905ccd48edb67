"""``sources/<name>.yaml``: how the columns of an export become ours. A new export needs a new file, but no new code."""

from __future__ import annotations

import codecs
import io
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, ValidationError, model_validator

from tenant_experience.errors import UserError
from tenant_experience.settings_file import Settings, fault_in_words, line_of, load_settings
from tenant_experience.use_case._source_columns import (
    allowed_columns,
    check_as_of,
    check_columns,
    check_combinations,
)
from tenant_experience.use_case.events import DELETED, Combination
from tenant_experience.use_case.features import Name
from tenant_experience.use_case.history import History
from tenant_experience.use_case.id_sql import joined_id
from tenant_experience.use_case.schema import SOURCES_FOLDER, USE_CASE_FILE, UseCase
from tenant_experience.use_case.source_expression import (
    AS_OF_PARAMETER,
    FILE_PARAMETER,
    WHERE,
    check_time_format,
    columns_read,
    uses_file,
)
from tenant_experience.use_case.sql_text import substituted

# Names in the folder of time zones that mean the zone of the machine, or none.
_OF_THE_MACHINE = {"localtime", "posixrules", "Factory"}


@cache
def _time_zones() -> set[str]:
    """Looking for them opens every file of the time zone database."""
    return available_timezones() - _OF_THE_MACHINE


def _known_zone(zone: str) -> str:
    if zone not in _time_zones():
        raise ValueError("not an IANA time zone, such as UTC or Europe/Berlin")
    return zone


def _readable(expression: str) -> str:
    columns_read(expression)
    return expression


def _usable_format(time_format: str) -> str:
    check_time_format(time_format)
    return time_format


def _known_encoding(encoding: str) -> str:
    try:
        return codecs.lookup(io.TextIOWrapper(io.BytesIO(), encoding).encoding).name
    except LookupError as error:
        raise ValueError("not an encoding of text, such as utf-8, utf-16, latin-1 or cp1252") from error


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("not a time in UTC's years 1 to 9999") from error


SourcePurpose = Literal["batch", "outcomes"]
Expression = Annotated[str, AfterValidator(_readable)]
TimeFormat = Annotated[str, AfterValidator(_usable_format)]


def _one_tab(delimiter: object) -> object:
    return "\t" if delimiter in ("\\t", "tab") else delimiter


class CsvOptions(Settings):
    """How this source's text files with columns are written.

    Attributes:
        delimiter: what separates values, a comma where it is left out; a tab may be written ``tab``. A tab separates
            those of ``.tsv``, unless the header says otherwise, and of ``.txt`` the header decides.
        quote: what stands around a value that holds a delimiter; the empty text where nothing does.
        skip_lines: how many lines stand before the header, such as the title of a report.
        encoding: of the text.
    """

    delimiter: Annotated[str, BeforeValidator(_one_tab), Field(min_length=1, max_length=1)] | None = None
    quote: str = Field(default='"', max_length=1)
    skip_lines: int = Field(default=0, ge=0, le=1_000)
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> Self:
        if {self.delimiter, self.quote} & {"\n", "\r"} or (self.delimiter or ",") == self.quote:
            raise ValueError("csv.delimiter and csv.quote must be two characters, and neither may be a line break")
        return self


class HistoryOverride(Settings):
    """Thresholds of a source that replace those of its use case: a log may be too short for the latter."""

    window_days: int | None = None
    minimum_days: int | None = None
    provisional_below: int | None = None


class Source(Settings):
    """One kind of export.

    Attributes:
        kind: ``events``: one row for each event; ``activities``: several rows for each event, a case; ``table``: one
            row for each tenant, with its features; ``outcomes``: one row for each outcome of a tenant, in files beside
            the others.
        columns: our column -> SQL expression over the columns of the file. In a table, it may use ``$as_of``, and
            where files come through the queue, ``$file``, the file's name.
        optional: columns that may be missing from the file; they are then null.
        time_zone: the zone of time stamps without an offset.
        null_markers: trimmed texts that mean that there is no value, beside the empty text.
        time_formats: strptime formats of times in text, tried in order; none means ISO 8601.
        where: rows for which this is not true are left out, and counted.
        history: thresholds that replace those of the use case.
        combine: our column -> which of the values in the rows of a case counts, where it is not the usual one: the
            first or the last that is not blank, or whether any of them is true.
        as_of: when a closed data set ends; the ``as_of`` of a manifest takes precedence.
    """

    kind: Literal["events", "activities", "table", "outcomes"]
    columns: dict[Name, Expression] = Field(min_length=1)
    optional: list[str] = Field(default_factory=list)
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    null_markers: list[str] = Field(default_factory=list)
    time_formats: list[TimeFormat] = Field(default_factory=list)
    where: Expression | None = None
    csv: CsvOptions = Field(default_factory=CsvOptions)
    history: HistoryOverride = HistoryOverride()
    combine: dict[Name, Combination] = Field(default_factory=dict)
    as_of: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = None

    def at(self, as_of: datetime) -> Source:
        """The same with this moment (with a zone) in place of ``$as_of``.

        It says its zone, because the others of a row may be of any: those without an offset are in ``time_zone``.
        """
        moment = f"CAST('{as_of.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00' AS TIMESTAMPTZ)"
        columns = {name: substituted(text, {AS_OF_PARAMETER: moment}) for name, text in self.columns.items()}
        return self.model_copy(update={"columns": columns})

    def of_file(self, name: str) -> Source:
        """The same with this name of a file in place of ``$file``."""
        text = "'" + name.replace("'", "''") + "'"
        columns = {ours: substituted(each, {FILE_PARAMETER: text}) for ours, each in self.columns.items()}
        return self.model_copy(update={"columns": columns})

    def of_batch(self, name: str) -> Source:
        """The same, for files of a batch.

        Args:
            name: of this source.

        Raises:
            UserError: ``invalid_source``: an expression uses ``$file``.
        """
        users = [ours for ours, expression in self.columns.items() if uses_file(expression)]
        if users:
            raise UserError(
                f"source {name!r}: key 'columns.{users[0]}' uses $file, which only files below inference/ have, each "
                "of which is read on its own: name another source",
                code="invalid_source",
            )
        return self

    def raw_columns(self) -> dict[str, str]:
        """Each column of the file that is read -> the first of our columns (or ``where``) that reads it."""
        read_by: dict[str, str] = {}
        for ours, expression in (*self.columns.items(), *([(WHERE, self.where)] if self.where else [])):
            for raw in columns_read(expression):
                read_by.setdefault(raw, ours)
        return read_by

    @property
    def has_events(self) -> bool:
        """Whether its rows become events, and not a ready-made table."""
        return self.kind in ("events", "activities")

    def combined(self, name: str, use_case: UseCase) -> Combination:
        """Which of the values of a column in the rows of a case counts."""
        column = use_case.declared_events.columns.get(name)
        usual: Combination = "any" if column and column.type == "boolean" else "last"
        return self.combine.get(name, usual)

    def unmapped(self, use_case: UseCase) -> dict[str, list[str]]:
        """Each feature that is null for every tenant -> the columns that the source would have to map for it.

        These are optional features that a ready-made table lacks, and features that need a column of events that the
        source leaves out, or reads from nothing.
        """
        mapped = {name for name, expression in self.columns.items() if expression.strip().lower() != "null"}
        needs = {
            name: feature.needs if self.has_events else [name] if feature.optional and self.kind == "table" else []
            for name, feature in use_case.features.items()
        }
        lacking = {name: [each for each in columns if each not in mapped] for name, columns in needs.items()}
        return {name: columns for name, columns in lacking.items() if columns}

    def without(self, name: str | None) -> Source:
        """The source that does not read one of our columns, such as the label, whether or not it maps it."""
        return self.model_copy(update={"columns": {ours: it for ours, it in self.columns.items() if ours != name}})

    def with_deletions(self) -> Source:
        """The source of batches that add up: an event may be deleted by another batch than this one."""
        if self.kind != "events" or DELETED in self.columns:
            return self
        return self.model_copy(update={"columns": {**self.columns, DELETED: "false"}})

    def adjust(self, use_case: UseCase) -> UseCase:
        """The use case with the history thresholds of this source.

        Raises:
            ValidationError: the merged thresholds are not in order.
        """
        merged = use_case.history.model_dump() | self.history.model_dump(exclude_none=True)
        return use_case.model_copy(update={"history": History.model_validate(merged)})


def load_source(folder: Path, name: str, use_case: UseCase, *, of: SourcePurpose = "batch") -> Source:
    """Reads ``folder/sources/<name>.yaml`` of the use case in ``folder``.

    Args:
        folder: of the use case.
        name: of the source.
        use_case: the use case.
        of: what it is wanted for: the batch itself, or the outcomes beside it.

    Raises:
        UserError: ``unknown_source`` when there is no such file, ``invalid_source`` when the file is wrong. The message
            names the file, the line, the key and what is allowed there.
    """
    known = sorted(path.stem for path in (folder / SOURCES_FOLDER).glob("*.yaml"))
    if name not in known:
        fitting = [each for each in known if _reads_outcomes(folder, each) == (of == "outcomes")]
        advice = f"choose one of {', '.join(fitting)}" if fitting else "the use case has no source that would do here"
        raise UserError(f"there is no source {name!r}; {advice}", code="unknown_source")
    path = folder / SOURCES_FOLDER / f"{name}.yaml"
    source = load_settings(path, Source, code="invalid_source")
    if (source.kind == "outcomes") != (of == "outcomes"):
        raise UserError(
            f"{path.name}: line {line_of(path, 'kind')}: key 'kind' is {source.kind}, so this source cannot read "
            + ("outcomes" if of == "outcomes" else "a batch, only the files of outcomes beside one")
            + ": name another source",
            code="invalid_source",
        )
    try:
        source.adjust(use_case)
    except ValidationError as error:
        raise UserError(
            f"{path.name}: line {line_of(path, 'history')}: key 'history', merged with {USE_CASE_FILE}: "
            + "; ".join(" ".join([*map(str, each["loc"]), fault_in_words(each)]) for each in error.errors()),
            code="invalid_source",
        ) from error
    check_columns(source, use_case, path)
    check_as_of(source, use_case, path)
    check_combinations(source, use_case, path)
    return _with_joined_id(source, use_case, path)


def _with_joined_id(source: Source, use_case: UseCase, path: Path) -> Source:
    """The source with the expression of an id that is made from columns, instead of those that only it needs."""
    if use_case.ids.from_ is None:
        return source
    joined = joined_id([source.columns[name] for name in use_case.id_columns], use_case.record_id_case)
    needed = {name for names in allowed_columns(source, use_case, path) for name in names}
    others = {name: each for name, each in source.columns.items() if name in needed}
    return source.model_copy(update={"columns": {use_case.record_id: joined, **others}})


def _reads_outcomes(folder: Path, name: str) -> bool:
    """Whether a source is for outcomes; one that is wrong is none."""
    try:
        return load_settings(folder / SOURCES_FOLDER / f"{name}.yaml", Source, code="invalid_source").kind == "outcomes"
    except UserError:
        return False
