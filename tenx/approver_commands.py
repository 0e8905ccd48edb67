"""The commands about decisions: ``approvals``, and ``approvers`` with what belongs to it."""

from __future__ import annotations

from typing import Annotated

import typer

from tenx.help import add_command
from tenx.options import AsJson, LaptopFolder, StackName, Stage
from tenx.output import console, print_document

_PANEL = "Decisions"
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")
    add_command(group, list_, _PANEL, "tenx approvers list --stage prod", name="list")
    add_command(group, add, _PANEL, "tenx approvers add ada@example.com")
    add_command(
        group,
        confirm,
        _PANEL,
        "tenx approvers confirm 'https://sns.eu-west-1.amazonaws.com/confirmation.html?TopicArn=...&Token=...'",
    )
    add_command(group, remove, _PANEL, "tenx approvers remove ada@example.com")
    add_command(
        app, approvals, _PANEL, "tenx approvals --status pending", "tenx approvals --use-case bank_marketing --json"
    )
    app.add_typer(group, name="approvers", help="Keep the list of those who decide.", rich_help_panel=_PANEL)


def approvals(
    use_case: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only of this use case.", show_default="all use cases of the stack"),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(
            metavar="STATUS",
            help="Only those that are pending, approved, rejected, expired, superseded or withdrawn.",
            show_default="all",
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="How many at most, the newest first.")] = 20,
    stage: Stage = None,
    stack: StackName = None,
    laptop: LaptopFolder = None,
    as_json: AsJson = False,
) -> None:
    """List open and past decisions: who was asked, and who decided what, and when.

    The route GET /approvals tells it, to whom IAM allows to call it.
    """
    from operations import decisions as operation
    from operations.stack import StackChoice, find_stack

    chosen = find_stack(StackChoice(stack, stage, laptop))
    found = operation.listed(chosen, use_case, status, most)
    if as_json:
        print_document(found)
    else:
        operation.show(chosen, found, console())


def list_(stage: Stage = None, stack: StackName = None, laptop: LaptopFolder = None, as_json: AsJson = False) -> None:
    """Show who is subscribed to requests for a decision, and whether it counts.

    Only a subscription that `tenx approvers confirm` confirmed counts. One whose link was opened in the e-mail does
    not, because mail scanners open links too: `tenx approvers add` replaces it.
    """
    from operations import approvers as operation
    from operations.stack import StackChoice, find_stack

    chosen = find_stack(StackChoice(stack, stage, laptop))
    found = operation.listed(chosen)
    if as_json:
        print_document([operation.document(each) for each in found])
    else:
        operation.show(chosen, found, console())


def add(address: Address, stage: Stage = None, stack: StackName = None, laptop: LaptopFolder = None) -> None:
    """Subscribe an address, which SNS sends a confirmation e-mail.

    A subscription of the same address that does not count is ended first.
    """
    from operations import approvers as operation
    from operations.stack import StackChoice, find_stack

    _say(operation.add(find_stack(StackChoice(stack, stage, laptop)), address))


def confirm(
    link: Annotated[
        str, typer.Argument(metavar="LINK", help="The link of the confirmation e-mail in quotes, or its token alone.")
    ],
    stage: Stage = None,
    stack: StackName = None,
    laptop: LaptopFolder = None,
) -> None:
    """Confirm a subscription by a signed call, so that no link in an e-mail can end it."""
    from operations import approvers as operation
    from operations.stack import StackChoice, find_stack

    _say(operation.confirm(find_stack(StackChoice(stack, stage, laptop)), link))


def remove(address: Address, stage: Stage = None, stack: StackName = None, laptop: LaptopFolder = None) -> None:
    """End the subscriptions of an address, so that it is not asked any more."""
    from operations import approvers as operation
    from operations.stack import StackChoice, find_stack

    _say(operation.remove(find_stack(StackChoice(stack, stage, laptop)), address))


def _say(sentence: str) -> None:
    console().print(sentence, markup=False, soft_wrap=True)
