"""Events of two kinds of tenants that a look at the features tells apart, for tests that must know who is bad.

No real portfolio has such a gap; ``continuum_events`` has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from demo.event_files import EventTable

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Channel:
    """Events of one kind. Each pair has a value for good and one for bad tenants.

    Attributes:
        name: the channel's name.
        yearly: events per tenant and year.
        response_hr: median hours to the first response; None for channels without one.
        resolution_hr: median hours from opening to resolution; None for channels without one.
        escalated: share of escalated events.
    """

    name: str
    yearly: tuple[float, float]
    response_hr: tuple[float, float] | None = None
    resolution_hr: tuple[float, float] | None = None
    escalated: tuple[float, float] = (0.0, 0.0)


_CHANNELS = (
    Channel("ticket", (8.0, 13.0), (4.0, 16.0), (26.0, 95.0), (0.012, 0.12)),
    Channel("maintenance_request", (1.6, 6.5), (3.5, 14.0), (30.0, 110.0), (0.03, 0.2)),
    Channel("work_order", (2.2, 7.5), (6.0, 20.0), (40.0, 120.0)),
    Channel("call", (7.0, 12.0)),
    Channel("message", (6.0, 8.0), (2.0, 7.0)),
    Channel("email", (4.0, 6.0), (6.0, 20.0)),
)
_INBOUND = 0.65
_ANSWERED = (0.95, 0.58)
_ANSWER_UNKNOWN = 0.04
_NEGATIVE = (0.02, 0.22)
_POSITIVE = (0.14, 0.03)
_NO_SENTIMENT = 0.4
_RESOLVED_AGAIN = 0.02
_NEVER_RESOLVED = 0.01


def wide_margin_events(
    rng: np.random.Generator, bad: npt.NDArray[np.bool_], moved_in: _Floats, pace: _Floats, end: datetime, days: int
) -> list[EventTable]:
    """One table per channel.

    Args:
        rng: seed of everything random.
        bad: whether each tenant has a bad time, shape (tenants,).
        moved_in: the day of the log on which each tenancy began, shape (tenants,).
        pace: factor of all hours of each tenant, shape (tenants,).
        end: when the files are exported.
        days: how long the log is.
    """
    return [_events(rng, channel, bad, moved_in, pace, end, days) for channel in _CHANNELS]


def _events(
    rng: np.random.Generator,
    channel: Channel,
    bad: npt.NDArray[np.bool_],
    moved_in: _Floats,
    pace: _Floats,
    end: datetime,
    days: int,
) -> EventTable:
    years = (days - moved_in) / 365
    liveliness = rng.gamma(8.0, 1 / 8.0, len(bad))
    who = np.repeat(np.arange(len(bad)), rng.poisson(_by_class(channel.yearly, bad) * years * liveliness))
    opened = _opening_seconds(rng, moved_in[who], days)
    is_bad, size = bad[who], len(who)
    table = EventTable.blank(channel.name, who, opened, end.astimezone(UTC) - timedelta(days=days))
    exported = days * 86_400
    if channel.response_hr:
        wait = _hours(rng, channel.response_hr, is_bad, pace[who], spread=0.6)
        table.response = _known(opened + wait, exported, rng.random(size) < 0.03)
    if channel.resolution_hr:
        wait = _hours(rng, channel.resolution_hr, is_bad, pace[who], spread=0.7)
        done = opened + wait
        done = np.where(np.isnan(table.response), done, np.fmax(done, table.response))
        table.resolution = _known(done, exported, rng.random(size) < _NEVER_RESOLVED)
        again = rng.random(size) < _RESOLVED_AGAIN
        table.resolved_again = np.where(again, _known(done + wait * 2, exported, ~again), np.nan)
        table.escalated = rng.random(size) < _by_class(channel.escalated, is_bad)
    if channel.name in ("call", "message", "email"):
        table.direction = np.where(rng.random(size) < _INBOUND, "inbound", "outbound")
    if channel.name == "call":
        answered = np.where(rng.random(size) < _by_class(_ANSWERED, is_bad), "true", "false")
        unknown = (table.direction == "outbound") | (rng.random(size) < _ANSWER_UNKNOWN)
        table.answered = np.where(unknown, "", answered)
    if channel.name == "ticket":
        table.sentiment = _sentiments(rng, is_bad)
    return table


def _by_class(pair: tuple[float, float], bad: npt.NDArray[np.bool_]) -> _Floats:
    return np.where(bad, pair[1], pair[0])


def _opening_seconds(rng: np.random.Generator, moved_in: _Floats, days: int) -> _Floats:
    """Whole seconds since the log began: on any day of the tenancy, mostly in the daytime."""
    day = np.floor(rng.uniform(moved_in, days))
    return np.floor(day * 86_400 + np.clip(rng.normal(13.5, 3.5, len(day)), 0, 23.9) * 3_600)


def _hours(
    rng: np.random.Generator, medians: tuple[float, float], bad: npt.NDArray[np.bool_], pace: _Floats, spread: float
) -> _Floats:
    """Log-normal waits in whole seconds."""
    return np.ceil(_by_class(medians, bad) * pace * np.exp(rng.normal(0, spread, len(bad))) * 3_600)


def _known(moment: _Floats, exported: float, never: npt.NDArray[np.bool_]) -> _Floats:
    """``moment`` if it was before the export, else NaN."""
    return np.where(never | (moment >= exported), np.nan, moment)


def _sentiments(rng: np.random.Generator, bad: npt.NDArray[np.bool_]) -> npt.NDArray[np.str_]:
    draw, negative = rng.random(len(bad)), _by_class(_NEGATIVE, bad)
    positive = negative + _by_class(_POSITIVE, bad)
    other = np.where(rng.random(len(bad)) < _NO_SENTIMENT, "", "neutral")
    return np.where(draw < negative, "negative", np.where(draw < positive, "positive", other))
