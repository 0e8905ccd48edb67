"""The features of earlier periods, from the same events: what was known then, and nothing of what happened since.

A period is as long as the window of the use case. The newest one ends at ``as_of``, and the others end one and two
windows earlier, so that no two overlap. They show what probabilities were worth (``groups.backtest``).
"""

# ruff: noqa: S608 - names and timestamps in SQL come from validated settings
from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from tenant_experience.data_layout import past_features
from tenant_experience.features.sql import (
    PAST_TABLE,
    drop_features,
    features_from_events,
    write_features,
)
from tenant_experience.intake.duckdb_session import identifier, sql_timestamp
from tenant_experience.intake.engine import ProcessingEngine
from tenant_experience.use_case.schema import UseCase

MOST_PERIODS = 2
# The log reaches back to a moment when at least one in a thousand of its events is older than a twentieth of a window
# after it: a few stray events of an earlier year are no log, and the log's first event comes a little after its
# beginning.
_LEAST_SHARE, _BEGINNING = 0.001, 0.05


def write_past_features(
    engine: ProcessingEngine,
    use_case: UseCase,
    sql: str,
    as_of: datetime,
    folder: Path,
    know: Callable[[datetime], None] = lambda _: None,
    unknown: Collection[str] = (),
) -> list[int]:
    """Writes the features of each earlier period that the log covers.

    Args:
        engine: holds ``events``; its connection holds ``placed``.
        use_case: its window is the length of a period.
        sql: ``features.sql``.
        as_of: the end of the newest period.
        folder: of the release's features.
        know: makes ``events`` what was known at a moment, where it is not the same at all moments.
        unknown: features that are null for everybody.

    Returns:
        How many days before ``as_of`` each of these periods ends.
    """
    written = []
    for days in _covered(engine, use_case, as_of):
        path = folder / past_features(days)
        know(as_of - timedelta(days=days))
        features_from_events(engine, use_case, sql, as_of - timedelta(days=days), PAST_TABLE, unknown=unknown)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_features(engine.connection, use_case, path, PAST_TABLE)
        drop_features(engine.connection, PAST_TABLE)
        written.append(days)
    return written


def _covered(engine: ProcessingEngine, use_case: UseCase, as_of: datetime) -> list[int]:
    """The ends of the earlier periods that lie in the log as a whole, in days before ``as_of``."""
    window_days = use_case.history.window_days
    ends = [number * window_days for number in range(1, MOST_PERIODS + 1)]
    reached = reaches_back(engine, use_case, as_of, [(as_of - timedelta(days=end), window_days) for end in ends])
    return [end for end, has in zip(ends, reached, strict=True) if has]


def reaches_back(
    engine: ProcessingEngine, use_case: UseCase, as_of: datetime, periods: Sequence[tuple[datetime, int]]
) -> list[bool]:
    """Whether the log has the whole of some periods.

    Args:
        engine: holds ``events``.
        use_case: names the column of their time.
        as_of: later events do not count.
        periods: the end and the length in days of each.
    """
    time = identifier(use_case.declared_events.time)
    begun = [end - timedelta(days=days * (1 - _BEGINNING)) for end, days in periods]
    counts = ", ".join(
        f"count(CASE WHEN {time} < {sql_timestamp(moment)} THEN 1 END) AS before_{place}"
        for place, moment in enumerate(begun)
    )
    engine.fetch(
        "reach",
        f"SELECT count(CASE WHEN {time} < {sql_timestamp(as_of)} THEN 1 END) AS events, {counts} FROM events",
    )
    events, *before = engine.connection.execute("FROM reach").fetchone() or (0,)
    engine.connection.execute("DROP TABLE reach")
    return [count >= max(1, _LEAST_SHARE * events) for count in before]
