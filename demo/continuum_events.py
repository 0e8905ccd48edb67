"""Events of tenants whose satisfaction is a continuum, as in real portfolios: no tenant belongs to a group.

Each tenant has a hidden level for each of ten measures: how many tickets there are, how slowly they are resolved, and
so on. The levels are normal, go together, and move a little from year to year. Counts are Poisson with a log-normal
mean, and hours log-normal, but some tickets are answered or closed at once.

The numbers below were fitted so that the features have the shares of zeros, the quantiles and the correlations of a
real table of 28,299 households, which is not in this project; ``python -m bench.margins`` prints both side by side.
That table has no time stamps: how levels move, how long tenancies are, how many items are open, and how many messages
and e-mails there are is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from demo.event_files import EventTable

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]

# Correlations of the levels, each row up to the measure itself. They are those of the table's features (Spearman, and
# Pearson after log1p), corrected for the noise of counting and for what events do to each other below.
_CORRELATIONS = {
    "work_orders": (1.0,),
    "escalations": (0.61, 1.0),
    "maintenance": (0.83, 0.45, 1.0),
    "response": (0.03, -0.08, -0.06, 1.0),
    "resolution": (0.12, 0.24, 0.11, 0.45, 1.0),
    "tickets": (0.31, -0.2, 0.37, 0.12, -0.12, 1.0),
    "answered": (-0.22, -0.77, -0.29, 0.09, -0.39, 0.21, 1.0),
    "outbound": (0.5, 0.47, 0.65, -0.1, 0.18, 0.62, -0.49, 1.0),
    "positive": (0.14, 0.21, 0.2, -0.05, -0.16, -0.19, -0.21, -0.02, 1.0),
    "negative": (0.12, 0.05, 0.38, -0.41, -0.08, -0.42, 0.02, -0.09, 0.38, 1.0),
}
# How far a year's levels are those of the year before (assumed).
_PERSISTENCE = 0.85
_DAY = 86_400


@dataclass(frozen=True)
class Count:
    """How often something happens: ``yearly`` on average, differing between tenants by ``spread`` (of the logarithm).

    ``level`` is the measure that decides, and ``share`` the part of the spread that it explains.
    """

    yearly: float
    spread: float
    level: str
    share: float = 1.0


@dataclass(frozen=True)
class Hours:
    """A wait. ``noise`` and ``spread`` are of the logarithm, within and between tenants.

    Attributes:
        level: the measure that decides.
        ticket: median hours of a ticket.
        maintenance: median hours of a maintenance request.
        spread: between tenants.
        noise: between the events of a tenant.
        at_once_hr: median hours of a ticket that staff see to at once.
        at_once: log-odds that they do, of the average tenant.
        at_once_spread: how much these differ between tenants.
    """

    level: str
    ticket: float
    maintenance: float
    spread: float
    noise: float
    at_once_hr: float
    at_once: float
    at_once_spread: float


@dataclass(frozen=True)
class Share:
    """How often an event has a property: ``mean``, a share or log-odds, differing between tenants by ``spread``."""

    mean: float
    spread: float


# Means and spreads of counts, and medians and spreads of hours: from the table's shares of zeros and quantiles.
_TICKETS = Count(9.49, 0.79, "tickets")
_MAINTENANCE = Count(1.7, 1.01, "maintenance")
_WORK_ORDERS = Count(4.23, 1.18, "work_orders")
_OUTBOUND = Count(3.26, 1.01, "outbound")
# The table does not have these three (assumed).
_INBOUND = Count(7.0, 0.6, "tickets", 0.3)
_MESSAGES = Count(4.0, 0.8, "tickets", 0.6)
_EMAILS = Count(2.0, 0.8, "tickets", 0.6)
_RESPONSE = Hours("response", 2.6, 7.6, 0.76, 1.18, 0.1, -2.49, 4.52)
_RESOLUTION = Hours("resolution", 15.0, 36.0, 0.35, 1.31, 0.25, -2.69, 3.07)
# Shares of tickets and of maintenance requests; more of those that take long.
_ESCALATED, _ESCALATED_REQUESTS = Share(0.014, 0.8), Share(0.035, 0.8)
_ESCALATED_BY_WAIT = 0.6
# More of the tickets that take long, and many more of those that are escalated.
_NEGATIVE = Share(0.024, 0.6)
_NEGATIVE_BY_WAIT, _NEGATIVE_BY_ESCALATION = 0.5, 2.3
_POSITIVE = Share(0.041, 1.0)
# Log-odds. The share of calls of which nobody knows whether they were answered is assumed, and so are the next three.
_ANSWERED, _ANSWER_UNKNOWN = Share(2.15, 0.9), 0.04
_NEVER_ANSWERED, _NEVER_RESOLVED, _RESOLVED_AGAIN = 0.03, 0.01, 0.02
# An event seen to at once counts as so much shorter than the median, in deviations.
_AT_ONCE_WAIT = -2.5


@dataclass(frozen=True)
class Levels:
    """The hidden levels, standard normal, shape (years, tenants) each. The last year ends when the files are exported.

    Attributes:
        of: the levels of each measure, by its name.
    """

    of: dict[str, _Floats]

    @classmethod
    def drawn(cls, rng: np.random.Generator, years: int, tenants: int) -> Levels:
        """Levels that go together, and differ a little from one year to the next."""
        size = len(_CORRELATIONS)
        lower = np.zeros((size, size))
        for row, values in enumerate(_CORRELATIONS.values()):
            lower[row, : row + 1] = values
        together = np.linalg.cholesky(lower + np.tril(lower, -1).T)
        levels = rng.normal(size=(years, tenants, size)) @ together.T
        for year in range(1, years):
            fresh = np.sqrt(1 - _PERSISTENCE**2) * levels[year]
            levels[year] = _PERSISTENCE * levels[year - 1] + fresh
        return cls({name: levels[:, :, number] for number, name in enumerate(_CORRELATIONS)})

    def dissatisfied(self) -> _Floats:
        """From 0 to 1: how much worse than usual the last year was for each tenant, shape (tenants,)."""
        worse = ("maintenance", "escalations", "response", "resolution")
        score = sum((self.of[name][-1] for name in worse), -self.of["answered"][-1])
        return np.asarray(1 / (1 + np.exp(-1.7 * score / np.std(score))))


@dataclass(frozen=True)
class Log:
    """When the log begins and ends, and since when each tenant is in it.

    Attributes:
        moved_in: the day of the log on which each tenancy began, shape (tenants,).
        end: when the files are exported.
        days: how long the log is.
    """

    moved_in: _Floats
    end: datetime
    days: int

    def events(
        self, rng: np.random.Generator, channel: str, count: Count, levels: Levels
    ) -> tuple[EventTable, tuple[_Ints, _Ints]]:
        """Events of one kind, mostly in the daytime, and the place of each in the levels: its year and its tenant."""
        level = levels.of[count.level]
        years, tenants = level.shape
        level = count.share * level + np.sqrt(1 - count.share**2) * rng.normal(size=tenants)
        mean = count.yearly * np.exp(count.spread * level - count.spread**2 / 2)
        last = self.days - 365.0 * np.arange(years)[::-1, None]
        first = np.maximum(last - 365, self.moved_in)
        counts = rng.poisson(mean * np.maximum(last - first, 0) / 365)
        year = np.repeat(np.arange(years), counts.sum(axis=1))
        who = np.repeat(np.tile(np.arange(tenants), years), counts.ravel())
        day = np.floor(rng.uniform(first[year, who], np.broadcast_to(last, first.shape)[year, who]))
        opened = np.floor(day * _DAY + np.clip(rng.normal(13.5, 3.5, len(who)), 0, 23.9) * 3_600)
        began = self.end.astimezone(UTC) - timedelta(days=self.days)
        return EventTable.blank(channel, who, opened, began), (year, who)

    def known(self, moment: _Floats, never: _Bools) -> _Floats:
        """``moment`` if it was before the export, else NaN."""
        return np.where(never | (moment >= self.days * _DAY), np.nan, moment)


def continuum_events(
    rng: np.random.Generator, moved_in: _Floats, pace: _Floats, end: datetime, days: int
) -> tuple[list[EventTable], _Floats]:
    """One table per channel, and how dissatisfied each tenant is, from 0 to 1.

    Args:
        rng: seed of everything random.
        moved_in: the day of the log on which each tenancy began, shape (tenants,).
        pace: factor of all hours of each tenant, shape (tenants,).
        end: when the files are exported.
        days: how long the log is.
    """
    levels, log = Levels.drawn(rng, -(-days // 365), len(moved_in)), Log(moved_in, end, days)
    tables = [
        _seen_to(rng, "ticket", _TICKETS, levels, log, pace),
        _seen_to(rng, "maintenance_request", _MAINTENANCE, levels, log, pace),
        log.events(rng, "work_order", _WORK_ORDERS, levels)[0],
        _calls(rng, levels, log),
        *(
            _written(rng, channel, count, levels, log)
            for channel, count in (("message", _MESSAGES), ("email", _EMAILS))
        ),
    ]
    return tables, levels.dissatisfied()


def _seen_to(
    rng: np.random.Generator, channel: str, count: Count, levels: Levels, log: Log, pace: _Floats
) -> EventTable:
    """Tickets or maintenance requests, with waits and escalations; tickets have a tone as well."""
    table, place = log.events(rng, channel, count, levels)
    size, ticket = len(table.who), channel == "ticket"
    answered_in, first = _waits(rng, _RESPONSE, levels, place, ticket=ticket)
    resolved_in, last = _waits(rng, _RESOLUTION, levels, place, ticket=ticket)
    response = table.opened + np.ceil(answered_in * pace[table.who] * 3_600)
    wait = np.ceil(resolved_in * pace[table.who] * 3_600)
    table.response = log.known(response, rng.random(size) < _NEVER_ANSWERED)
    done = np.fmax(table.opened + wait, np.nan_to_num(table.response, nan=0.0))
    table.resolution = log.known(done, rng.random(size) < _NEVER_RESOLVED)
    again = rng.random(size) < _RESOLVED_AGAIN
    table.resolved_again = log.known(done + wait, ~again | np.isnan(table.resolution))
    share = _ESCALATED if ticket else _ESCALATED_REQUESTS
    by_wait = _ESCALATED_BY_WAIT * last - _ESCALATED_BY_WAIT**2 / 2
    table.escalated = rng.random(size) < _share(share, levels.of["escalations"][place], by_wait)
    if ticket:
        by_event = _NEGATIVE_BY_WAIT * (first + last) - _NEGATIVE_BY_WAIT**2 + _NEGATIVE_BY_ESCALATION * table.escalated
        negative = _share(_NEGATIVE, levels.of["negative"][place], by_event)
        table.sentiment = _sentiments(rng, negative, _share(_POSITIVE, levels.of["positive"][place]))
    return table


def _waits(
    rng: np.random.Generator, hours: Hours, levels: Levels, place: tuple[_Ints, _Ints], *, ticket: bool
) -> tuple[_Floats, _Floats]:
    """Hours, and how long they are for this tenant, in deviations."""
    level = levels.of[hours.level][place]
    noise = rng.normal(size=len(level))
    at_once = rng.random(len(level)) < 1 / (1 + np.exp(hours.at_once_spread * level - hours.at_once))
    at_once &= ticket
    median = np.where(at_once, hours.at_once_hr, hours.ticket if ticket else hours.maintenance)
    return median * np.exp(hours.spread * level + hours.noise * noise), np.where(at_once, _AT_ONCE_WAIT, noise)


def _share(share: Share, level: _Floats, by_event: _Floats | float = 0.0) -> _Floats:
    return np.minimum(share.mean * np.exp(share.spread * level - share.spread**2 / 2 + by_event), 0.5)


def _calls(rng: np.random.Generator, levels: Levels, log: Log) -> EventTable:
    """Calls of tenants, answered or not, and calls to tenants."""
    inbound, place = log.events(rng, "call", _INBOUND, levels)
    outbound, _ = log.events(rng, "call", _OUTBOUND, levels)
    odds = np.exp(_ANSWERED.mean + _ANSWERED.spread * levels.of["answered"][place])
    size = len(inbound.who)
    answered = np.where(rng.random(size) < odds / (1 + odds), "true", "false")
    answered = np.where(rng.random(size) < _ANSWER_UNKNOWN, "", answered)
    who, opened = np.concatenate([inbound.who, outbound.who]), np.concatenate([inbound.opened, outbound.opened])
    table = EventTable.blank("call", who, opened, inbound.began)
    table.direction = np.repeat(["inbound", "outbound"], [size, len(outbound.who)])
    table.answered = np.concatenate([answered, np.full(len(outbound.who), "")])
    return table


def _written(rng: np.random.Generator, channel: str, count: Count, levels: Levels, log: Log) -> EventTable:
    """Messages or e-mails, of which no feature is made."""
    table, _ = log.events(rng, channel, count, levels)
    size = len(table.who)
    table.direction = np.where(rng.random(size) < 0.35, "outbound", "inbound")
    wait = np.ceil(4 * np.exp(rng.normal(0, 1.3, size)) * 3_600)
    table.response = log.known(table.opened + wait, rng.random(size) < _NEVER_ANSWERED)
    return table


def _sentiments(rng: np.random.Generator, negative: _Floats, positive: _Floats) -> npt.NDArray[np.str_]:
    draw = rng.random(len(negative))
    other = np.where(rng.random(len(negative)) < 0.4, "", "neutral")
    return np.where(draw < negative, "negative", np.where(draw < negative + positive, "positive", other))
