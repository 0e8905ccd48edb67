"""The commands that score inputs: ``score``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tenx.help import add_command
from tenx.options import AsJson, AsOf, Input, LaptopFolder, Source, StackName, Stage, UseCase
from tenx.output import console, print_document

if TYPE_CHECKING:
    from rich.console import Console

    from operations.scoring import FinishedRun
    from operations.stack import Stack

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
    )


def score(
    path: Input,
    source: Source = None,
    as_of: AsOf = None,
    use_case: UseCase = _DEFAULT_USE_CASE,
    csv: Annotated[bool, typer.Option("--csv", help="Write the answers as CSV too, beside Parquet.")] = False,
    follows: Annotated[
        bool,
        typer.Option("--follow/--no-follow", help="Follow the run to its end, or return as soon as it has started."),
    ] = True,
    stage: Stage = None,
    stack: StackName = None,
    laptop: LaptopFolder = None,
    as_json: AsJson = False,
) -> None:
    """Score an input with the live models: a row for each record, in files and in the table of answers.

    The input holds events, rows of features, or ids alone (--source ids), for which the features are those that are
    live. Nothing is trained, and nobody is asked.
    """
    from operations import scoring
    from operations.batch import use_case_folder
    from operations.stack import StackChoice, find_stack

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
        _show(found, done, printed)
    if as_json:
        print_document(document)
    raise typer.Exit(0 if document.get("status", "SUCCEEDED") == "SUCCEEDED" else 1)


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


def _show(stack: Stack, done: FinishedRun, printed: Console) -> None:
    """Print how a run ended, where its answers lie, and the first of them."""
    from rich.table import Table

    from operations.scoring import FIRST_COLUMNS, first_answers
    from operations.watch import reason

    status = done.execution["status"]
    if status != "SUCCEEDED":
        printed.print(f"\n[red]{status}[/red]")
        printed.print(reason(done.execution), markup=False, soft_wrap=True)
        return
    found = done.output
    printed.print(
        f"\n[green]SUCCEEDED[/green] after {done.seconds:.1f} s: {found['answers']:,} answers, "
        f"{found['unanswered']:,} rows without one, by release {found['release']}"
    )
    printed.print(f"  s3://{stack.bucket}/{found['predictions']}", markup=False, soft_wrap=True)
    rows = first_answers(stack, found["predictions"])
    shown = [name for name in FIRST_COLUMNS if any(row[name] not in (None, []) for row in rows)]
    if rows:
        table = Table(*shown)
        for row in rows:
            table.add_row(*(_cell(row[name]) for name in shown))
        printed.print(table)


def _cell(value: object) -> str:
    from rich.markup import escape

    if isinstance(value, list):
        return escape("\n".join(map(str, value)))
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else escape(str(value))
