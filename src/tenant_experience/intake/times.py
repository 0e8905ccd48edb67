"""Times of raw files as SQL: one way to read them, and the bounds that they must keep, whatever the rows are about."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from tenant_experience.intake.duckdb_session import identifier, literal, utc_text

_CLOCKS_MAY_DIFFER = timedelta(days=1)
# A time whose zone, if it names one, is Z, UTC or a place such as Europe/London: abbreviations have several meanings.
_CLEAR_ZONE = literal("[^A-Za-z]*[Tt]?[^A-Za-z]*(Z| ?UTC| [A-Z][A-Za-z_]+/[A-Za-z_/]+)?")
# The clocks of the world run from 12 hours behind UTC to 14 hours ahead; DuckDB takes +99:99 for an offset too.
_OFFSET = r"(\+(0[0-9]|1[0-3])|-(0[0-9]|1[01]))(:?[0-5][0-9]){0,2}|(\+14|-12)(:?00){0,2}"
# An offset stands behind the seconds, or behind the minutes where there are none.
_HAS_OFFSET = literal(r":[0-9.]+ ?[+\-]")
_HAS_KNOWN_OFFSET = literal(rf":[0-9.]+ ?({_OFFSET})$")
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
        is_known = f"NOT regexp_matches({text}, {_HAS_OFFSET}) OR regexp_matches({text}, {_HAS_KNOWN_OFFSET})"
        known = f"typeof({raw}) <> 'VARCHAR' OR ends_with({text}, 'Z') OR {is_known}"
        moment = f"CASE WHEN ({clear}) AND ({known}) THEN {moment} END"
    if formats:
        texts = (_by_format(f"CAST({raw} AS VARCHAR)", text) for text in formats)
        moment = f"CASE WHEN typeof({raw}) = 'VARCHAR' THEN coalesce({', '.join(texts)}) ELSE {moment} END"
    # The same as AT TIME ZONE 'UTC', without a calendar look-up for each value; infinity becomes null.
    return f"make_timestamp(epoch_us({moment}))"


def _by_format(text: str, time_format: str) -> str:
    """SQL for the moment that a text means by a format of ``strptime``; null where its offset is no clock's."""
    moment = f"TRY_CAST(try_strptime({text}, {literal(time_format)}) AS TIMESTAMPTZ)"
    parts = re.findall(r"%-?.|[^%]+", time_format, re.DOTALL)
    if "%z" not in parts:
        return moment
    patterns = (f"({_OFFSET})" if part == "%z" else ".+" if part.startswith("%") else re.escape(part) for part in parts)
    return f"CASE WHEN regexp_full_match({text}, {literal(''.join(patterns))}) THEN {moment} END"


def unreadable_time(column: str) -> str:
    """SQL: whether a value was given for ``column`` that is no time, or none that can be meant."""
    return f"raw_{column} IS NOT NULL AND coalesce({identifier(column)} NOT {_PLAUSIBLE}, true)"


def latest_time(requested_at: datetime) -> str:
    """SQL for the latest moment that may be in the past at ``requested_at``, by any clock."""
    return f"TIMESTAMP {literal(utc_text(requested_at + _CLOCKS_MAY_DIFFER))}"
