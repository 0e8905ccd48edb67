"""Generate realistic communication events, and say which tenants have a bad time.

Five systems export their events: tickets and maintenance requests (CSV), calls (CSV.gz), messages and e-mails
(Parquet), work orders (JSON lines). As in real exports there are open tickets, tickets resolved twice, blanks,
duplicates, tenants who moved in recently, portfolios of different size and speed, and about 0.5% impossible rows.

By default tenants are of two kinds that a look at the features tells apart. With ``--margin none`` they are a
continuum, as in real portfolios, over three years; of 1,500 such tenants the groups are refused as not stable.

    python -m demo.generate_events /tmp/batch --as-of 2026-11-01T00:00:00Z --tenants 1500 --seed 0
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from demo.continuum_events import continuum_events
from demo.event_files import EventTable, write_files
from demo.outcomes import write_outcomes

# Two kinds of tenants that differ clearly, or a continuum.
Margin = Literal["wide", "none"]
DAYS_OF_LOG = 420
# Three years, so that the probabilities can be compared with what came next.
DAYS_OF_CONTINUUM = 3 * 365 + 20
# The export is made a day after as_of: what happened on that day must not leak into features.
EXPORT_DELAY = timedelta(days=1)
_PORTFOLIOS = ("Elm Court", "North Quay", "Tower 7", "Garden Mews", "Mill Lofts", "Harbour View", "Station Yard")

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


CHANNELS = (
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


@dataclass(frozen=True)
class Truth:
    """What the generator knows but does not write into the files.

    Attributes:
        tenant_ids: ``T000000`` and so on, shape (tenants,).
        bad: whether each tenant has a bad time, shape (tenants,).
        portfolio_ids: the portfolio of each tenant, shape (tenants,).
        events: how many rows were written, including the impossible ones.
    """

    tenant_ids: npt.NDArray[np.str_]
    bad: npt.NDArray[np.bool_]
    portfolio_ids: npt.NDArray[np.str_]
    events: int

    def write(self, path: Path) -> None:
        """Write a JSON object: tenant id -> ``good`` or ``bad``."""
        named = zip(self.tenant_ids.tolist(), self.bad.tolist(), strict=True)
        path.write_text(json.dumps({tenant: "bad" if bad else "good" for tenant, bad in named}, indent=1) + "\n")


def generate(
    folder: Path,
    *,
    as_of: datetime,
    tenants: int = 1_500,
    portfolios: int = 6,
    seed: int = 0,
    days_of_log: int = DAYS_OF_LOG,
    outcomes: bool = False,
    margin: Margin = "wide",
) -> Truth:
    """Write a batch of event files into ``folder``. The same arguments give the same bytes.

    Args:
        folder: made when missing; gets a file for each channel, and the caller adds ``manifest.json``.
        as_of: with a time zone; the events span the days of the log before it and the day after it.
        tenants: at least 1.
        portfolios: at least 1; the first are the largest, and their speeds differ.
        seed: seed of everything random.
        days_of_log: how far the log reaches back.
        outcomes: whether to write ``outcomes.csv`` too; it changes no other file.
        margin: ``wide`` for two kinds of tenants, ``none`` for a continuum.
    """
    rng = np.random.default_rng(seed)
    names = np.array([_PORTFOLIOS[i] if i < len(_PORTFOLIOS) else f"Portfolio {i + 1}" for i in range(portfolios)])
    sizes = 1.0 / np.arange(1, portfolios + 1) ** 0.7
    portfolio = rng.choice(portfolios, tenants, p=sizes / sizes.sum())
    slowness = np.exp(rng.normal(0, 0.15, portfolios))
    # Slower portfolios also have more tenants who have a bad time.
    bad = rng.random(tenants) < np.clip(0.3 + 0.5 * np.log(slowness), 0.1, 0.6)[portfolio]
    moved_in = np.where(rng.random(tenants) < 0.2, rng.uniform(0, days_of_log - 5, tenants), 0.0)
    pace = slowness[portfolio] * np.exp(rng.normal(0, 0.2, tenants))
    if margin == "wide":
        tables = [_events(rng, channel, bad, moved_in, pace, as_of, days_of_log) for channel in CHANNELS]
    else:
        end, days = as_of.astimezone(UTC) + EXPORT_DELAY, days_of_log + EXPORT_DELAY.days
        tables, bad = continuum_events(rng, moved_in, slowness[portfolio], end, days)
    ids = np.array([f"T{i:06d}" for i in range(tenants)])
    events = write_files(folder, tables, ids, names[portfolio], rng)
    if outcomes:
        write_outcomes(folder, ids, bad, as_of, seed)
    return Truth(ids, bad, names[portfolio], events)


def _events(
    rng: np.random.Generator,
    channel: Channel,
    bad: npt.NDArray[np.bool_],
    moved_in: _Floats,
    pace: _Floats,
    as_of: datetime,
    days_of_log: int,
) -> EventTable:
    end = as_of.astimezone(UTC) + EXPORT_DELAY
    days = days_of_log + EXPORT_DELAY.days
    years = (days - moved_in) / 365
    liveliness = rng.gamma(8.0, 1 / 8.0, len(bad))
    who = np.repeat(np.arange(len(bad)), rng.poisson(_by_class(channel.yearly, bad) * years * liveliness))
    opened = _opening_seconds(rng, moved_in[who], days)
    is_bad, size = bad[who], len(who)
    table = EventTable.blank(channel.name, who, opened, end - timedelta(days=days))
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


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; always 0."""
    parser = argparse.ArgumentParser(prog="python -m demo.generate_events", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="where to write the files")
    parser.add_argument(
        "--as-of", type=datetime.fromisoformat, help="such as 2026-11-01T00:00:00Z (default: midnight UTC, today)"
    )
    parser.add_argument("--tenants", type=int, default=1_500, help="how many (default: %(default)s)")
    parser.add_argument("--portfolios", type=int, default=6, help="how many (default: %(default)s)")
    parser.add_argument(
        "--margin", choices=["none", "wide"], default="wide", help="between good and bad tenants (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default: %(default)s)")
    parser.add_argument(
        "--truth", type=Path, help="JSON file that says which tenants are bad (keep it out of the batch)"
    )
    parser.add_argument(
        "--outcomes", action="store_true", help="write outcomes.csv as well: surveys, complaints, moves"
    )
    options = parser.parse_args(arguments)
    as_of = options.as_of or datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if as_of.tzinfo is None:
        parser.error("--as-of needs a time zone: end it with Z for UTC")
    truth = generate(
        options.folder,
        as_of=as_of,
        tenants=options.tenants,
        portfolios=options.portfolios,
        seed=options.seed,
        outcomes=options.outcomes,
        days_of_log=DAYS_OF_LOG if options.margin == "wide" else DAYS_OF_CONTINUUM,
        margin=options.margin,
    )
    if options.truth:
        truth.write(options.truth)
    print(f"{truth.events} events of {options.tenants} tenants in {options.folder}, {int(truth.bad.sum())} of them bad")
    return 0


if __name__ == "__main__":
    sys.exit(main())
