"""Tenants who arrive over time and whose true rate of events is known: what rate do the features tell?

Nobody knows when a tenant moved in: the first thing ever seen of one is an event, and every later gap between two
events is exponential (a Poisson process).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tenant_experience.features.sql import features_from_events
from tenant_experience.intake.duckdb_session import open_session
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.intake.events import read_events
from tenant_experience.intake.files import find_raw_files
from tenant_experience.use_case.schema import load_use_case
from tenant_experience.use_case.source import load_source
from tests.support.places import USE_CASE_FOLDER

USE_CASE = load_use_case(USE_CASE_FOLDER)
EVENTS_SOURCE = load_source(USE_CASE_FOLDER, "events", USE_CASE)
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
BANDS = ((90, 180), (180, 270), (270, 365))
_DAY_US = 86_400_000_000
_DAYS_OF_LOG = 500
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Arrivals:
    """How tenants' events come.

    Attributes:
        rate: moments at which something happens, per tenant and year.
        tenants: how many arrive, at any time in the 500 days before ``AS_OF``.
        channels: of the events of one moment, each at that same moment.
        whole_days: the export has dates, not times: many events have the same moment.
    """

    rate: float
    tenants: int
    channels: tuple[str, ...] = ("ticket",)
    whole_days: bool = False


@dataclass(frozen=True)
class Told:
    """The rates that the features tell of tenants with an exposure in one band.

    Attributes:
        days: the band.
        tenants: how many are in it.
        tickets: mean ``total_tickets``.
        escalations: mean ``escalation_count``; every event is escalated.
        with_first: mean tickets if the event that exposure begins with counted too.
    """

    days: tuple[int, int]
    tenants: int
    tickets: float
    escalations: float
    with_first: float


def rates_told(arrivals: Arrivals, folder: Path, seed: int = 0) -> list[Told]:
    """Builds the features of such tenants from a Parquet file, and averages them by exposure.

    Args:
        arrivals: how events come.
        folder: empty, and inside ``SAGEMAKER_BASE_DIR``.
        seed: of the draws.
    """
    raw = folder / "raw"
    raw.mkdir(parents=True)
    pq.write_table(_events(arrivals, np.random.default_rng(seed)), raw / "events.parquet")
    with open_session(folder, time_zone=EVENTS_SOURCE.time_zone) as (connection, scratch):
        engine = DuckDbEngine(connection, scratch)
        files = find_raw_files(raw, EVENTS_SOURCE, scratch)
        read_events(engine, files, EVENTS_SOURCE, USE_CASE.event_columns, AS_OF)
        features_from_events(engine, USE_CASE, (USE_CASE_FOLDER / "features.sql").read_text(), AS_OF)
        return [
            Told(
                band,
                *connection.execute(
                    "SELECT count(*), avg(total_tickets), avg(escalation_count), "
                    "avg(total_tickets + 365 / exposure_days) FROM features "
                    "WHERE exposure_days >= $1 AND exposure_days < $2",
                    list(band),
                ).fetchall()[0],
            )
            for band in BANDS
        ]


def _events(arrivals: Arrivals, random: np.random.Generator) -> pa.Table:
    moved_in = random.uniform(0, _DAYS_OF_LOG, arrivals.tenants)
    numbers = random.poisson(arrivals.rate * (_DAYS_OF_LOG - moved_in) / 365)
    who = np.repeat(np.arange(arrivals.tenants), numbers)
    opened = _moments(random.uniform(moved_in[who], _DAYS_OF_LOG), arrivals)
    channels = len(arrivals.channels)
    rows = pa.table(
        {
            "tenant_id": [f"T{number}" for number in who],
            "opened_at": opened,
            "first_response_at": pa.nulls(len(who), pa.timestamp("us")),
            "resolved_at": pa.nulls(len(who), pa.timestamp("us")),
            "escalated": np.ones(len(who), dtype=bool),
        }
    )
    every = pa.concat_tables([rows] * channels)
    names = [name for name in arrivals.channels for _ in range(len(who))]
    ids = [f"E{number}" for number in range(len(names))]
    return every.append_column("channel", [names]).append_column("event_id", [ids])


def _moments(days: _Floats, arrivals: Arrivals) -> npt.NDArray[np.datetime64]:
    """Days since the log began, as times; ``AS_OF`` is where it ends."""
    counted = np.floor(days) if arrivals.whole_days else days
    log_began = np.datetime64(AS_OF.replace(tzinfo=None), "us") - np.timedelta64(_DAYS_OF_LOG, "D")
    return log_began + (counted * _DAY_US).astype("timedelta64[us]")
