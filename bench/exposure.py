"""The rate of events that the features tell of tenants whose true rate is known, by how long they have been seen.

``.venv/bin/python -m bench.exposure`` lets tenants arrive over time, each with a Poisson process of tickets, builds
their features from a Parquet file, and prints the mean rate in each band of exposure. It takes half a minute.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.poisson_tenants import Arrivals, rates_told

_RATES = (2.0, 5.0, 20.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.exposure", description=__doc__)
    parser.add_argument("--tickets", type=int, default=400_000, help="a year, of all tenants of a rate (%(default)s)")
    options = parser.parse_args(arguments)
    rows = [
        "| true rate | exposure in days | tenants | told, the first event counted | told |",
        "|---|---|---|---|---|",
    ]
    for rate in _RATES:
        with TemporaryDirectory() as name:
            os.environ["SAGEMAKER_BASE_DIR"] = name
            arrivals = Arrivals(rate, int(options.tickets / rate))
            rows += [
                f"| {rate:.0f} | {told.days[0]} to {told.days[1]} | {told.tenants:,} | {told.with_first:.2f} | "
                f"{told.tickets:.2f} |"
                for told in rates_told(arrivals, Path(name) / "rate")
            ]
    sys.stdout.write("\n".join([*rows, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
