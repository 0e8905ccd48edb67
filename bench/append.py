"""A year that comes in 52 weekly batches that add up, beside the same year in one upload.

The weeks come in shuffled order; three come twice under another name, two twice under their own, and one comes wrong
first and is corrected. The features of the last batch must be those of the one upload, to the byte. Then the job of the
last batch and that of the one upload take turns, and each part of the job is timed.

    python -m bench.append --events 1000000 --repeat 3
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from bench.event_batches import AS_OF, batch
from tenant_experience.errors import AlgorithmError, UserError
from tenant_experience.intake.kept_events import EventFolder
from tenant_experience.pipeline import build_features as job
from tenant_experience.pipeline.adding_up import AddingUp
from tenant_experience.pipeline.batch import Folders

ROOT = Path(__file__).parents[1]
_FOLDER = ROOT / ".local/bench/append"
_USE_CASE = "tenant_experience"
_WEEKS = 52
_PARTS = {
    "read_batch": "read, check and find repeated rows",
    "compute_features": "features",
    "compute_past_features": "features of earlier periods",
    "compute_risk_examples": "examples of the list of risk",
    "keep_parts": "keep the batch's own rows",
}


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when the features differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000, help="of 421 days (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, taking turns (default: %(default)s)")
    options = parser.parse_args(arguments)
    shutil.rmtree(_FOLDER, ignore_errors=True)
    weeks = _weeks(batch(ROOT / ".local/bench/features", options.events, "csv"))
    rows = sum(_lines(path) for path in weeks)
    uploads = _uploads(weeks)
    store = EventFolder(_FOLDER / "kept")
    store.root.mkdir(parents=True)
    seconds = []
    for number, (name, path) in enumerate(uploads[:-1]):
        began = time.perf_counter()
        # As of a time before all events, the job ends when the rows are kept.
        _append(number, name, path, store, "2025-01-01T00:00:00Z")
        seconds.append(time.perf_counter() - began)
        sys.stderr.write(f"batch {number + 1} of {len(uploads)}: {seconds[-1]:.1f} s\n")
    name, last = uploads[-1]
    whole, appended = _Timed(), _Timed()
    same = True
    for turn in range(options.repeat):
        before = shutil.copytree(store.root, _FOLDER / "before", dirs_exist_ok=True)
        with appended.measured():
            features = _append(len(uploads) + turn, name, last, EventFolder(before))
        with whole.measured():
            expected = _build("whole", weeks, {}, None)
        same &= features == expected
        shutil.rmtree(before)
    parts = list(store.root.rglob("*.parquet"))
    print(f"{rows} rows in {_WEEKS} weeks, {len(uploads)} uploads; the last has {_lines(last)} rows")  # noqa: T201
    print(f"kept: {len(parts)} parts, {sum(path.stat().st_size for path in parts) / 1e6:.0f} MB; ", end="")  # noqa: T201
    print(f"one upload: {sum(path.stat().st_size for path in weeks) / 1e6:.0f} MB of CSV")  # noqa: T201
    print(f"{'seconds, median of ' + str(options.repeat):<40}{'last batch':>12}{'one upload':>12}{'ratio':>8}")  # noqa: T201
    for part, said in {"": "the whole job", **_PARTS}.items():
        ours, theirs = (statistics.median(timed.seconds[part]) for timed in (appended, whole))
        ratio = f"{ours / theirs:.2f}" if theirs else ""
        print(f"{said:<40}{ours:>12.2f}{theirs:>12.2f}{ratio:>8}")  # noqa: T201
    print(f"features are {'the same to the byte' if same else 'DIFFERENT'}")  # noqa: T201
    return 0 if same else 1


class _Timed:
    """The seconds of each part of the job, in every run."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def measured(self) -> Iterator[None]:
        originals = {name: getattr(job, name) for name in _PARTS}
        before = {name: len(self.seconds[name]) for name in _PARTS}
        for name, function in originals.items():
            setattr(job, name, self._timing(name, function))
        try:
            with self._adding(""):
                yield
        finally:
            for name, function in originals.items():
                setattr(job, name, function)
                if len(self.seconds[name]) == before[name]:
                    self.seconds[name].append(0.0)

    def _timing(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            with self._adding(name):
                return function(*arguments, **named)

        return timed

    @contextmanager
    def _adding(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[name].append(time.perf_counter() - began)


def _weeks(whole: Path) -> list[Path]:
    """A file for each week of the year before ``AS_OF``, by the time at which events opened."""
    folder = _FOLDER / "weeks"
    folder.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        age = f"date_diff('day', TRY_CAST(opened_at AS TIMESTAMP), TIMESTAMP '{AS_OF[:10]}')"
        connection.execute(
            f"CREATE TABLE rows AS SELECT *, coalesce({age}, hash(event_id) % 364) // 7 AS week "  # noqa: S608
            f"FROM read_csv('{whole}/*.csv', all_varchar = true)"
        )
        for week in range(_WEEKS):
            connection.execute(
                f"COPY (SELECT * EXCLUDE (week) FROM rows WHERE week = {week} ORDER BY event_id, resolved_at) "  # noqa: S608
                f"TO '{folder}/week-{week:02}.csv' (FORMAT csv, HEADER)"
            )
    return sorted(folder.iterdir())


def _uploads(weeks: list[Path]) -> list[tuple[str, Path]]:
    """Names of batches with their files, in the order in which they come; the newest week comes last."""
    rng = random.Random(14)  # noqa: S311 - the same order every time
    newest, *others = weeks
    uploads = [(path.stem, path) for path in others]
    again = rng.sample(uploads, 5)
    uploads += again[:2] + [(f"{name}-again", path) for name, path in again[2:]]
    rng.shuffle(uploads)
    wrong = _FOLDER / "wrong.csv"
    header, *lines = uploads[-1][1].read_text().splitlines(keepends=True)
    wrong.write_text(header + "".join(line.replace("call", "email") for line in lines[: len(lines) // 2]))
    return [(uploads[-1][0], wrong), *uploads, (newest.stem, newest)]


def _append(number: int, name: str, path: Path, store: EventFolder, as_of: str = AS_OF) -> bytes | None:
    return _build(f"r{number}", [path], {"mode": "append", "as_of": as_of}, AddingUp(store, name))


def _build(release: str, files: list[Path], manifest: dict[str, Any], adding_up: AddingUp | None) -> bytes | None:
    """The bytes of features.parquet; None when there is too little to learn from yet."""
    base = _FOLDER / "job"
    shutil.rmtree(base, ignore_errors=True)
    made = {name: base / name for name in ("raw", "previous", "features", "quarantine", "reports")}
    for folder in made.values():
        folder.mkdir(parents=True)
    for path in files:
        (made["raw"] / path.name).hardlink_to(path)
    (made["raw"] / "manifest.json").write_text(json.dumps({"as_of": AS_OF, **manifest}))
    try:
        job.build_features(
            Folders(use_case=ROOT / "use_cases" / _USE_CASE, **made),
            release=release,
            use_case_name=_USE_CASE,
            # Of two uploads of one name the later counts, and a release is asked for once a second at most.
            requested_at=datetime.fromtimestamp(datetime(2026, 11, 20, tzinfo=UTC).timestamp() + _number(release), UTC),
            adding_up=adding_up,
        )
    except (AlgorithmError, UserError) as error:
        if "are kept" not in error.message:
            raise
        sys.stderr.write(f"{error.code}: ")
        return None
    return (made["features"] / "features.parquet").read_bytes()


def _number(release: str) -> int:
    return int(release[1:]) if release[1:].isdigit() else 0


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for _ in stream) - 1


if __name__ == "__main__":
    sys.exit(main())
