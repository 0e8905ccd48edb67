"""The commands that score inputs: ``score``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tenant_experience import data_layout
from tenx.help import add_command
from tenx.options import AsJson, AsOf, Input, LaptopFolder, Source, StackName, Stage, UseCase
from tenx.output import console, print_document

if TYPE_CHECKING:
    from rich.console import Console

    from operations.scoring import FinishedRun
    from operations.stack import Stack
    from tenant_experience.queue.progress import FileProgress

_PANEL = "Scoring"
_DEFAULT_USE_CASE = "tenant_experience"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    add_command(
        app,
        score,
        _PANEL,
        "tenx score tenants.parquet --source tenant_table",
        "tenx score ids.csv --source ids --csv",
        "tenx score export/ --stage dev --no-follow",
        "tenx score new.csv --use-case telecom_churn --queue",
    )


def score(
    path: Input,
    source: Source = None,
    as_of: AsOf = None,
    use_case: UseCase = _DEFAULT_USE_CASE,
    csv: Annotated[bool, typer.Option("--csv", help="Write the answers as CSV too, beside Parquet.")] = False,
    queue: Annotated[
        bool,
        typer.Option(
            "--queue",
            help="Send the rows of one file through the queue, which keeps each in a table, instead of a batch.",
        ),
    ] = False,
    follows: Annotated[
        bool,
        typer.Option("--follow/--no-follow", help="Follow it to its end, or return as soon as it has started."),
    ] = True,
    stage: Stage = None,
    stack: StackName = None,
    laptop: LaptopFolder = None,
    as_json: AsJson = False,
) -> None:
    """Score an input with the live models: a row for each record, in files and in the table of answers.

    The input holds events, rows of features, or ids alone (--source ids), for which the features are those that are
    live. Nothing is trained, and nobody is asked.

    With --queue, a file of ids or of rows of features is scored row by row; the use case says by which source, and how
    many rows are too many. Such a file is scored as a batch by itself.
    """
    from operations import scoring
    from operations.batch import use_case_folder
    from operations.errors import OperationError
    from operations.stack import StackChoice, find_stack

    if queue:
        if source is not None or as_of is not None or csv:
            raise OperationError(
                "the queue reads every file of a use case by the source that inference: in its use_case.yaml names, "
                "as of now, and keeps answers in a table: leave out --source, --as-of and --csv, or --queue"
            )
        use_case_folder(use_case)
        chosen = find_stack(StackChoice(stack, stage, laptop))
        raise typer.Exit(_score_rows(chosen, use_case, path, follows=follows, as_json=as_json))
    batch = scoring.read_score_input(path, use_case_folder(use_case), source, as_of, csv=csv)
    batch.named_files()
    found = find_stack(StackChoice(stack, stage, laptop))
    printed, began = console(as_json=as_json), time.monotonic()
    with printed.status("uploading") as line:
        arn = scoring.start(found, batch, lambda count, name: line.update(f"uploading {count + 1}: {name}"))
    run = arn.rpartition(":")[2]
    printed.print(f"Uploaded batch [bold]{batch.name}[/bold]. Its arrival started run [bold]{run}[/bold]\n")
    document: dict[str, Any] = {"batch": batch.name, "run": run, "execution": arn, "skipped": list(batch.skipped)}
    if not follows:
        printed.print("An e-mail says when it is scored, and where the answers lie.")
    else:
        done = _follow(arn, began, printed)
        document |= {"status": done.execution["status"], "error": done.execution.get("error"), **done.output}
        show(found, done, printed)
    if as_json:
        print_document(document)
    raise typer.Exit(0 if document.get("status", "SUCCEEDED") == "SUCCEEDED" else 1)


def _score_rows(stack: Stack, use_case: str, path: Path, *, follows: bool, as_json: bool) -> int:
    """Send a file through the queue; the exit code."""
    from operations import queue as operation
    from tenant_experience.queue.progress import State

    printed = console(as_json=as_json)
    with printed.status("uploading"):
        name = operation.send(stack, use_case, path)
    printed.print(f"Uploaded {path.name} to s3://{stack.bucket}/inference/{use_case}/", markup=False, soft_wrap=True)
    document: dict[str, Any] = {"file": name}
    code = 0
    if follows:
        with printed.status("waiting for its first rows") as line:

            def on_poll(found: FileProgress) -> None:
                rows = f"{found.sent:,} rows sent" if found.rows is None else f"of {found.rows:,} rows"
                line.update(f"{found.state}: {found.scored:,} scored and {found.failed:,} failed, {rows}")

            done = operation.follow_file(stack, name, on_poll)
        document = done.document()
        code = 0 if done.state in (State.COMPLETE, State.HANDED_OVER) else 1
        _show_rows(stack, done, printed)
    else:
        printed.print(f"Follow it with tenx queue {path.name} --use-case {use_case}.", markup=False)
    if as_json:
        print_document(document)
    return code


def _show_rows(stack: Stack, done: FileProgress, printed: Console) -> None:
    """Print how a file ended, where its rows lie, and the first of them."""
    from operations.queue import FIRST_COLUMNS, first_rows
    from tenant_experience.queue.progress import State

    if done.state in (State.HANDED_OVER, State.REFUSED):
        printed.print(f"{done.state.replace('_', ' ')}: {done.reason}", markup=False, soft_wrap=True)
        return
    table = stack.outputs["InferenceTableName"]
    printed.print(
        f"{done.state}: {done.rows or 0:,} rows, {done.scored:,} scored, {done.failed:,} failed. They lie in the table "
        f"{table} under file = {done.file}",
        markup=False,
        soft_wrap=True,
    )
    if done.state == State.SCORING:
        printed.print(f"Some have failed three times: tenx redrive {done.path} sends them again", markup=False)
    if done.truths:
        printed.print(
            f"{done.truths:,} rows say what really happened: see s3://{stack.bucket}/"
            f"{data_layout.file_evaluation(done.use_case, done.path)}",
            markup=False,
            soft_wrap=True,
        )
    _show_table(first_rows(stack, done.file), FIRST_COLUMNS, printed)


def _show_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], printed: Console) -> None:
    """Print rows, without the columns that none of them has."""
    from rich.table import Table

    if rows:
        shown = [name for name in columns if any(row.get(name) not in (None, []) for row in rows)]
        table = Table(*shown)
        for row in rows:
            table.add_row(*(_cell(row.get(name)) for name in shown))
        printed.print(table)


def _follow(arn: str, began: float, printed: Console) -> FinishedRun:
    from operations.scoring import follow_run
    from operations.watch import Step

    with printed.status("following") as line:

        def on_step(step: Step) -> None:
            if step.seconds is not None:
                printed.print(f"  [green]done[/green] {step.seconds:7.1f} s  [bold]{step.state}[/bold]")

        def on_poll(running: list[str], seconds: float) -> None:
            line.update(f"{', '.join(running) or 'between states'}  {seconds:.0f} s")

        return follow_run(arn, began, on_step, on_poll)


def show(stack: Stack, done: FinishedRun, printed: Console) -> None:
    """Print how a run ended, where its answers lie, and the first of them."""
    from operations.scoring import FIRST_COLUMNS, first_answers
    from operations.watch import reason

    status = done.execution["status"]
    if status != "SUCCEEDED":
        printed.print(f"\n[red]{status}[/red]")
        printed.print(reason(done.execution), markup=False, soft_wrap=True)
        return
    found = done.output
    printed.print(
        f"\n[green]SUCCEEDED[/green] after {done.seconds:.1f} s: {found['answers']:,} records answered by release "
        f"{found['release']}, {found['unanswered']:,} not answered, {found['refused']:,} rows refused"
    )
    printed.print(f"  s3://{stack.bucket}/{found['predictions']}", markup=False, soft_wrap=True)
    if found["unanswered"] or found["refused"]:
        reasons = f"  s3://{stack.bucket}/{found['errors']}{data_layout.ERRORS_FILE} has the reasons"
        printed.print(reasons, markup=False, soft_wrap=True)
    _show_table(first_answers(stack, found["predictions"]), FIRST_COLUMNS, printed)


def _cell(value: object) -> str:
    from rich.markup import escape

    if isinstance(value, list):
        return escape("\n".join(map(str, value)))
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else escape(str(value))
