"""The commands about files whose rows go through the queue: ``queue`` and ``redrive``."""

from __future__ import annotations

from typing import Annotated

import typer

from tenx.help import add_command
from tenx.options import AsJson, LaptopFolder, StackName, Stage, UseCase
from tenx.output import console, print_document

_PANEL = "Scoring"
_DEFAULT_USE_CASE = "tenant_experience"
_FILE = "The file: its key below inference/<use case>/."


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    add_command(
        app,
        queue,
        _PANEL,
        "tenx queue --use-case telecom_churn",
        "tenx queue dim_1_test.csv --use-case telecom_churn --json",
    )
    add_command(app, redrive, _PANEL, "tenx redrive dim_1_test.csv --use-case telecom_churn")


def queue(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help=_FILE, show_default="those that arrived last")
    ] = None,
    use_case: UseCase = _DEFAULT_USE_CASE,
    stage: Stage = None,
    stack: StackName = None,
    laptop: LaptopFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show how far the files below inference/ are: their rows, those that were scored, and those that failed.

    Each version of a file is shown on its own.
    """
    from operations import queue as operation
    from operations.batch import use_case_folder
    from operations.stack import StackChoice, find_stack

    use_case_folder(use_case)
    chosen = find_stack(StackChoice(stack, stage, laptop))
    found = operation.files(chosen, use_case, file)
    if as_json:
        print_document([each.document() for each in found])
    else:
        operation.show(chosen, found, console())


def redrive(
    file: Annotated[str, typer.Argument(metavar="FILE", help=_FILE)],
    use_case: UseCase = _DEFAULT_USE_CASE,
    stage: Stage = None,
    stack: StackName = None,
    laptop: LaptopFolder = None,
    as_json: AsJson = False,
) -> None:
    """Send the messages of a file that failed three times to the queue again.

    Correct first what made them fail. Rows that were scored meanwhile stay as they are, and messages of other files
    stay where they are.
    """
    from operations import queue as operation
    from operations.batch import use_case_folder
    from operations.stack import StackChoice, find_stack

    use_case_folder(use_case)
    moved = operation.redrive(find_stack(StackChoice(stack, stage, laptop)), use_case, file)
    if as_json:
        print_document({"moved": moved})
    else:
        console().print(f"{moved} messages were sent to the queue again. Follow them with tenx queue {file}")
