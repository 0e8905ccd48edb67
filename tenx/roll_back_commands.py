"""The command about what is live: ``rollback``."""

from __future__ import annotations

from typing import Annotated

import typer

from tenx.help import add_command
from tenx.options import AsJson, LaptopFolder, StackName, Stage, UseCase
from tenx.output import console, print_document

_PANEL = "Decisions"
_DEFAULT_USE_CASE = "tenant_experience"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    add_command(
        app,
        rollback,
        _PANEL,
        'tenx rollback --to 20261120-3f9a2c1 --reason "too many tenants are bad since"',
        "tenx rollback --to 20261120-3f9a2c1 --partition elm-court --features --reason 'a wrong file' --stage prod",
    )


def rollback(
    to: Annotated[str, typer.Option(metavar="RELEASE", help="The release whose models answer again.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; everybody who is asked reads it.")],
    use_case: UseCase = _DEFAULT_USE_CASE,
    partitions: Annotated[
        list[str] | None,
        typer.Option(
            "--partition",
            metavar="SLUG",
            help="Only this partition, as its models' keys name it. The option may be repeated.",
        ),
    ] = None,
    features: Annotated[bool, typer.Option("--features", help="Serve the features of that release again too.")] = False,
    follows: Annotated[
        bool,
        typer.Option("--follow/--no-follow", help="Follow it to its end, or return as soon as it has started."),
    ] = True,
    stage: Stage = None,
    stack: StackName = None,
    laptop: LaptopFolder = None,
    as_json: AsJson = False,
) -> None:
    """Let the models of an earlier release answer again, once its approvers have agreed.

    They are asked by e-mail, by the rules of the use case. Nothing changes before they answer.
    """
    from operations.roll_back import roll_back
    from operations.stack import StackChoice, find_stack
    from tenx.release_commands import follow_to_end, outcome_of, where_to_decide

    found, printed = find_stack(StackChoice(stack, stage, laptop)), console(as_json=as_json)
    run = roll_back(found, use_case, to, reason, partitions or (), features=features)
    printed.print(f"Roll-back {run} has started. {where_to_decide(found)}", soft_wrap=True)
    if not follows:
        if as_json:
            print_document({"roll_back": run})
        return
    done = follow_to_end(found, run, printed)
    if as_json:
        print_document({"roll_back": run, **outcome_of(done)})
    raise typer.Exit(0 if done.execution["status"] == "SUCCEEDED" else 1)
