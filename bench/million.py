"""A million tenants in 4,000 portfolios, from clusters to the report: CPU time and peak memory of each stage.

``make bench-million`` (``.venv/bin/python -m bench.million``) generates ``features.parquet`` and runs the scripts as
SageMaker does, one process after another: ClusterTenants, TrainModel, and EvaluateModel, which also writes the report.
Then a second release of the same tenants with new figures, while the first one is live: it keeps the groups, and is
compared with the live model and by the yardstick.

It does so for a tenth of the tenants and portfolios first, and prints both beside each other: what is linear costs ten
times as much. The exit code is 1 when a partition is not ready.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tenant_experience.data_layout import FEATURES_FILE, MODEL_ARCHIVE, MODELS, OUTCOME, PARTITIONS_FILE, model_archive
from tenant_experience.statistics.arrays import Floats

ROOT = Path(__file__).parents[1]
USE_CASE_FOLDER = ROOT / "use_cases" / "tenant_experience"
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
RELEASES = ("first", "second")
STAGES = ("cluster", "train", "evaluate and report")


@dataclass(frozen=True)
class Cost:
    """What one stage took: seconds of CPU, seconds, and the most memory it held, in MiB."""

    cpu: float
    wall: float
    peak: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.million", description=__doc__)
    parser.add_argument("--tenants", type=int, default=1_000_000, help="generated (%(default)s)")
    parser.add_argument("--portfolios", type=int, default=4_000, help="they are in (%(default)s)")
    parser.add_argument("--pseudonyms", action="store_true", help="ids of 32 characters instead of nine")
    parser.add_argument("--skip-tenth", action="store_true", help="do not measure a tenth of it first")
    parser.add_argument("--skip-second", action="store_true", help="do not measure a second release")
    options = parser.parse_args(arguments)
    shares = (1,) if options.skip_tenth else (10, 1)
    sizes = [(options.tenants // share, max(options.portfolios // share, 1)) for share in shares]
    runs: list[tuple[list[Cost], bool]] = []
    seconds: list[tuple[list[Cost], bool]] = []
    for tenants, portfolios in sizes:
        with TemporaryDirectory() as folder:
            size = (tenants, portfolios, "{:032x}" if options.pseudonyms else "T{:08d}")
            runs.append(_run(Path(folder) / "first", size))
            if not options.skip_second:
                seconds.append(_run(Path(folder) / "second", size, Path(folder) / "first"))
    sys.stdout.write(_table(sizes, [costs for costs, _ in runs]))
    if seconds:
        sys.stdout.write("\nThe second release, while the first one is live:\n")
        sys.stdout.write(_table(sizes, [costs for costs, _ in seconds]))
    return 0 if all(ready for _, ready in [*runs, *seconds]) else 1


def write_features(path: str, tenants: int, portfolios: int, tenant_id: str, period: int = 0) -> None:
    """Writes ``features.parquet`` as BuildFeatures does: tenants of a hidden lot, in portfolios of different sizes.

    Args:
        path: the file.
        tenants: how many; nobody's id or place in the file says anything about the lot.
        portfolios: how many.
        tenant_id: the format of an id.
        period: the same tenants have other figures in another one.
    """
    chance = np.random.default_rng(0)
    lot = np.floor(chance.random(tenants) * 2) + chance.normal(0, 0.35, tenants)
    # Most tenants were seen all year; the others moved in at any time, a tenth of them too late to count.
    days = np.where(chance.random(tenants) < 0.6, 365.0, np.floor(chance.uniform(60, 365, tenants)))
    known = days >= 90
    # The draws of the first period come first whichever is written, so that tenants are the same in each.
    values = _figures(chance, lot, days)
    if period:
        values = _figures(np.random.default_rng(period), lot, days)
    waits = known & (chance.random(tenants) < 0.2)
    values |= {
        "exposure_days": days,
        "open_count": np.where(waits, 1 + chance.poisson(0.5, tenants), 0).astype(np.float64),
        "oldest_open_hr": np.where(waits, chance.gamma(1, 200, tenants), np.nan),
    }
    history = np.where(days >= 180, "sufficient", np.where(known, "provisional", "insufficient"))
    sizes = chance.lognormal(0, 1, portfolios)
    portfolio = np.searchsorted(np.cumsum(sizes) / sizes.sum(), chance.random(tenants))
    everyone = pa.array(["all"]).take(pa.array(np.zeros(tenants, dtype=np.int64)))
    columns = {
        "tenant_id": pa.array([tenant_id.format(number) for number in chance.permutation(tenants).tolist()]),
        "portfolio_id": pa.array([f"P{number:05d}" for number in portfolio.tolist()]),
        "partition": everyone,
        "partition_slug": everyone,
        "as_of": pa.array([AS_OF], pa.timestamp("us", "UTC")).take(pa.array(np.zeros(tenants, dtype=np.int64))),
        "history": pa.array(history.tolist()),
        "may_train": pa.array(days >= 180),
    }
    always = ("exposure_days", "open_count")
    for name, column in values.items():
        hidden = np.isnan(column) | (~known if name not in always else False)
        columns[name] = pa.array(column, mask=hidden)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def _figures(chance: np.random.Generator, lot: Floats, days: Floats) -> dict[str, Floats]:
    """What is counted and timed of tenants in ``days`` days; NaN where there is nothing to time."""
    years = days / 365

    def count(log_mean: float, slope: float) -> Floats:
        return chance.poisson(np.exp(log_mean + slope * lot) * years).astype(np.float64)

    tickets, maintenance = count(1.8, 0.0), count(0.2, 1.3)
    events = tickets + maintenance
    counts = {
        "work_order_count": count(0.8, 0.8),
        "escalation_count": count(-1.5, 2.0),
        "total_maintenance_tickets": maintenance,
        "total_tickets": tickets,
        "outbound_call_count": count(1.1, 0.0),
    }
    values = {name: seen / years for name, seen in counts.items()}
    for name, level in (("mean_first_response_hr", 0.4), ("mean_full_resolution_hr", 2.0)):
        hours = chance.gamma(np.maximum(events, 1)) / np.maximum(events, 1) * 3 * np.exp(level + 1.2 * lot)
        values[name] = np.where(events > 0, hours, np.nan)
    calls = count(1.0, 0.0)
    rates = {"answer_rate": (calls, 0.95 - 0.25 * lot), "positive_rate": (tickets, 0.05 + 0 * lot)}
    for name, (of, rate) in (rates | {"negative_rate": (tickets, 0.05 + 0.15 * lot)}).items():
        share = chance.binomial(of.astype(np.int64), np.clip(rate, 0, 1)) / np.maximum(of, 1)
        values[name] = np.where(of > 0, share, np.nan)
    return values


def _run(base: Path, size: tuple[int, int, str], live: Path | None = None) -> tuple[list[Cost], bool]:
    """The costs of the three stages, and whether the model is ready.

    Args:
        base: a new folder.
        size: tenants, portfolios, and the format of an id.
        live: the folder of the release that is live meanwhile.
    """
    tenants, portfolios, _ = size
    features = base / "processing" / "input" / "features"
    # In another process: what this one holds at its peak would count for each process that it starts.
    writer = get_context("spawn").Process(
        target=write_features, args=(str(features / FEATURES_FILE), *size, 1 if live else 0)
    )
    writer.start()
    writer.join()
    everyone = {"partition": "all", "slug": "all", "tenants": tenants}
    (features / PARTITIONS_FILE).write_text(json.dumps([{"shard": 0, "partitions": [everyone], "hyperparameters": {}}]))
    runner: tuple[str, ...] = ()
    if live is not None:
        (features.parent / "previous").symlink_to(live / "processing" / "input" / "features")
        archive = live / "processing" / "output" / MODELS / model_archive("all", RELEASES[0])
        runner = ("bench/beside_live_release.py", str(archive), RELEASES[0])
    release = RELEASES[1 if live else 0]
    (features.parent / "use_case").symlink_to(USE_CASE_FOLDER)
    costs = [_stage(base, *runner, "sagemaker_scripts/cluster_tenants.py", "--release", release, "--shard", "0")]
    clusters, channels = base / "processing" / "output" / "clusters", base / "input" / "data"
    channels.mkdir(parents=True)
    for name, folder in (("features", features), ("use_case", USE_CASE_FOLDER), ("clusters", clusters)):
        (channels / name).symlink_to(folder)
    config = base / "input" / "config" / "hyperparameters.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"release": release, "shard": "0"}))
    costs.append(_stage(base, "container/train"))
    (features.parent / "clusters").symlink_to(clusters)
    (features.parent / "model").mkdir()
    with tarfile.open(features.parent / "model" / MODEL_ARCHIVE, "w:gz") as packed:
        packed.add(base / "model", ".")
    costs.append(_stage(base, *runner, "sagemaker_scripts/evaluate_model.py", "--release", release, "--shard", "0"))
    reports = base / "processing" / "output" / "reports"
    outcome = json.loads((reports / OUTCOME).read_text())
    sizes = ", ".join(f"{file.name} {file.stat().st_size / 2**20:.2f} MiB" for file in sorted(reports.iterdir()))
    sys.stdout.write(f"{tenants:,} tenants, {portfolios:,} portfolios: {outcome['status']}; {sizes}\n")
    return costs, outcome["status"] == "ok"


def _stage(base: Path, *command: str) -> Cost:
    """Runs ``python <command>`` and waits for it."""
    environment = {"PATH": os.environ["PATH"], "SAGEMAKER_BASE_DIR": str(base), "MPLCONFIGDIR": str(base / "mpl")}
    environment |= {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    start = time.perf_counter()
    with (base / "log.txt").open("a") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, *command], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}:\n{(base / 'log.txt').read_text()[-4000:]}")
    return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - start, used.ru_maxrss / 1024)


def _table(sizes: Sequence[tuple[int, int]], runs: Sequence[Sequence[Cost]]) -> str:
    """Each stage's costs, a column for each size."""
    lines = [f"{'':20}" + "".join(f"{f'{tenants:,} / {portfolios:,}':>34}" for tenants, portfolios in sizes)]
    rows = [[*run, Cost(sum(c.cpu for c in run), sum(c.wall for c in run), max(c.peak for c in run))] for run in runs]
    for place, name in enumerate((*STAGES, "all")):
        figures = (f"{row[place].cpu:8.1f} s CPU {row[place].wall:7.1f} s {row[place].peak:6.0f} MiB" for row in rows)
        lines.append(f"{name:20}" + "".join(f"{text:>34}" for text in figures))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
