"""Sales of a shop for the home; nobody is real.

Each customer orders at a rate of its own until it drops out, as the BG/NBD model says (Fader, Hardie and Lee, 2005):
after an order with a certain probability, which a return doubles. Before Christmas everybody orders more often, and
customers with large baskets less often.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

CUSTOMERS = 3_000
DAYS = 540
_PRODUCTS = 80
_RETURNS = 0.04
_Line = tuple[str, str, int, float, datetime, str]


def generate(folder: Path, as_of: datetime, seed: int) -> None:
    """Write the lines of all invoices. The same arguments give the same bytes.

    Args:
        folder: made when missing.
        as_of: no line is later.
        seed: seed of everything random.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    prices = np.round(np.exp(rng.normal(2.2, 0.9, _PRODUCTS)), 2)
    lines = [line for number in range(CUSTOMERS) for line in _customer(rng, number, as_of, prices)]
    lines.sort(key=lambda line: (line[4], line[0], line[1]))
    names = ("Invoice", "Product", "Quantity", "Price", "Time", "Customer")
    table = pa.table(dict(zip(names, map(list, zip(*lines, strict=True)), strict=True)))
    times = [f"{line[4]:%Y-%m-%dT%H:%M:%SZ}" for line in lines]
    csv.write_csv(table.set_column(4, "Time", pa.array(times)), folder / "sales.csv")


def _customer(rng: np.random.Generator, number: int, as_of: datetime, prices: np.ndarray) -> Iterator[_Line]:
    """The lines of one customer, from a first order at any time of the log."""
    customer, basket = f"C{10_000 + number}", rng.gamma(3, 0.8)
    rate = rng.gamma(1.3, 1 / 28) / (0.6 + 0.2 * basket)
    leaves = rng.beta(1, 12)
    taste = rng.permutation(len(prices))[:12]
    moment, order = as_of - timedelta(days=float(rng.uniform(0, DAYS))), 0
    while moment < as_of:
        order += 1
        invoice, returned = f"{number:05d}-{order:03d}", False
        products = rng.choice(taste, size=min(1 + rng.poisson(basket), len(taste)), replace=False)
        whole = moment.replace(microsecond=0)
        for product in products.tolist():
            pieces = int(1 + rng.poisson(0.8))
            yield invoice, f"P{product:02d}", pieces, float(prices[product]), whole, customer
            back = whole + timedelta(days=int(rng.integers(2, 15)))
            if rng.random() < _RETURNS and back < as_of:
                returned = True
                yield f"R{invoice}", f"P{product:02d}", -pieces, float(prices[product]), back, customer
        if rng.random() < leaves * (1 + returned):
            return
        moment += timedelta(days=float(rng.exponential(1 / rate)) / _season(moment))


def _season(moment: datetime) -> float:
    """How much more often everybody orders: most in the weeks before Christmas."""
    return 1.6 if (11, 15) <= (moment.month, moment.day) <= (12, 23) else 1.0
