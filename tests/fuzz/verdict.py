"""One case run as a job, and everything that is wrong with how it ended."""

import contextlib
import io
import json
import logging
import os
import re
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from sagemaker_scripts.build_features import main
from tenant_experience.jobs.job import run_job
from tests.fuzz.valid_inputs import NOTE, TENANT, Batch

ARGUMENTS = [
    *("--release", "r1", "--use-case", "tenant_experience", "--batch", "b1"),
    *("--requested-at", "2026-11-20T10:00:00Z"),
]
REFUSALS = {
    "user": {
        *(
            "conflicting_ids",
            "corrupt_file",
            "duplicate_column",
            "empty_file",
            "encrypted_archive",
            "invalid_manifest",
        ),
        *(
            "invalid_source",
            "invalid_use_case",
            "missing_column",
            "nested_archive",
            "no_events_before_as_of",
            "no_files",
        ),
        *("no_rows", "stale_events", "too_many_bad_rows", "unknown_extension", "unknown_source", "unsafe_archive"),
        *("wrong_column_type", "wrong_encoding", "wrong_file_type"),
    },
    "algorithm": {"too_few_tenants"},
}
OUTPUTS = {
    *("output/message", "processing/output/features/outcome.json", "processing/output/quarantine/quarantine.parquet"),
    *("processing/output/reports/data_quality.json", "processing/output/reports/data_quality.html"),
}
FEATURES = {f"processing/output/features/{name}" for name in ("features.parquet", "partitions.json")}
_INSIDES = re.compile(
    r"Traceback|site-packages|File \"|/tmp/|/opt/ml|scratch-|SELECT |TRY_?\w*\(|read_csv|read_parquet|CASE WHEN|"
    r"attempt_|raw_[a-z]|\bLINE \d|duckdb\.|Internal"
)
_SWALLOWING = ("unterminated_quote", "line_too_long")
SLOW_SECONDS = 20


@dataclass
class Verdict:
    """How a case ended: ``ok``, ``ok, some rows quarantined``, or the code it was refused by."""

    ending: str
    seconds: float
    problems: list[str] = field(default_factory=list)


def in_process(base: Path) -> tuple[int, str]:
    """The script in this process: its exit code and all that it said."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logging.getLogger("job").addHandler(handler)
    before = os.environ.get("SAGEMAKER_BASE_DIR")
    os.environ["SAGEMAKER_BASE_DIR"] = str(base)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's, of overflow: they name files of the environment
            return run_job(lambda _: main(ARGUMENTS), output="features"), said.getvalue()
    finally:
        logging.getLogger("job").removeHandler(handler)
        del os.environ["SAGEMAKER_BASE_DIR"]
        if before is not None:
            os.environ["SAGEMAKER_BASE_DIR"] = before


def judge(batch: Batch, folder: Path, run: Callable[[Path], tuple[int, str]] = in_process) -> Verdict:
    """Runs a case in ``folder``, which it makes.

    Args:
        batch: what is put below ``processing/input``.
        folder: does not exist; nothing but ``ml`` may be in it afterwards.
        run: base folder -> exit code and what was said.
    """
    base = folder / "ml"
    inputs = base / "processing" / "input"
    for name, content in batch.files.items():
        path = inputs / name
        if path.parent.is_file():
            path.parent.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    before = {path: path.read_bytes() for path in inputs.rglob("*") if path.is_file()}
    began = time.perf_counter()
    code, said = run(base)
    seconds = time.perf_counter() - began
    verdict = Verdict("failed", seconds)
    if code != 0:
        verdict.problems.append(f"exit {code}: {said[-1_500:]}")
        return verdict
    if {path: path.read_bytes() for path in inputs.rglob("*") if path.is_file()} != before:
        verdict.problems.append("the input was changed")
    if [path.name for path in folder.iterdir()] != ["ml"]:
        verdict.problems.append("something was written outside the job's folders")
    if seconds > SLOW_SECONDS:
        verdict.problems.append(f"took {seconds:.0f} s")
    _judge_ending(base, said, verdict)
    return verdict


def _judge_ending(base: Path, said: str, verdict: Verdict) -> None:
    outcome = json.loads((base / "processing/output/features/outcome.json").read_text())
    written = {path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file() or path.is_symlink()}
    written = {name for name in written if not name.startswith("processing/input/")}
    quality = json.loads((base / "processing/output/reports/data_quality.json").read_text())
    if outcome["status"] == "ok":
        verdict.ending = "ok, some rows quarantined" if outcome["quarantined"] else "ok"
        extra = written - OUTPUTS - FEATURES
        missing = (OUTPUTS | FEATURES) - written - {"output/message"}
        tenants = pq.read_metadata(base / "processing/output/features/features.parquet").num_rows
        if not tenants or tenants != outcome["tenants"]:
            verdict.problems.append(f"{tenants} rows of features for {outcome['tenants']} tenants")
    else:
        verdict.ending = outcome["code"]
        extra = written - OUTPUTS
        missing = {"output/message", "processing/output/features/outcome.json"} - written
        if outcome["code"] not in REFUSALS.get(outcome["fault"], set()):
            verdict.problems.append(f"refused by {outcome['fault']} {outcome['code']}")
        verdict.problems += _told_too_much(outcome["message"], base)
    verdict.problems += [f"left behind {name}" for name in sorted(extra)]
    verdict.problems += [f"did not write {name}" for name in sorted(missing)]
    verdict.problems += _told_too_much(said, base)
    for name in ("data_quality.json", "data_quality.html"):
        text = (base / "processing/output/reports" / name).read_text()
        verdict.problems += [f"{name}: {found!r}" for found in (TENANT, NOTE, "Traceback") if found in text]
    verdict.problems += _accounts(quality, base / "processing/output/quarantine/quarantine.parquet")


def _told_too_much(text: str, base: Path) -> Iterator[str]:
    if found := _INSIDES.search(text):
        yield f"tells of our insides, {found.group()!r}: {text[:700]}"
    if str(base) in text:
        yield f"names a path of this machine: {text[:700]}"
    for what in (TENANT, NOTE):
        if what in text:
            yield f"tells what is in the file: {text[:700]}"
    if any(not character.isprintable() and character not in "\n\t" for character in text):
        yield f"would control a terminal: {text[:700]!a}"


def _accounts(quality: dict, quarantine: Path) -> Iterator[str]:
    """Every row read is kept, dropped as a copy, passed over or in quarantine."""
    if "rows" not in quality:
        return
    lost = quality["quarantined"] + quality["filtered"]
    kept = quality["events"] + quality["duplicates_dropped"] + quality["updates"] if "events" in quality else None
    if kept is None and "tenants" in quality:
        # Of a table's rows with one id, one is kept.
        kept = quality["tenants"] + quality["repeated_rows"] + quality["conflicting_rows"]
    if kept is not None and kept + lost != quality["rows"]:
        yield f"{quality['rows']} rows, but {kept} kept and {lost} refused or passed over"
    if sum(file["rows"] for file in quality["files"]) != quality["rows"]:
        yield "the files' rows are not all rows"
    if not quarantine.is_file():
        yield "no quarantine was written"
        return
    entries = pq.read_table(quarantine, columns=["reason", "lines"]).to_pylist()
    lines = sum(entry["lines"] if entry["reason"] in _SWALLOWING else 1 for entry in entries)
    if lines != quality["quarantined"]:
        yield f"{quality['quarantined']} quarantined, but the quarantine stands for {lines}"
