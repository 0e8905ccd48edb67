"""Whether published probabilities come true in the next period: the table of decision 25.

``.venv/bin/python -m bench.next_period`` makes a model of the second of three periods, with and without the first one
to look back on, and compares what it publishes with what the third one brings: for tenants whose true rates are known,
and for UCI's incidents where they are beside the repository, in ``../shared/data``. It also prints what a prior for
each portfolio would gain over one for the whole, and what a release of all three periods says of itself.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.output import tell
from tenant_experience.data_layout import FEATURES_FILE
from tenant_experience.features.table import INSUFFICIENT, FeatureTable, read_features
from tenant_experience.groups.backtest import reliability
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.next_period import NextPeriod, Reliability
from tenant_experience.groups.shrinkage import fitted_priors
from tenant_experience.groups.uncertainty import group_shares
from tenant_experience.models.served_model import ServedModel
from tenant_experience.pipeline.batch import Folders
from tenant_experience.pipeline.build_features import build_features
from tenant_experience.use_case.schema import UseCase, load_use_case
from tests.support.following_period import (
    INCIDENT_WINDOW,
    INCIDENTS,
    came_true,
    incidents_use_case,
    published_model,
)
from tests.support.generated_tenants import use_case
from tests.support.true_tenants import TrueTenants, true_tenants


@dataclass(frozen=True)
class Periods:
    """Three periods of the same tenants, the oldest first, by one use case."""

    name: str
    tables: list[FeatureTable]
    use_case: UseCase


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.next_period", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="of simulated tenants (%(default)s)")
    parser.add_argument("--tenants", type=int, default=4_000, help="simulated (%(default)s)")
    options = parser.parse_args(arguments)
    tell("| data | published from | calibration error | told < 5% | of these bad | log loss |")
    tell("|---|---|---|---|---|---|")
    with TemporaryDirectory() as folder:
        os.environ["SAGEMAKER_BASE_DIR"] = folder
        for periods in _all(options.tenants, options.seeds, Path(folder)):
            for way, found in _measured(periods, Path(folder) / "models"):
                tell(f"| {periods.name} | {way} | {_figures(found)} |")
    tell("")
    for count, portfolios in ((options.tenants, 40), (options.tenants, 8)) if options.seeds else ():
        _about_portfolios(count, portfolios, options.seeds)
    return 0


def _all(count: int, seeds: int, folder: Path) -> Iterator[Periods]:
    for words, two_lots in (("two lots", True), ("a continuum", False)):
        for seed in range(seeds):
            tenants = true_tenants(count, seed, two_lots=two_lots)
            yield Periods(f"simulated, {words}, seed {seed}", _years(tenants, seed), use_case())
    if INCIDENTS.is_file():
        yield Periods("UCI incidents, 30 days", *_incidents(folder))


def _years(tenants: TrueTenants, seed: int) -> list[FeatureTable]:
    return [tenants.period(3 * seed + number) for number in range(3)]


def _incidents(folder: Path) -> tuple[list[FeatureTable], UseCase]:
    """The three windows, as the BuildFeatures job makes them of the last one."""
    raw, outputs = folder / "raw", {name: folder / name for name in ("features", "quarantine", "reports")}
    for each in (raw, *outputs.values()):
        each.mkdir()
    shutil.copy(INCIDENTS, raw)
    (raw / "manifest.json").write_text('{"source": "uci_incidents"}')
    rules = incidents_use_case(folder / "use_case")
    build_features(
        Folders(raw=raw, use_case=rules, previous=folder / "none", **outputs),
        release="bench",
        use_case_name="tenant_experience",
        requested_at=datetime.now(UTC),
    )
    settings = load_use_case(rules)
    days = INCIDENT_WINDOW.days
    names = [f"past/{2 * days}/{FEATURES_FILE}", f"past/{days}/{FEATURES_FILE}", FEATURES_FILE]
    return [read_features(outputs["features"] / name, settings) for name in names], settings


def _measured(periods: Periods, folder: Path) -> Iterator[tuple[str, Reliability]]:
    first, second, third = periods.tables
    with_past = published_model([first, second], periods.use_case, folder / "backtest")
    alone = published_model([second], periods.use_case, folder / "alone")
    if alone.grouping is None:
        raise ValueError("these labels do not come from groups")
    as_seen = ServedModel(alone.scorer, alone.grouping.model_copy(update={"priors": {}}), NextPeriod())
    for way, model in (
        ("redraws as before", as_seen),
        ("one snapshot, shrunk", alone),
        ("backtest", with_past),
    ):
        yield way, came_true(model, second, third)
    _about_nothing_to_measure(periods.name, alone.grouping, second, third)
    backtest = published_model(periods.tables, periods.use_case, folder / "three").next_period.backtest
    if backtest:
        yield f"what the release of all three says ({backtest.tested_on})", backtest.published


def _about_nothing_to_measure(name: str, grouping: Grouping, now: FeatureTable, following: FeatureTable) -> None:
    """How often tenants whose means are means of nothing are bad in the next period, beside others."""
    now, following = (table.take(table.history != INSUFFICIENT) for table in (now, following))
    _, first, second = np.intersect1d(now.tenant_id, following.tenant_id, return_indices=True)
    now, after = now.take(first), grouping.assign(following.take(second)) == 1
    unknown = np.isnan(now.matrix([marker.name for marker in grouping.markers])).any(axis=1)
    known, bad = grouping.complete(now.numbers), grouping.assign(now) == 1
    parts = {
        "nothing to measure": known & unknown,
        "good": known & ~unknown & ~bad,
        "bad": known & ~unknown & bad,
        "unknown": ~known,
    }
    told = ", ".join(
        f"{words} {rows.mean():.3f}, of these bad next {after[rows].mean():.3f}"
        for words, rows in parts.items()
        if rows.any()
    )
    sys.stderr.write(f"{name}, shares of the tenants: {told}\n")


def _figures(found: Reliability) -> str:
    told = found.told_less
    share = "none" if told.share is None else f"{told.share:.3f} ({told.low:.3f} to {told.high:.3f})"
    error = f"{found.calibration_error:.3f} ({found.low:.3f} to {found.high:.3f})"
    return f"{error} | {told.tenants} | {share} | {found.log_loss:.3f}"


def _about_portfolios(count: int, portfolios: int, seeds: int) -> None:
    """A prior for each portfolio with enough tenants, where portfolios do not differ, and where they differ a lot."""
    for between in (0.0, 0.3, 0.6):
        gains = []
        for seed in range(seeds):
            tenants = true_tenants(count, seed, portfolios=portfolios, between=between)
            first, second, _ = _years(tenants, seed)
            with TemporaryDirectory() as folder:
                grouping = published_model([first], use_case(), Path(folder)).grouping
            if grouping is None:
                raise ValueError("these labels do not come from groups")
            after = grouping.assign(second).astype(np.intp)
            whole = reliability(group_shares(grouping, first.numbers, first.side["exposure_days"]), after)
            shares = np.empty((len(first), 2))
            for name in np.unique(first.portfolio_id):
                rows = first.portfolio_id == name
                own = first.take(rows)
                priors = fitted_priors(grouping.noise, own.numbers, own.side["exposure_days"])
                of_portfolio = grouping.model_copy(update={"priors": grouping.priors | priors})
                shares[rows] = group_shares(of_portfolio, own.numbers, own.side["exposure_days"])
            gains.append((whole, reliability(shares, after)))
        means = [
            [np.mean([getattr(pair[which], figure) for pair in gains]) for which in (0, 1)]
            for figure in ("calibration_error", "log_loss")
        ]
        tell(
            f"{portfolios} portfolios of about {count // portfolios} tenants, severity between them {between}: "
            f"calibration error {means[0][0]:.3f} with one prior, {means[0][1]:.3f} with one for each; "
            f"log loss {means[1][0]:.3f} and {means[1][1]:.3f}"
        )


if __name__ == "__main__":
    sys.exit(main())
