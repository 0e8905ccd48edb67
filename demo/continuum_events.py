"""Events of tenants whose satisfaction is a continuum, as in real portfolios: no tenant belongs to a group.

Three hidden levels of a tenant move from year to year: how much is wrong with the home, how often the tenant writes,
and how slowly the staff work. Counts are Poisson with a log-normal mean, so that most tenants have few contacts and
some have very many; most have no negative ticket and no escalation. The margins are near those that were measured on a
real table of 28,299 households.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from demo.event_files import EventTable

_PERSISTENCE = 0.85
_DAY = 86_400

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Channel:
    """Events of one kind.

    Attributes:
        name: the channel's name.
        yearly: mean number of events per tenant and year.
        dispersion: standard deviation of the logarithm of a tenant's own mean.
        weights: how much of it comes from trouble and from talkativeness; the rest is the tenant's own.
        response_hr: median hours to the first response; None for channels without one.
        resolution_hr: median hours from opening to resolution; None for channels without one.
        escalated: mean share of escalated events.
    """

    name: str
    yearly: float
    dispersion: float
    weights: tuple[float, float]
    response_hr: float | None = None
    resolution_hr: float | None = None
    escalated: float = 0.0


_CHANNELS = (
    Channel("ticket", 9.6, 0.8, (0.2, 0.8), 1.9, 15.0, 0.007),
    Channel("maintenance_request", 1.6, 0.96, (0.9, 0.1), 2.6, 24.0, 0.06),
    Channel("work_order", 4.1, 1.03, (0.8, 0.1), 6.0, 30.0),
    Channel("call", 9.5, 0.9, (0.4, 0.6)),
    Channel("message", 5.0, 0.8, (0.1, 0.7), 2.0),
    Channel("email", 3.0, 0.8, (0.1, 0.6), 6.0),
)
_OUTBOUND = 0.35
_ANSWERED = (3.2, 1.6)  # mean and standard deviation of the logit of a tenant's share
_NEGATIVE, _POSITIVE = 0.013, 0.04


@dataclass(frozen=True)
class Levels:
    """The hidden levels, standard normal, shape (years, tenants). The last year ends when the files are exported.

    Attributes:
        trouble: how much is wrong.
        talk: how often the tenant writes.
        slowness: how slowly the staff work.
    """

    trouble: _Floats
    talk: _Floats
    slowness: _Floats

    @classmethod
    def drawn(cls, rng: np.random.Generator, years: int, tenants: int) -> Levels:
        """Levels that differ a little from one year to the next."""
        shocks = rng.normal(size=(3, years, tenants))
        levels = shocks.copy()
        for year in range(1, years):
            fresh = np.sqrt(1 - _PERSISTENCE**2) * shocks[:, year]
            levels[:, year] = _PERSISTENCE * levels[:, year - 1] + fresh
        return cls(*levels)


def continuum_events(
    rng: np.random.Generator, moved_in: _Floats, pace: _Floats, end: datetime, days: int
) -> tuple[list[EventTable], npt.NDArray[np.bool_]]:
    """One table per channel, and which tenants had more trouble or slower staff than usual in the last year.

    Args:
        rng: seed of everything random.
        moved_in: the day of the log on which each tenancy began, shape (tenants,).
        pace: factor of all hours of each tenant, shape (tenants,).
        end: when the files are exported.
        days: how long the log is.
    """
    years = -(-days // 365)
    levels = Levels.drawn(rng, years, len(moved_in))
    tables = [_events(rng, channel, levels, moved_in, pace, end, days) for channel in _CHANNELS]
    return tables, levels.trouble[-1] + levels.slowness[-1] > 0


def _events(
    rng: np.random.Generator,
    channel: Channel,
    levels: Levels,
    moved_in: _Floats,
    pace: _Floats,
    end: datetime,
    days: int,
) -> EventTable:
    year, who, opened = _opened(rng, channel, levels, moved_in, days)
    trouble, slowness, size = levels.trouble[year, who], levels.slowness[year, who], len(who)
    exported = float(days * _DAY)
    table = EventTable.blank(channel.name, who, opened, end.astimezone(UTC) - timedelta(days=days))
    if channel.response_hr:
        hours = channel.response_hr * pace[who] * np.exp(0.85 * slowness + rng.normal(0, 1.3, size))
        table.response = _known(opened + np.ceil(hours * 3_600), exported, rng.random(size) < 0.03)
    if channel.resolution_hr:
        level = 0.5 * slowness + 0.25 * trouble
        hours = channel.resolution_hr * pace[who] * np.exp(level + rng.normal(0, 1.1, size))
        wait = np.ceil(hours * 3_600)
        done = np.fmax(opened + wait, np.nan_to_num(table.response, nan=0.0))
        table.resolution = _known(done, exported, rng.random(size) < 0.01)
        again = rng.random(size) < 0.02
        table.resolved_again = np.where(again, _known(done + 2 * wait, exported, ~again), np.nan)
        table.escalated = rng.random(size) < np.minimum(channel.escalated * np.exp(0.7 * trouble - 0.25), 0.5)
    if channel.name in ("call", "message", "email"):
        table.direction = np.where(rng.random(size) < _OUTBOUND, "outbound", "inbound")
    if channel.name == "call":
        table.answered = _answers(rng, table, levels)
    if channel.name == "ticket":
        table.sentiment = _sentiments(rng, trouble + slowness, rng.normal(size=len(moved_in))[who])
    return table


def _opened(
    rng: np.random.Generator, channel: Channel, levels: Levels, moved_in: _Floats, days: int
) -> tuple[_Ints, _Ints, _Floats]:
    """The year, the tenant and the second of each event: on any day of the tenancy, mostly in the daytime."""
    years, tenants = levels.trouble.shape
    trouble, talk = channel.weights
    own = np.sqrt(max(1 - trouble**2 - talk**2, 0)) * rng.normal(size=tenants)
    level = channel.dispersion * (trouble * levels.trouble + talk * levels.talk + own)
    mean = channel.yearly * np.exp(level - channel.dispersion**2 / 2)
    last = days - 365.0 * np.arange(years)[::-1, None]
    first = np.maximum(last - 365, moved_in)
    counts = rng.poisson(mean * np.maximum(last - first, 0) / 365)
    year = np.repeat(np.arange(years), counts.sum(axis=1))
    who = np.repeat(np.tile(np.arange(tenants), years), counts.ravel())
    day = np.floor(rng.uniform(first[year, who], np.broadcast_to(last, first.shape)[year, who]))
    return year, who, np.floor(day * _DAY + np.clip(rng.normal(13.5, 3.5, len(who)), 0, 23.9) * 3_600)


def _known(moment: _Floats, exported: float, never: npt.NDArray[np.bool_]) -> _Floats:
    """``moment`` if it was before the export, else NaN."""
    return np.where(never | (moment >= exported), np.nan, moment)


def _answers(rng: np.random.Generator, table: EventTable, levels: Levels) -> npt.NDArray[np.str_]:
    mean, spread = _ANSWERED
    size = len(table.who)
    logit = mean + spread * rng.normal(size=levels.trouble.shape[1]) - 0.4 * levels.trouble[-1]
    answered = np.where(rng.random(size) < 1 / (1 + np.exp(-logit[table.who])), "true", "false")
    return np.where((table.direction == "outbound") | (rng.random(size) < 0.04), "", answered)


def _sentiments(rng: np.random.Generator, bad: _Floats, cheer: _Floats) -> npt.NDArray[np.str_]:
    draw = rng.random(len(bad))
    negative = np.minimum(_NEGATIVE * np.exp(0.6 * bad - 0.36), 0.5)
    positive = negative + np.minimum(_POSITIVE * np.exp(0.9 * cheer - 0.4), 0.5)
    other = np.where(rng.random(len(bad)) < 0.4, "", "neutral")
    return np.where(draw < negative, "negative", np.where(draw < positive, "positive", other))
