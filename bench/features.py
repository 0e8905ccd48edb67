"""How fast and how small BuildFeatures is beside pandas, and how both grow.

For each format and for a tenth of the events and all of them: the job itself (validation, quarantine, duplicates,
features, report) and ``bench.pandas_features`` take turns, each run in a fresh process that reads the same files; then
their features are compared. Time is wall time from start to exit, imports included; CPU is what all threads used, which
a busy machine disturbs least; memory is the peak resident size of the process. Generated files stay in .local/bench for
the next run.

    python -m bench.features --events 20000000 --format parquet,csv,csv.gz --repeat 3
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from multiprocessing import get_context
from pathlib import Path

import duckdb

from bench.event_batches import FORMATS, Format, batch

ROOT = Path(__file__).parents[1]
_FOLDER = ROOT / ".local/bench/features"
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Run:
    """One process: wall and CPU time in seconds, peak resident size in MB (10^6 bytes)."""

    seconds: float
    cpu: float
    megabytes: float


@dataclass(frozen=True)
class Measured:
    """The medians of all runs over one batch."""

    ours: Run
    pandas: Run


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000_000, help="of the large batch (default: %(default)s)")
    parser.add_argument("--format", default=",".join(FORMATS), help="separated by commas (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, taking turns (default: %(default)s)")
    options = parser.parse_args(arguments)
    unknown = set(options.format.split(",")) - set(FORMATS)
    if unknown:
        parser.error(f"--format: {', '.join(sorted(unknown))} is none of {', '.join(FORMATS)}")
    formats = [form for form in FORMATS if form in options.format.split(",")]
    sizes = (options.events // 10, options.events)
    # In a process of its own: a process starts with the peak of the one that spawned it.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        batches = {
            (events, form): pool.submit(batch, _FOLDER, events, form).result() for events in sizes for form in formats
        }
    print(f"{'events':>10}  format   ours s (CPU)    pandas s (CPU)   ratio (CPU)   ours MB  pandas MB   load")  # noqa: T201
    for form in formats:
        small, large = (_measure(batches[events, form], events, form, options.repeat) for events in sizes)
        growth = large.ours.seconds / small.ours.seconds, large.ours.megabytes / small.ours.megabytes
        print(f"{'growth':>10}  {form:<8} time x{growth[0]:.1f}, memory x{growth[1]:.2f}")  # noqa: T201
    return 0


def _measure(raw: Path, events: int, form: Format, repeat: int) -> Measured:
    ours, pandas = [], []
    job = _prepare_job(raw)
    expected = _FOLDER / "pandas.parquet"
    for _ in range(repeat):
        ours.append(_run(_job_command(), SAGEMAKER_BASE_DIR=str(job)))
        features = job / "processing/output/features/features.parquet"
        if not features.exists():
            raise SystemExit(f"BuildFeatures refused the batch:\n{(features.parent / 'outcome.json').read_text()}")
        pandas.append(_run(["-m", "bench.pandas_features", str(raw), str(expected)]))
        _compare(features, expected)
    found = Measured(_median(ours), _median(pandas))
    print(  # noqa: T201
        f"{events:>10}  {form:<8}{found.ours.seconds:>7.1f} ({found.ours.cpu:.1f})"
        f"{found.pandas.seconds:>12.1f} ({found.pandas.cpu:.1f})"
        f"{found.pandas.seconds / found.ours.seconds:>9.2f}x ({found.pandas.cpu / found.ours.cpu:.2f}x)"
        f"{found.ours.megabytes:>10.0f}"
        f"{found.pandas.megabytes:>11.0f}{os.getloadavg()[0]:>7.1f}",
        flush=True,
    )
    return found


def _median(runs: list[Run]) -> Run:
    return Run(*(statistics.median(getattr(run, each.name) for run in runs) for each in fields(Run)))


def _prepare_job(raw: Path) -> Path:
    """The folder of a processing job, its inputs in place."""
    job = _FOLDER / "job"
    shutil.rmtree(job, ignore_errors=True)
    inputs = job / "processing/input"
    inputs.mkdir(parents=True)
    (inputs / "raw").symlink_to(raw.resolve())
    (inputs / "use_case").symlink_to(ROOT / "use_cases/tenant_experience")
    return job


def _job_command() -> list[str]:
    named = {"--release": "bench", "--use-case": "tenant_experience", "--batch": "bench"}
    script = str(ROOT / "sagemaker_scripts/build_features.py")
    return [script, *(word for pair in named.items() for word in pair), "--requested-at", "2026-11-20T10:00:00Z"]


def _run(arguments: list[str], **environment: str) -> Run:
    """Runs Python in a process of its own; its output is shown only when it fails."""
    log = _FOLDER / "run.log"
    with log.open("wb") as output:
        began = time.perf_counter()
        child = os.posix_spawn(
            sys.executable,
            [sys.executable, *arguments],
            os.environ | environment | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
            file_actions=[(os.POSIX_SPAWN_DUP2, output.fileno(), stream) for stream in (1, 2)],
        )
        _, status, usage = os.wait4(child, 0)
        seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{log.read_text(errors='replace')}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def _compare(ours: Path, pandas: Path) -> None:
    """Ends the benchmark unless both hold the same tenants with the same features, within 1e-9 of each value."""
    with duckdb.connect() as connection:
        described = connection.execute("DESCRIBE FROM read_parquet($1)", [str(pandas)]).fetchall()
        differences = " OR ".join(
            f"abs(a.{name} - b.{name}) > {_TOLERANCE} * greatest(1, abs(a.{name})) "
            f"OR (a.{name} IS NULL) <> (b.{name} IS NULL OR isnan(b.{name}))"
            if kind == "DOUBLE"
            else f"a.{name} IS DISTINCT FROM CAST(b.{name} AS VARCHAR)"
            for name, kind, *_ in described
        )
        rows = connection.execute(
            f"SELECT tenant_id FROM read_parquet($1) AS a FULL JOIN read_parquet($2) AS b USING (tenant_id) "  # noqa: S608
            f"WHERE a.tenant_id IS NULL OR b.tenant_id IS NULL OR {differences} LIMIT 3",
            [str(ours), str(pandas)],
        ).fetchall()
    if rows:
        raise SystemExit(f"the features differ, for example of the tenants {', '.join(tenant for (tenant,) in rows)}")


if __name__ == "__main__":
    sys.exit(main())
