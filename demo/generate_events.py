"""Generate realistic communication events, and say which tenants have a bad time.

Five systems export their events: tickets and maintenance requests (CSV), calls (CSV.gz), messages and e-mails
(Parquet), work orders (JSON lines). As in real exports there are open tickets, tickets resolved twice, blanks,
duplicates, tenants who moved in recently, portfolios of different size and speed, and about 0.5% impossible rows.

Tenants are a continuum, as in real portfolios: their features have the distributions and correlations of a real table.
Of fewer than some thousands of them, real or generated, groups are often refused as not stable (decision 39). With
``--margin wide`` they are of two kinds that a look at the features tells apart.

    python -m demo.generate_events /tmp/batch --as-of 2026-11-01T00:00:00Z --tenants 14000 --seed 0
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
from demo.event_files import write_files
from demo.outcomes import write_outcomes
from demo.wide_margin_events import wide_margin_events

# A continuum, or two kinds of tenants that differ clearly.
Margin = Literal["none", "wide"]
# As many as it takes for groups of a continuum to be stable: decision 39.
TENANTS = 14_000
DAYS_OF_LOG = 420
# The export is made a day after as_of: what happened on that day must not leak into features.
EXPORT_DELAY = timedelta(days=1)
_PORTFOLIOS = ("Elm Court", "North Quay", "Tower 7", "Garden Mews", "Mill Lofts", "Harbour View", "Station Yard")

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Truth:
    """What the generator knows but does not write into the files.

    Attributes:
        tenant_ids: ``T000000`` and so on, shape (tenants,).
        bad: whether each tenant has a worse time than most, shape (tenants,).
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
    tenants: int = TENANTS,
    portfolios: int = 6,
    seed: int = 0,
    days_of_log: int = DAYS_OF_LOG,
    outcomes: bool = False,
    margin: Margin = "none",
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
        margin: ``none`` for a continuum, ``wide`` for two kinds of tenants.
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
    end, days = as_of.astimezone(UTC) + EXPORT_DELAY, days_of_log + EXPORT_DELAY.days
    if margin == "wide":
        tables, dissatisfied = wide_margin_events(rng, bad, moved_in, pace, end, days), bad.astype(np.float64)
    else:
        tables, dissatisfied = continuum_events(rng, moved_in, slowness[portfolio], end, days)
    ids = np.array([f"T{i:06d}" for i in range(tenants)])
    events = write_files(folder, tables, ids, names[portfolio], rng)
    if outcomes:
        write_outcomes(folder, ids, dissatisfied, as_of, seed)
    return Truth(ids, dissatisfied > 0.5, names[portfolio], events)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; always 0."""
    parser = argparse.ArgumentParser(prog="python -m demo.generate_events", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="where to write the files")
    parser.add_argument(
        "--as-of", type=datetime.fromisoformat, help="such as 2026-11-01T00:00:00Z (default: midnight UTC, today)"
    )
    parser.add_argument("--tenants", type=int, default=TENANTS, help="how many (default: %(default)s)")
    parser.add_argument("--portfolios", type=int, default=6, help="how many (default: %(default)s)")
    parser.add_argument(
        "--margin", choices=["none", "wide"], default="none", help="between good and bad tenants (default: %(default)s)"
    )
    parser.add_argument("--days", type=int, default=DAYS_OF_LOG, help="how long the log is (default: %(default)s)")
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
        days_of_log=options.days,
        margin=options.margin,
    )
    if options.truth:
        truth.write(options.truth)
    print(f"{truth.events} events of {options.tenants} tenants in {options.folder}, {int(truth.bad.sum())} of them bad")
    return 0


if __name__ == "__main__":
    sys.exit(main())
