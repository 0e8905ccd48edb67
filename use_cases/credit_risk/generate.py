"""Loans of a bank's clients over six years, and what became of those that are at an end; nobody is real.

A client is likelier to default when young, new in a job or without one, without a car, and when a loan is large beside
the client's earlier ones. Whoever has paid back several loans rarely defaults. A good part of the risk is the client's
own, and in no column. Loans of the last year are still being paid back, so that nothing is known of them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

CLIENTS = 6_000
_DAYS = 6 * 365
# Every loan is paid back, or written off, this many days after it was granted.
_TERM = 365
_BRANCHES = ("harbour", "market", "station", "university")

_Floats = npt.NDArray[np.float64]
_Numbers = npt.NDArray[np.int64]


def generate(folder: Path, as_of: datetime, seed: int) -> None:
    """Write ``loans.csv``. The same arguments give the same bytes.

    Args:
        folder: made when missing.
        as_of: the loans were granted in the six years before it.
        seed: seed of everything random.
    """
    rng = np.random.default_rng(seed)
    first_day = (as_of - timedelta(days=_DAYS)).date()
    client = np.repeat(np.arange(CLIENTS), np.minimum(1 + rng.geometric(0.32, CLIENTS), 15))
    day = rng.integers(0, _DAYS, len(client))
    order = np.lexsort((day, client))
    client, day = client[order], day[order]

    birthday = -np.round(365.25 * (19 + 50 * rng.beta(1.6, 2.4, CLIENTS))).astype(np.int64)
    has_car = rng.random(CLIENTS) < 0.35 + 0.3 * (birthday < -30 * 365)
    own_risk = rng.normal(0, 0.55, CLIENTS)
    usual_amount = np.exp(rng.normal(8.4, 0.5, CLIENTS) + 0.15 * has_car)
    amount = np.round(usual_amount[client] * np.exp(rng.normal(0, 0.45, len(client))), -1).clip(200)
    job_day, has_job = _jobs(rng, client, day, birthday)

    place, mean_before = _earlier_loans(client, amount)
    age, tenure = (day - birthday[client]) / 365.25, np.where(has_job, (day - job_day) / 365.25, 0)
    jump = np.log(amount / np.where(place > 0, mean_before, usual_amount[client]))
    logit = (
        -1.25
        + own_risk[client]
        - 0.028 * (age - 40)
        - 0.42 * np.log1p(tenure)
        + 0.75 * ~has_job
        - 0.35 * has_car[client]
        - 0.22 * np.minimum(place, 5)
        + 0.75 * jump
    )
    defaulted = rng.random(len(client)) < 1 / (1 + np.exp(-logit))
    status = np.where(day > _DAYS - _TERM, "", np.where(defaulted, "defaulted", "repaid"))

    columns = {
        "loan_id": np.char.add("L", np.arange(500_000, 500_000 + len(client)).astype(str)),
        "client_id": np.char.add("K", (20_000 + client).astype(str)),
        "branch": rng.choice(_BRANCHES, CLIENTS, p=[0.35, 0.3, 0.2, 0.15])[client],
        "granted": _dates(first_day.toordinal(), day),
        "amount": amount,
        "birthday": _dates(first_day.toordinal(), birthday[client]),
        "employed_since": np.where(has_job, _dates(first_day.toordinal(), job_day), ""),
        "owns_car": np.where(has_car[client], "yes", "no"),
        "status": status,
    }
    # An export is in order of time, and ids are given in that order.
    by_day = np.argsort(day, kind="stable")
    columns = {name: values[by_day] for name, values in columns.items()}
    columns["loan_id"] = np.sort(columns["loan_id"])
    folder.mkdir(parents=True, exist_ok=True)
    csv.write_csv(pa.table(columns), folder / "loans.csv", csv.WriteOptions(quoting_style="needed"))


def _jobs(
    rng: np.random.Generator, client: _Numbers, day: _Numbers, birthday: _Numbers
) -> tuple[_Numbers, npt.NDArray[np.bool_]]:
    """The day on which the job began that a client has when a loan is granted, and whether there is one."""
    adult = birthday + round(18.5 * 365.25)
    first = (adult + (-adult).clip(0) * rng.beta(2.5, 1.2, CLIENTS)).astype(np.int64)
    # Some change the job once during these years, and have it from then on.
    changes = np.where(rng.random(CLIENTS) < 0.4, rng.integers(0, _DAYS, CLIENTS), _DAYS)
    begun = np.where(day >= changes[client], changes[client], first[client])
    return np.minimum(begun, day), rng.random(len(client)) > 0.09


def _earlier_loans(client: _Numbers, amount: _Floats) -> tuple[_Numbers, _Floats]:
    """How many loans the client had before each loan, and their mean amount (0 where there is none)."""
    first = np.flatnonzero(np.append(True, client[1:] != client[:-1]))
    sizes = np.diff(np.append(first, len(client)))
    place = np.arange(len(client)) - np.repeat(first, sizes)
    before = np.cumsum(amount) - amount
    before = before - np.repeat(before[first], sizes)
    return place, before / np.maximum(place, 1)


def _dates(first: int, day: _Numbers) -> npt.NDArray[np.str_]:
    epoch = datetime(1970, 1, 1).toordinal()
    days: npt.NDArray[np.str_] = (first - epoch + day).astype("datetime64[D]").astype(str)
    return days
