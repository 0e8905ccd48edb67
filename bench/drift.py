"""What is said about drift of the real households: counts over other days, longer hours, and no change at all.

``.venv/bin/python -m bench.drift`` deals the real households (a table that is not in this repository) into eight
portfolios and compares them with themselves. It takes two minutes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from tenant_experience.data_quality._level import Column
from tenant_experience.data_quality._shift import NumberShift, shift
from tenant_experience.data_quality._stability import LARGE_SHIFT
from tenant_experience.data_quality.shift_warnings import level_sentence
from tenant_experience.statistics.arrays import Floats
from tenant_experience.use_case.words import Words
from tests.support.generated_tenants import real_table, shipped_use_case

_PORTFOLIOS = [f"Portfolio {number}" for number in range(8)]
_FEATURES = shipped_use_case().features
_COUNTS = [name for name, feature in _FEATURES.items() if feature.noise and feature.noise.kind == "poisson"]
_HOURS = [name for name, feature in _FEATURES.items() if feature.noise and feature.noise.kind == "gamma"]
Table = dict[str, Column]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.drift", description=__doc__)
    parser.add_argument("--draws", type=int, default=200, help="releases in which nothing has changed (%(default)s)")
    options = parser.parse_args(arguments)
    table = real_table()
    places = np.random.default_rng(0).choice(8, len(table), p=np.arange(8, 0, -1) / 36)
    then = {name: Column(table.column(name), places) for name in _FEATURES}
    for line in (*_named(then), *_unchanged(then, options.draws)):
        sys.stdout.write(line + "\n")
    return 0


def _named(then: Table) -> Iterator[str]:
    everyone = np.ones(len(next(iter(then.values())).values), dtype=bool)
    for days, other in ((506, 505), (365, 364), (90, 89)):
        yield from _told(
            f"counts over {other} instead of {days} days", then, _times(then, _COUNTS, days / other, everyone)
        )
    for portfolio in (None, 0, 7):
        there = everyone if portfolio is None else next(iter(then.values())).portfolios == portfolio
        where = "everywhere" if portfolio is None else f"in {_PORTFOLIOS[portfolio]}, {there.mean():.0%} of the tenants"
        yield from _told(f"hours x 1.5 {where}", then, _times(then, _HOURS, 1.5, there))


def _told(what: str, then: Table, now: Table) -> Iterator[str]:
    shifts = _shifts(then, now)
    yield f"{what}: largest PSI {max(found.psi for found in shifts.values()):.3f}"
    yield from (f"    {sentence}" for sentence in _sentences(shifts)) if any(_sentences(shifts)) else ["    nothing"]


def _times(table: Table, names: Sequence[str], factor: float, there: np.ndarray) -> Table:
    changed: dict[str, Floats] = {name: np.where(there, factor, 1) * table[name].values for name in names}
    return table | {name: Column(values, table[name].portfolios) for name, values in changed.items()}


def _unchanged(table: Table, draws: int) -> Iterator[str]:
    chance = np.random.default_rng(1)
    for number in (60, 200, 1_000, 5_000):
        named = above = 0
        for _ in range(draws):
            halves = np.split(chance.integers(0, len(table["total_tickets"].values), number), 2)
            then, now = (
                {name: Column(c.values[half], c.portfolios[half]) for name, c in table.items()} for half in halves
            )
            shifts = _shifts(then, now)
            named += bool(_sentences(shifts))
            above += any(found.psi > LARGE_SHIFT for found in shifts.values())
        shares = f"named {named / draws:.1%}, PSI above {LARGE_SHIFT}: {above / draws:.1%}"
        yield f"halves of {number:,} households: {shares}"


def _rows(table: Table, rows: np.ndarray) -> Table:
    return {name: Column(column.values[rows], column.portfolios[rows]) for name, column in table.items()}


def _shifts(then: Table, now: Table) -> dict[str, NumberShift]:
    return {
        name: shift(then[name], now[name], _PORTFOLIOS, feature.transform, len(_FEATURES))
        for name, feature in _FEATURES.items()
    }


def _sentences(shifts: dict[str, NumberShift]) -> list[str]:
    found = []
    for name, moved in shifts.items():
        sentence = level_sentence(_FEATURES[name].words or name, moved.level, Words()) if moved.level else None
        if sentence or moved.exceeds(LARGE_SHIFT):
            found.append(sentence or f"{name}: PSI {moved.psi:.2f}")
    return found


if __name__ == "__main__":
    sys.exit(main())
