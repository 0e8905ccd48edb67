"""Fields of a state, and times of an execution."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def is_jsonata(state: dict[str, Any], context: dict[str, Any]) -> bool:
    """Whether a state is written in JSONata: by its own QueryLanguage, otherwise by the machine's."""
    language = state.get("QueryLanguage") or context.get("QueryLanguage", "JSONPath")
    return bool(language == "JSONata")


def next_state(state: dict[str, Any]) -> str | None:
    """The name of the state that follows; None after the last one."""
    return None if state.get("End") else state.get("Next")


def now_iso() -> str:
    """The time as MiniStack keeps it, for example ``2026-11-01T10:00:00.123Z``."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def epoch_seconds(moment: str) -> float:
    """The seconds since 1970 of a time that ``now_iso`` gave."""
    return datetime.fromisoformat(moment).timestamp()


def epoch_milliseconds(moment: str | None) -> int | None:
    """The milliseconds since 1970 of a time that ``now_iso`` gave."""
    return int(epoch_seconds(moment) * 1000) if moment else None
