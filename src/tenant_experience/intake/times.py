"""Times of raw files as SQL: one way to read them, and the bounds that they must keep, whatever the rows are about."""

from __future__ import annotations

from datetime import datetime, timedelta

from tenant_experience.intake.duckdb_session import literal, utc_text

_CLOCKS_MAY_DIFFER = timedelta(days=1)
# A time whose zone, if it names one, is Z, UTC or a place such as Europe/London: abbreviations have several meanings.
_CLEAR_ZONE = literal("[^A-Za-z]*[Tt]?[^A-Za-z]*(Z| ?UTC| [A-Z][A-Za-z_]+/[A-Za-z_/]+)?")
# No time stamp outside this range can be meant; infinity, which DuckDB reads as a time, is outside it too.
_PLAUSIBLE = "BETWEEN TIMESTAMP '1900-01-01' AND TIMESTAMP '2200-01-01'"


def utc_time(raw: str, formats: list[str]) -> str:
    """SQL for the UTC time stamp that ``raw`` means, in the time zone of the session where it names none; or null."""
    # A cast to TIMESTAMP would silently drop an offset; a cast to TIMESTAMPTZ uses it.
    moment = f"TRY_CAST({raw} AS TIMESTAMPTZ)"
    if not formats:
        # DuckDB takes BST for the time of Bangladesh and AST for Alaska's. Most texts end in a digit, or in a digit and
        # Z, and comparing two characters costs much less than matching a pattern.
        text = f"CAST({raw} AS VARCHAR)"
        clear = f"typeof({raw}) <> 'VARCHAR' OR substr({text}, -2) < ':' OR regexp_full_match({text}, {_CLEAR_ZONE})"
        moment = f"CASE WHEN {clear} THEN {moment} END"
    if formats:
        texts = (f"TRY_CAST(try_strptime(CAST({raw} AS VARCHAR), {literal(text)}) AS TIMESTAMPTZ)" for text in formats)
        moment = f"CASE WHEN typeof({raw}) = 'VARCHAR' THEN coalesce({', '.join(texts)}) ELSE {moment} END"
    # The same as AT TIME ZONE 'UTC', without a calendar look-up for each value; infinity becomes null.
    return f"make_timestamp(epoch_us({moment}))"


def unreadable_time(column: str) -> str:
    """SQL: whether a value was given for ``column`` that is no time, or none that can be meant."""
    return f"raw_{column} IS NOT NULL AND coalesce({column} NOT {_PLAUSIBLE}, true)"


def latest_time(requested_at: datetime) -> str:
    """SQL for the latest moment that may be in the past at ``requested_at``, by any clock."""
    return f"TIMESTAMP {literal(utc_text(requested_at + _CLOCKS_MAY_DIFFER))}"
