"""The tables of a preview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tenant_experience.data_quality.tenant_outcomes import OutcomeFigures
from tenant_experience.use_case.words import Words

_LONGEST_CELL = 48


def show_intake(quality: dict[str, Any], console: Console) -> None:
    """Print the files with their counts, the events in them, and why rows were rejected.

    Args:
        quality: the content of ``data_quality.json`` after the batch was read.
        console: where to print.
    """
    console.print(f"source {quality['source']}, as of {quality['as_of']}; {_history(quality)}")
    table = Table("file", "rows", "filtered", "rejected", title="Files", title_justify="left")
    for file in quality["files"]:
        table.add_row(escape(file["name"]), *(str(file[key]) for key in ("rows", "filtered", "quarantined")))
    console.print(table)
    if "events" in quality:
        kinds = ", ".join(f"{rows} of {kind}" for kind, rows in quality["rows_by_kind"].items())
        rows = quality["events"] + quality["duplicates_dropped"] + quality["updates"]
        first, last = quality["first_event_at"], quality["last_event_at"]
        console.print(
            f"{quality['events']} events (rows: {kinds or rows}; {quality['duplicates_dropped']} are duplicates, "
            f"{quality['updates']} updates)" + (f", {quality['time_column']} {first} to {last} UTC" if first else "")
        )
    _show_reasons(quality["quarantined_by_reason"], "Why rows were rejected", console)


def _show_reasons(reasons: Sequence[dict[str, Any]], title: str, console: Console) -> None:
    if not reasons:
        return
    table = Table("reason", "column", "rows", "first place", title=title, title_justify="left")
    for reason in reasons:
        place = f"{reason['first_file']} line {reason['first_line']}"
        table.add_row(reason["reason"], reason["column"], str(reason["rows"]), escape(place))
    console.print(table)


def show_outcomes(found: OutcomeFigures, words: Words, console: Console) -> None:
    """Print how many outcomes there are, of which kinds, and why rows of them were rejected."""
    kinds = ", ".join(f"{count} of {kind}" for kind, count in found.by_kind.items())
    intake = found.intake
    console.print(
        f"{found.outcomes} outcomes by source {found.source} (kinds: {kinds}; {intake.rows} rows, {intake.filtered} "
        f"filtered, {intake.quarantined} rejected, {found.duplicates} duplicates): {found.of_known_tenants} of "
        f"{words.records} in this input, {found.of_unknown_tenants} of {found.unknown_tenants} unknown {words.records}"
        + (f", happened {found.first_at} to {found.last_at} UTC" if found.first_at else "")
    )
    _show_reasons([asdict(reason) for reason in intake.quarantined_by_reason], "Why outcomes were rejected", console)


def _history(quality: dict[str, Any]) -> str:
    history, words = quality.get("history"), Words.read(quality.get("words"))
    if history is None:
        why = "features.sql asks for no length of history" if "events" in quality else "a ready-made table"
        return f"{why}, so every {words.record}'s history counts as sufficient"
    overridden = history.get("overridden_by_source")
    return (
        f"{words.a_record} needs {history['minimum_days']} days of history, and {history['provisional_below']} "
        "to train on" + (f" (set by this source: {', '.join(overridden)})" if overridden else "")
    )


def show_tenants(quality: dict[str, Any], label: str | None, console: Console, *, train: bool = True) -> None:
    """Print the tenants by history, and the features that are left out.

    Args:
        quality: the content of ``data_quality.json``.
        label: the column that labels come from, if they come from a column.
        console: where to print.
        train: whether models are to be trained.
    """
    words = Words.read(quality.get("words"))
    classes = ", ".join(f"{tenants} {history}" for history, tenants in quality["tenants_by_history"].items())
    known = "" if label is None else f"with a label in {label}; "
    console.print(
        f"{quality['tenants']} {words.records} in {quality['portfolios']} {words.partitions}, "
        + (f"{quality['may_train']} of them may train ({known}" if train else "which the live release answers for (")
        + f"history: {classes or 'none'})"
    )
    for feature, reason in quality["left_out"].items() if quality["may_train"] else ():
        console.print(f"  left out of groups and models: {feature}, {reason}")


def show_rows(connection: duckdb.DuckDBPyConnection, query: str, title: str, rows: int, console: Console) -> None:
    """Print the first rows of a query side by side, with one line for each column that has values in them."""
    found = connection.execute(f"FROM ({query}) LIMIT {int(rows)}")
    names = [column[0] for column in found.description]
    records = found.fetchall()
    if not records:
        return
    table = Table(title=title, title_justify="left", show_header=False)
    for name, values in zip(names, zip(*records, strict=True), strict=True):
        if any(value is not None for value in values):
            table.add_row(escape(name), *map(_cell, values))
    console.print(table)


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    return escape(text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 3]}...")
