"""Scoring an input: upload it, follow the run that its arrival starts, and read its answers."""

from __future__ import annotations

import io
import itertools
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3

from operations.batch import RawBatch, find_files, upload, with_words
from operations.errors import OperationError, interruption
from operations.stack import Stack
from operations.watch import Step, follow, listed_executions, new_execution
from tenant_experience import data_layout
from tenant_experience.data_layout import MANIFEST
from tenant_experience.scoring.manifest import IDS, ScoringManifest
from tenant_experience.use_case.schema import load_use_case
from tenant_experience.use_case.source import load_source

_START_SECONDS = 300
# What a person wants to see of an answer first; the files have more columns (docs/scoring.md).
FIRST_COLUMNS = ("record_id", "portfolio_id", "status", "answer", "probability", "value", "reasons")


@dataclass(frozen=True)
class FinishedRun:
    """A scoring run that has ended.

    Attributes:
        run: its id, which is also the execution's name.
        execution: as Step Functions describes it.
        seconds: from the upload to the end.
    """

    run: str
    execution: dict[str, Any]
    seconds: float

    @property
    def output(self) -> dict[str, Any]:
        """What the execution says at its end; empty when it failed."""
        found: dict[str, Any] = json.loads(self.execution.get("output") or "{}")
        return found


def read_score_input(
    path: Path, use_case: Path, source: str | None = None, as_of: datetime | None = None, *, csv: bool = False
) -> RawBatch:
    """The score batch in a file, or in a folder and the folders below it.

    Args:
        path: a file or folder; its ``manifest.json`` is the batch's manifest.
        use_case: the folder of a use case.
        source: how to read the files (``ids``: they hold ids alone); must not contradict the manifest.
        as_of: the moment that the features describe, UTC; must not contradict the manifest.
        csv: whether the answers are wanted as CSV too.

    Raises:
        OperationError: there is nothing at ``path``, or the manifest says something else.
        TenantExperienceError: the manifest, the use case or the source is wrong.
    """
    loaded, found = load_use_case(use_case), find_files(path)
    document: dict[str, object] = {}
    given = ScoringManifest()
    if found.folder is not None:
        given = ScoringManifest.read(found.folder)
        document = json.loads((found.folder / MANIFEST).read_text(encoding="utf-8-sig"))
    document = with_words(document, found.folder, source=(source, given.source), as_of=(as_of, given.as_of))
    if csv:
        document["format"] = "csv"
    wanted = ScoringManifest.parse(document).source
    if wanted is not None and wanted != IDS:
        load_source(use_case, wanted, loaded)
    batch = found.batch(use_case, document)
    # A file may be called anything, and a score batch may not.
    return replace(batch, name=re.sub(r"[^A-Za-z0-9._-]+", "-", batch.name).lstrip("._-"))


def start(stack: Stack, batch: RawBatch, on_file: Callable[[int, str], None] = lambda _count, _name: None) -> str:
    """Upload a score batch; the ARN of the execution that its arrival starts.

    Raises:
        OperationError: none starts.
    """
    machine = scoring_machine(stack)
    before = listed_executions(machine)
    upload(batch, stack.bucket, on_file, data_layout.score_batch)

    def is_wanted(given: dict[str, Any]) -> bool:
        return (given.get("use_case"), given.get("batch")) == (batch.use_case, batch.name)

    with interruption(f"Batch {batch.name} is uploaded, and it is scored without this command."):
        arn = new_execution(machine, before, is_wanted, _START_SECONDS)
    if arn is None:
        raise OperationError(
            f"no run scored batch {batch.name} within {_START_SECONDS} s of the upload of manifest.json. Where no "
            "release of the use case is live, an e-mail says so; otherwise see the log of StartScoring"
        )
    return arn


def follow_run(
    arn: str,
    began: float,
    on_step: Callable[[Step], None],
    on_poll: Callable[[list[str], float], None],
) -> FinishedRun:
    """Follow a scoring run to its end.

    Args:
        arn: its execution.
        began: the monotonic time from which its seconds count.
        on_step: given each state that was entered or left.
        on_poll: given the states that run and the seconds so far, at every look.

    Raises:
        Interrupted: Ctrl-C was pressed; the run goes on.
    """
    name = arn.rpartition(":")[2]
    with interruption(f"Run {name} goes on without this command, and an e-mail says how it ends."):
        execution, _ = follow(
            boto3.client("stepfunctions"),
            arn,
            on_step=on_step,
            on_poll=lambda running: on_poll(running, time.monotonic() - began),
        )
    return FinishedRun(name, execution, time.monotonic() - began)


def first_answers(stack: Stack, folder: str, count: int = 5) -> list[dict[str, Any]]:
    """The first answers of a batch.

    Args:
        stack: whose bucket holds them.
        folder: the prefix of its predictions.
        count: how many at most.
    """
    import pyarrow.parquet as parquet  # slow to import, and only needed here

    key = folder + data_layout.predictions_file(0)
    body = boto3.client("s3").get_object(Bucket=stack.bucket, Key=key)["Body"].read()
    file = parquet.ParquetFile(io.BytesIO(body))
    batches = file.iter_batches(batch_size=count, columns=list(FIRST_COLUMNS))
    return list(itertools.islice((row for batch in batches for row in batch.to_pylist()), count))


def scoring_machine(stack: Stack) -> str:
    """The ARN of the state machine that scores batches.

    Raises:
        OperationError: the stack is older than that state machine.
    """
    found = stack.outputs.get("ScoringStateMachineArn")
    if found is None:
        raise OperationError(f"stack {stack.name} has no state machine that scores batches: deploy this template first")
    return found
