"""What a batch transform costs in the container: rows per second and core, what they are spent on, and memory.

    python -m bench.transform

Rows of two models are answered in this process, in bodies of a batch transform's size: tenants with groups, whose
probabilities are redrawn, and customers with plain trees. In a job, rows come as columns, and answers stay objects: how
it reads and writes files is not counted. Beside each, in turns, stands what anybody would write first:
pandas reads the body, XGBoost predicts a DMatrix, pandas writes. It redraws nothing, refuses nothing, and names no
label. All times are CPU times of one thread, medians of ``--repeat`` runs. ``--write`` keeps the figures in
``bench/transform.json``, from which ``bench.scoring_cost`` computes what a million tenants cost.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.output import tell
from bench.transform_models import Scored, churn, tenants
from bench.transform_ways import CSV, EXPLAINED, IN_JOB, LINES, MEASURED, WAYS
from container.answers import csv_answer, in_words
from container.batch import Batch
from container.csv_requests import read_csv
from container.json_lines import LINES_AT_ONCE, answer_lines, read_lines
from tenant_experience.models.served_model import Published, ServedModel

_BODY = 6 * 2**20
_SLOW_ROWS = 4_000
_MIB = 2**20


@dataclass(frozen=True)
class Measured:
    """One model, one way.

    Attributes:
        model: its name.
        way: one of ``WAYS``.
        rows_per_second: of one core.
        naive_rows_per_second: of one core, of the naive way.
        bytes_asked: of a row of the request.
        bytes_answered: of a row of the answer.
    """

    model: str
    way: str
    rows_per_second: int
    naive_rows_per_second: int
    bytes_asked: int
    bytes_answered: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="of each model (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="runs, taking turns (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help=f"keep the figures in bench/{MEASURED.name}")
    options = parser.parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = "1"
    measured: list[Measured] = []
    with TemporaryDirectory() as folder:
        for make in (tenants, churn):
            scored = make(Path(folder) / make.__name__, options.rows)
            # SHAP values of all rows, the naive way, take minutes.
            some = {way: _SLOW_ROWS if way in (EXPLAINED, IN_JOB) else options.rows for way in WAYS}
            bodies = {way: _bodies(scored, way, some[way]) for way in WAYS}
            found = [_measure(scored, way, bodies[way], options.repeat) for way in WAYS]
            measured += found
            tell(_table(found))
            _tell_parts(scored, bodies[LINES][0], options.repeat)
            for way in (LINES, EXPLAINED, CSV):
                _tell_memory(scored, way, bodies[CSV if way == CSV else LINES][0])
    if options.write:
        figures = [asdict(each) for each in measured]
        document = {"command": "python -m bench.transform --write", "date": f"{datetime.now(UTC):%Y-%m-%d}"}
        MEASURED.write_text(json.dumps(document | {"measured": figures}, indent=2) + "\n")
    return 0


def _bodies(scored: Scored, way: str, count: int) -> list[bytes]:
    """So many of the rows as requests of at most 6 MiB."""
    if way in (CSV, IN_JOB):
        lines = [",".join("" if cell is None else str(cell) for cell in row).encode() for row in scored.rows]
    else:
        days: Sequence[float | None] = scored.days or [None] * len(scored.rows)
        asked = (
            {"tenant_id": name, "features": dict(zip(scored.features, row, strict=True))}
            | ({} if seen is None else {"exposure_days": seen})
            for name, row, seen in zip(scored.ids, scored.rows, days, strict=True)
        )
        lines = [json.dumps(each).encode() for each in asked]
    bodies: list[list[bytes]] = [[]]
    size = 0
    for line in lines[:count]:
        if size + len(line) + 1 > _BODY:
            bodies.append([])
            size = 0
        bodies[-1].append(line)
        size += len(line) + 1
    return [b"\n".join(each) + b"\n" for each in bodies]


def _answer(model: ServedModel, way: str, body: bytes) -> bytes:
    """As the container does."""
    if way == CSV:
        return csv_answer(read_csv(body, model.scorer.encoding), model)
    if way == IN_JOB:
        # A job reads features as columns, and keeps answers as objects; how it reads and writes them is not counted.
        batch = read_csv(body, model.scorer.encoding)
        in_words(replace(batch, explain=True), model, model.publish(batch.values))
        return b""
    return answer_lines(body, model, explain=way == EXPLAINED)


def _measure(scored: Scored, way: str, bodies: list[bytes], repeat: int) -> Measured:
    model, naive = scored.model(), _Naive(scored)
    answered = sum(len(_answer(model, way, body)) for body in bodies)
    naive.answer(way, bodies[-1])
    ours, theirs = [], []
    for _ in range(repeat):
        ours.append(_seconds(lambda: [_answer(model, way, body) for body in bodies]))
        theirs.append(_seconds(lambda: [naive.answer(way, body) for body in bodies]))
    rows, asked = sum(body.count(b"\n") for body in bodies), sum(map(len, bodies))
    return Measured(
        scored.name,
        way,
        round(rows / median(ours)),
        round(rows / median(theirs)),
        round(asked / rows),
        round(answered / rows),
    )


class _Naive:
    """What anybody would write first: frames, and a DMatrix for each request."""

    def __init__(self, scored: Scored) -> None:
        import xgboost

        self._booster = xgboost.Booster()
        self._booster.load_model(scored.folder / "model.ubj")
        self._booster.set_param({"nthread": 1})
        self._manifest = scored.model().scorer.manifest

    def answer(self, way: str, body: bytes) -> bytes:
        """Probabilities by row; with contributions where they are explained."""
        import pandas as pd
        import xgboost

        manifest = self._manifest
        if way in (CSV, IN_JOB):
            sent, frame = None, pd.read_csv(BytesIO(body), names=list(manifest.features))
        else:
            sent = pd.read_json(BytesIO(body), lines=True)
            frame = pd.DataFrame(sent["features"].tolist())
        columns: dict[str, Any] = {}
        for name in manifest.features:
            if name not in manifest.categories:
                columns[name] = frame[name]
                continue
            texts = frame[name].astype(str)
            columns |= {f"{name}:{place}": texts == value for place, value in enumerate(manifest.categories[name])}
        matrix = pd.DataFrame(columns).to_numpy(dtype=np.float32)
        data = xgboost.DMatrix(matrix, nthread=1, feature_names=self._booster.feature_names)
        answer = pd.DataFrame({"probability": self._booster.predict(data)})
        if way == CSV:
            text = answer.to_csv(index=False, header=False)
            return bytes(text, "utf-8")
        if sent is not None:
            answer.insert(0, "tenant_id", sent["tenant_id"])
        if way in (EXPLAINED, IN_JOB):
            added = self._booster.predict(data, pred_contribs=True)
            answer = pd.concat([answer, pd.DataFrame(added, columns=[*columns, "baseline"])], axis=1)
        return bytes(answer.to_json(orient="records", lines=True), "utf-8")


def _table(found: Sequence[Measured]) -> str:
    lines = [
        f"{found[0].model:24}{'rows/s and core':>16}{'us a row':>10}{'naive rows/s':>14}{'ratio':>8}"
        f"{'bytes asked':>13}{'answered':>10}"
    ]
    lines += [
        f"  {each.way:22}{each.rows_per_second:>16,}{1e6 / each.rows_per_second:>10.1f}"
        f"{each.naive_rows_per_second:>14,}{each.rows_per_second / each.naive_rows_per_second:>8.2f}"
        f"{each.bytes_asked:>13,}{each.bytes_answered:>10,}"
        for each in found
    ]
    return "\n".join(lines)


def _tell_parts(scored: Scored, body: bytes, repeat: int) -> None:
    """Of JSON lines, each part by itself, in microseconds a row."""
    model, lines = scored.model(), body.splitlines()
    blocks = [lines[first : first + LINES_AT_ONCE] for first in range(0, len(lines), LINES_AT_ONCE)]
    batches = [read_lines(block, model.scorer.encoding, explain=True)[0] for block in blocks]
    published = [model.publish(batch.values, batch.exposure_days) for batch in batches]
    known = [(batch.take(rows), each.take(rows)) for batch, each, rows in _of_known(batches, published)]
    works: dict[str, Callable[[], object]] = {
        "read": lambda: [read_lines(block, model.scorer.encoding, explain=False) for block in blocks],
        "json.loads": lambda: [json.loads(line) for line in lines],
        "model": lambda: [model.scorer.outputs(batch.values.astype(np.float32)) for batch in batches],
        "publish": lambda: [model.publish(batch.values, batch.exposure_days) for batch in batches],
        "contributions": lambda: [model.reasons(batch.values, each) for batch, each in known],
        "whole": lambda: answer_lines(body, model, explain=False),
        "explained": lambda: answer_lines(body, model, explain=True),
    }
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeat):
        for name, work in works.items():
            taken[name].append(_seconds(work))
    micro = {name: 1e6 * median(each) / len(lines) for name, each in taken.items()}
    told = {
        "read and encode": micro["read"],
        "  (json.loads alone)": micro["json.loads"],
        "model": micro["model"],
        "rule and redraws": micro["publish"] - micro["model"],
        "words and write": micro["whole"] - micro["read"] - micro["publish"],
        "contributions": micro["contributions"],
        "write contributions": micro["explained"] - micro["whole"] - micro["contributions"],
    }
    share = [float(np.concatenate([getattr(each, name) for each in published]).mean()) for name in ("by_rule", "known")]
    tell(f"  one line, in us (the rule decides for {share[0]:.0%}, anything is known for {share[1]:.0%}):")
    for name, value in told.items():
        tell(f"    {name:24}{max(value, 0):8.1f}")


def _of_known(
    batches: Sequence[Batch], published: Sequence[Published]
) -> Iterator[tuple[Batch, Published, NDArray[np.intp]]]:
    """Each with the rows of which something is known: only these are explained."""
    for batch, each in zip(batches, published, strict=True):
        yield batch, each, np.flatnonzero(each.known)


def _tell_memory(scored: Scored, way: str, body: bytes) -> None:
    """The peak of one whole body, in a process of its own."""
    with get_context("spawn").Pool(1) as pool:
        held, peak, seconds = pool.apply(_whole_body, (scored.folder, way, body))
    tell(
        f"  a body of {len(body) / _MIB:.1f} MiB, {body.count(10):,} rows, {way}: {seconds:.2f} s of CPU, "
        f"{peak - held:.0f} MiB above the {held:.0f} MiB of the process"
    )


def _whole_body(folder: Path, way: str, body: bytes) -> tuple[float, float, float]:
    """MiB held after a small body, the peak in MiB, and seconds."""
    model = ServedModel.load(folder)
    _answer(model, way, b"\n".join(body.splitlines()[:100]))
    held = _peak()
    seconds = _seconds(lambda: _answer(model, way, body))
    return held, _peak(), seconds


def _peak() -> float:
    """Not by getrusage: of a process that was started by a larger one, that is the peak of the larger one."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return float(line.split()[1]) / 1024


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    raise SystemExit(main())
