"""Customers of a telephone company with three dimensions of business; nobody is real.

Customers leave for three reasons: a high bill for calls in the daytime, trouble that made them call the service often,
and an international plan that does not pay. A plan with voice mail keeps them. What drives a dimension differs, so that
each has a model of its own.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

CUSTOMERS = 4_000
_STATES = ("OH", "PA", "SC", "TX", "WA", "NY", "CA", "VT", "NJ", "MN")
_AREA_CODES = (408, 415, 510)
# Per minute, and per dimension: how much a high bill, trouble and an international plan weigh, in logits.
_PRICES = {"Day": 0.17, "Eve": 0.085, "Night": 0.045, "Intl": 0.27}
_DIMENSIONS = {"Consumer": (3.0, 1.5, 3.0), "Business": (3.8, 1.3, 2.2), "Prepaid": (2.4, 1.8, 3.4)}

_Floats = npt.NDArray[np.float64]


def generate(folder: Path, as_of: datetime, seed: int) -> None:
    """Write a file for each dimension. The same seed gives the same bytes.

    Args:
        folder: made when missing.
        as_of: not used, because customers are as they are today.
        seed: seed of everything random.
    """
    del as_of
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for dimension, weights in _DIMENSIONS.items():
        csv.write_csv(_customers(rng, dimension, weights), folder / f"{dimension.lower()}.csv")


def _customers(rng: np.random.Generator, dimension: str, weights: tuple[float, float, float]) -> pa.Table:
    planned, voice_mail = rng.random(CUSTOMERS) < 0.1, rng.random(CUSTOMERS) < 0.28
    usage: dict[str, npt.NDArray[np.generic]] = {}
    minutes: dict[str, _Floats] = {}
    for part, (mean, spread, calls) in {
        "Day": (180, 54, 100),
        "Eve": (200, 50, 100),
        "Night": (200, 50, 100),
        "Intl": (10.2, 2.8, 4.5),
    }.items():
        minutes[part] = np.round(np.maximum(rng.normal(mean, spread, CUSTOMERS), 0), 1).astype(np.float64)
        usage[f"{part} Mins"] = minutes[part]
        usage[f"{part} Calls"] = rng.poisson(calls, CUSTOMERS)
        usage[f"{part} Charge"] = np.round(minutes[part] * _PRICES[part], 2)
    trouble = rng.gamma(0.8, 1.0, CUSTOMERS)
    service = rng.poisson(0.7 + trouble)
    high, upset, plan = weights
    logit = (
        -4.9
        + high * (minutes["Day"] > 225) * (1 - 0.9 * voice_mail)
        + upset * np.maximum(service - 2, 0) * (1 + (minutes["Day"] < 160))
        + plan * planned * (0.5 + (minutes["Intl"] > 11))
        + 0.006 * (minutes["Eve"] - 200)
    )
    leaves = rng.random(CUSTOMERS) < 1 / (1 + np.exp(-logit))
    numbers = rng.permutation(10_000_000)[:CUSTOMERS]
    return pa.table(
        {
            "Dimension": np.full(CUSTOMERS, dimension),
            "State": rng.choice(_STATES, CUSTOMERS),
            "Account Length": np.clip(np.round(rng.normal(101, 40, CUSTOMERS)), 1, 250).astype(np.int64),
            "Area Code": rng.choice(_AREA_CODES, CUSTOMERS),
            "Phone": np.array([f"{number // 10_000:03d}-{number % 10_000:04d}" for number in numbers.tolist()]),
            "Int'l Plan": np.where(planned, "yes", "no"),
            "VMail Plan": np.where(voice_mail, "yes", "no"),
            "VMail Message": np.where(voice_mail, rng.poisson(29, CUSTOMERS), 0),
            **usage,
            "CustServ Calls": service,
            "Churn?": np.where(leaves, "True.", "False."),
        }
    )
