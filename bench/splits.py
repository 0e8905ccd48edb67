"""How long the parts of a split take for a million rows: putting groups into parts, and writing the CSV.

``.venv/bin/python -m bench.splits`` needs about 1.5 GB of memory.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from tenant_experience.groups.file import GroupRows
from tenant_experience.pipeline.split_files import write_split_files
from tenant_experience.statistics.splitting import SHARES, split_units
from tenant_experience.use_case.schema import load_use_case
from tests.support.generated_tenants import generated_table
from tests.support.places import USE_CASE_FOLDER

ROWS, UNITS = 1_000_000, 200_000


def main() -> None:
    """Prints the figures."""
    drawn = np.random.default_rng(1)
    some = generated_table(20_000)
    table = some.take(np.arange(ROWS) % len(some))
    ids = np.char.add("T", np.arange(ROWS).astype(str))
    table = replace(table, values=table.values + drawn.random(table.values.shape), tenant_id=ids)
    parts = drawn.choice(list(SHARES), p=list(SHARES.values()), size=ROWS)
    labels = drawn.integers(0, 2, ROWS).astype(np.float64)
    groups = GroupRows(ids, parts, np.full(ROWS, np.nan), labels, ("good", "bad"))
    with tempfile.TemporaryDirectory() as folder:
        before = _peak()
        _tell("CSV", lambda: write_split_files(Path(folder), groups, table, load_use_case(USE_CASE_FOLDER)))
        size = sum(path.stat().st_size for path in Path(folder).glob("*.csv"))
        features = table.values.shape[1]
        sys.stdout.write(f"CSV: {size / 1e6:.0f} MB, {features} features; peak of memory {before} -> {_peak()} MB\n")
    units = np.unique(drawn.integers(0, UNITS, ROWS), return_inverse=True)[1]
    keys = drawn.integers(0, 2**63, units.max() + 1).astype(np.uint64)
    for strata in (2, 10):
        rows = drawn.integers(0, strata, ROWS)
        _tell(f"{UNITS} groups, {strata} strata", partial(split_units, keys, units, rows))


def _tell(what: str, work: Callable[[], object]) -> None:
    began, used = time.perf_counter(), time.process_time()
    work()
    seconds = time.perf_counter() - began
    used = time.process_time() - used
    sys.stdout.write(f"{what}: {seconds:.1f} s, {used:.1f} s of CPU, {ROWS / seconds:,.0f} rows/s\n")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


if __name__ == "__main__":
    main()
