"""Clients of a bank whom three years of campaigns called, in the classic columns of telemarketing; nobody is real.

A campaign goes on while the economy changes. When interest rates fall, fewer clients are called, and more subscribe.
Students and pensioners subscribe more often than others, and so do those who subscribed before. The length of a call
is not generated: it is known only after the call.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

CLIENTS = 12_000
_MONTHS = 36
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("mon", "tue", "wed", "thu", "fri")
_REGIONS = ("coast", "hills", "city", "plain")
# Job -> its share, the mean age in it, and how much more its clients subscribe, in logits.
_JOBS = {
    "admin.": (0.25, 38, 0.15),
    "blue-collar": (0.22, 40, -0.35),
    "technician": (0.16, 38, 0.0),
    "services": (0.10, 38, -0.25),
    "management": (0.07, 42, 0.1),
    "retired": (0.045, 64, 0.9),
    "entrepreneur": (0.035, 42, -0.2),
    "self-employed": (0.035, 40, 0.0),
    "housemaid": (0.025, 46, -0.1),
    "unemployed": (0.025, 40, 0.25),
    "student": (0.025, 25, 1.0),
    "unknown": (0.01, 44, 0.0),
}
_EDUCATION = ("basic.4y", "basic.6y", "basic.9y", "high.school", "professional.course", "university.degree")

_Floats = npt.NDArray[np.float64]
_Texts = npt.NDArray[np.str_]


def generate(folder: Path, as_of: datetime, seed: int) -> None:
    """Write ``clients.csv``. The same arguments give the same bytes.

    Args:
        folder: made when missing.
        as_of: the calls were in the months before it.
        seed: seed of everything random.
    """
    rng = np.random.default_rng(seed)
    month = np.sort(rng.choice(_MONTHS, CLIENTS, p=_busyness()))
    columns, logit = _people(rng)
    economy, mood = _economy(rng, month)
    history, experience = _earlier_campaigns(rng, month)
    call, response = _call(rng, month, as_of)
    # Low interest rates matter most to those who have savings, or who are reached at all.
    mood = mood * (0.35 + 0.55 * (logit > 0) + 0.5 * (call["contact"] == "cellular"))
    wanted = rng.random(CLIENTS) < 1 / (1 + np.exp(-(-2.35 + logit + mood + experience + response)))
    ids = np.char.add("C", np.arange(100_000, 100_000 + CLIENTS).astype(str))
    columns = {"client_id": ids, "region": rng.choice(_REGIONS, CLIENTS), **columns, **call, **history, **economy}
    columns["y"] = np.where(wanted, "yes", "no")
    folder.mkdir(parents=True, exist_ok=True)
    options = csv.WriteOptions(delimiter=";", quoting_style="needed")
    csv.write_csv(pa.table(columns), folder / "clients.csv", options)


def _busyness() -> _Floats:
    """The share of the calls in each month: far more at the beginning."""
    busy = np.exp(-np.arange(_MONTHS) / 12)
    shares: _Floats = busy / busy.sum()
    return shares


def _people(rng: np.random.Generator) -> tuple[dict[str, npt.NDArray[np.generic]], _Floats]:
    """Who the clients are, and how much that changes the logit of subscribing."""
    shares, ages, effects = (np.array(each) for each in zip(*_JOBS.values(), strict=True))
    job = rng.choice(len(_JOBS), CLIENTS, p=shares / shares.sum())
    age = np.clip(np.round(rng.normal(ages[job], np.where(ages[job] < 30, 3.5, 9))), 17, 95).astype(np.int64)
    schooling = np.clip(np.round(rng.normal(3.4 + 1.1 * effects[job].clip(-0.4, 0.4), 1.5)), 0, 5).astype(np.int64)
    education = np.where(rng.random(CLIENTS) < 0.04, "unknown", np.array(_EDUCATION)[schooling])
    single = rng.random(CLIENTS) < 1 / (1 + np.exp((age - 31) / 5))
    marital = np.where(single, "single", np.where(rng.random(CLIENTS) < 0.14, "divorced", "married"))
    # Who does not say whether a credit is in default is older, has less schooling and subscribes less.
    silent = rng.random(CLIENTS) < 0.08 + 0.05 * (5 - schooling)
    columns: dict[str, npt.NDArray[np.generic]] = {
        "age": age,
        "job": np.array(list(_JOBS))[job],
        "marital": marital,
        "education": education,
        "default": np.where(silent, "unknown", np.where(rng.random(CLIENTS) < 0.0005, "yes", "no")),
        "housing": _yes(rng, 0.53),
        "loan": _yes(rng, 0.155),
    }
    youth = 0.02 * np.maximum(28 - age, 0) + 0.03 * np.maximum(age - 60, 0)
    return columns, effects[job] + youth + 0.08 * (schooling - 3) - 0.45 * silent + 0.1 * single


def _yes(rng: np.random.Generator, share: float) -> _Texts:
    known = np.where(rng.random(CLIENTS) < share, "yes", "no")
    return np.where(rng.random(CLIENTS) < 0.024, "unknown", known)


def _economy(rng: np.random.Generator, month: npt.NDArray[np.int64]) -> tuple[dict[str, _Floats], _Floats]:
    """The indicators of the month of a call, and what they do: an interest rate that falls makes deposits wanted."""
    time = np.arange(_MONTHS)
    rate = 4.9 - 4.1 / (1 + np.exp(-(time - 13) / 2.2)) + rng.normal(0, 0.05, _MONTHS)
    employment = 0.55 * (rate - 2.7) + rng.normal(0, 0.2, _MONTHS)
    prices = 93.2 + 0.25 * (rate - 2.7) + rng.normal(0, 0.3, _MONTHS)
    confidence = -40 + rng.normal(0, 4, _MONTHS)
    employed = 5_090 + 48 * (rate - 2.7) + rng.normal(0, 12, _MONTHS)
    columns = {
        "emp_var_rate": np.round(employment, 1)[month],
        "cons_price_idx": np.round(prices, 3)[month],
        "cons_conf_idx": np.round(confidence, 1)[month],
        "euribor3m": np.round(rate[month] + rng.normal(0, 0.01, CLIENTS), 3),
        "nr_employed": np.round(employed, 1)[month],
    }
    return columns, 0.62 * (2.7 - rate[month]) + 0.02 * (confidence[month] + 40)


def _earlier_campaigns(
    rng: np.random.Generator, month: npt.NDArray[np.int64]
) -> tuple[dict[str, npt.NDArray[np.generic]], _Floats]:
    """Calls of earlier campaigns: nobody had any at first. Who subscribed then often does so again."""
    before = np.where(rng.random(CLIENTS) < 0.05 + 0.4 * month / _MONTHS, 1 + rng.poisson(0.35, CLIENTS), 0)
    succeeded = (before > 0) & (rng.random(CLIENTS) < 0.08 + 0.35 * month / _MONTHS)
    remembered = succeeded | ((before > 0) & (rng.random(CLIENTS) < 0.1))
    outcome = np.where(before == 0, "nonexistent", np.where(succeeded, "success", "failure"))
    days = np.where(remembered, np.clip(1 + rng.poisson(5.5, CLIENTS), 1, 27), 999)
    return {"pdays": days, "previous": before, "poutcome": outcome}, 1.9 * succeeded - 0.25 * (outcome == "failure")


def _call(
    rng: np.random.Generator, month: npt.NDArray[np.int64], as_of: datetime
) -> tuple[dict[str, npt.NDArray[np.generic]], _Floats]:
    """How and when the client was called: often in vain, and by mobile telephone more and more."""
    mobile = rng.random(CLIENTS) < 0.45 + 0.5 * month / _MONTHS
    calls = np.minimum(1 + np.floor(rng.exponential(1.55, CLIENTS)), 40).astype(np.int64)
    calendar = (as_of.month - 1 - _MONTHS + month) % 12
    weekday = rng.integers(len(_DAYS), size=CLIENTS)
    columns: dict[str, npt.NDArray[np.generic]] = {
        "contact": np.where(mobile, "cellular", "telephone"),
        "month": np.array(_NAMES)[calendar],
        "day_of_week": np.array(_DAYS)[weekday],
        "campaign": calls,
    }
    spring = np.isin(calendar, (2, 8, 9))
    return columns, 0.3 * mobile - 0.6 * (calls > 3) + 0.9 * spring * mobile - 0.12 * (weekday == 0)
