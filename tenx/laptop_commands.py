"""The commands about the laptop's AWS: ``up``, ``down``, ``status`` and ``invoke``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenx.help import add_command
from tenx.options import AsJson, LaptopFolder, StackName, Stage
from tenx.output import console, print_document

_PANEL = "The stack"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    add_command(app, up, _PANEL, "tenx up", "tenx up --json")
    add_command(app, down, _PANEL, "tenx down")
    add_command(app, status, _PANEL, "tenx status", "tenx status --stage dev --json")
    add_command(app, invoke, _PANEL, "tenx invoke features", "tenx invoke predictions --event my_event.json")


def up(as_json: AsJson = False) -> None:
    """Start the laptop's AWS, deploy the stack to it, and print where it answers.

    If the laptop's AWS is running already, it goes on running and keeps its data. To deploy to an AWS account, use sam
    deploy.
    """
    from operations import status as stack_status
    from operations.up import up as start

    printed = console(as_json=as_json)
    found = stack_status.describe(start(printed))
    if as_json:
        print_document(found)
    else:
        stack_status.show_addresses(found, printed)


def down() -> None:
    """Stop the laptop's AWS and everything that it started. Its data stays until make clean removes it."""
    from operations import laptop

    printed = console()
    was_running = laptop.running() is not None
    with printed.status("stopping the laptop's AWS"):
        laptop.stop()
    printed.print("Stopped." if was_running else "Nothing was running.")


def status(stage: Stage = None, stack: StackName = None, laptop: LaptopFolder = None, as_json: AsJson = False) -> None:
    """Show where the API, its key, the bucket and the mailbox are, what is live, and which releases are running."""
    from operations import status as stack_status
    from operations.stack import StackChoice, find_stack

    found = stack_status.describe(find_stack(StackChoice(stack, stage, laptop)))
    if as_json:
        print_document(found)
    else:
        stack_status.show(found, console())


def _functions(incomplete: str) -> list[str]:
    from operations.invoke import function_names

    return [name for name in function_names() if name.startswith(incomplete)]


def invoke(
    function: Annotated[
        str,
        typer.Argument(
            metavar="FUNCTION", autocompletion=_functions, help="The function: the name of a folder in functions/."
        ),
    ],
    event: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The event, as a JSON file (default: the function's sample in events/)."),
    ] = None,
    stack: StackName = None,
    laptop: LaptopFolder = None,
    as_json: AsJson = False,
) -> None:
    """Run one function of the laptop's stack with an event, and print what it answers.

    The function works on the stack's own data: publish_release, for example, can change what is served.
    """
    from operations.invoke import invoke as call
    from operations.invoke import read_event
    from operations.stack import LAPTOP_STAGE, StackChoice, find_stack

    path, content = read_event(function, event)
    printed = console(as_json=as_json)
    with printed.status(f"running {function}"):
        answer = call(find_stack(StackChoice(stack, LAPTOP_STAGE, laptop)), function, path, content)
    failed = answer.failed
    printed.print(f"{answer.function} with {answer.event}: {'failed' if failed else 'answered'}", markup=False)
    if failed and answer.log:
        printed.print(answer.log.rstrip(), markup=False, soft_wrap=True)
    print_document(answer.answer)
    raise typer.Exit(1 if failed else 0)
