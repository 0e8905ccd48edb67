"""The commands about releases: ``demo``, ``preview``, ``upload``, ``follow``, ``stop``, ``withdraw`` and ``replay``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenx.help import add_command
from tenx.options import (
    Append,
    AsJson,
    AsOf,
    Input,
    LaptopFolder,
    NoTrain,
    OptionalInput,
    Release,
    Source,
    StackName,
    Stage,
    UseCase,
)
from tenx.output import console, print_document

if TYPE_CHECKING:
    from rich.console import Console

    from operations.releases import FinishedRelease
    from operations.stack import Stack

_PANEL = "Releases"
_DEFAULT_USE_CASE = "tenant_experience"


class Choice(StrEnum):
    """What the demo's approver decides."""

    approve = "approve"
    reject = "reject"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    a_release = "20261120-3f9a2c1"
    add_command(
        app,
        demo,
        _PANEL,
        "tenx demo",
        "tenx demo --use-case bank_marketing",
        "tenx demo export/ --source uci_incidents",
    )
    add_command(
        app, preview, _PANEL, "tenx preview tickets.csv", "tenx preview export/ --source nyc311 --tenant T000014"
    )
    add_command(
        app,
        upload,
        _PANEL,
        "tenx upload export/",
        "tenx upload tickets.csv --source events --stage dev --no-follow",
        "tenx upload new.csv --use-case bank_marketing --no-train",
    )
    add_command(app, follow, _PANEL, f"tenx follow {a_release}", f"tenx follow {a_release} --stage dev --json")
    add_command(app, withdraw, _PANEL, f"tenx withdraw {a_release}", f'tenx withdraw {a_release} --reason "a typo"')
    add_command(app, stop, _PANEL, f"tenx stop {a_release}", f"tenx stop {a_release} --stage dev")
    add_command(app, replay, _PANEL, f"tenx replay {a_release}", f"tenx replay {a_release} --partition 'Elm Court'")


def demo(
    path: OptionalInput = None,
    source: Source = None,
    as_of: AsOf = None,
    use_case: UseCase = _DEFAULT_USE_CASE,
    decision: Annotated[
        Choice, typer.Option(envvar="TENX_DECISION", show_envvar=False, help="What the demo's approver decides.")
    ] = Choice.approve,
    tenant: Annotated[
        str | None,
        typer.Option(
            envvar="TENX_TENANT",
            show_envvar=False,
            metavar="ID",
            help="The tenant whose prediction is shown in full (default: the likeliest of a few).",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed from which the data are generated.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Run the whole path on this machine: start, deploy, upload, train, decide, and ask the API.

    An approver of the demo's own decides, and everything stays up afterwards, until tenx down stops it.
    """
    from demo.batch import generated
    from demo.demo import demo as tell
    from operations.batch import read_input, use_case_folder
    from operations.errors import OperationError
    from operations.tenant_ids import checked_tenant_id
    from operations.up import up

    folder = use_case_folder(use_case)
    asked = None if tenant is None else checked_tenant_id(tenant, folder)
    printed = console(as_json=as_json)
    if path is not None:
        batch = read_input(path, folder, source, as_of)
        batch.named_files()
    elif source is not None or as_of is not None:
        raise OperationError(
            "a source or a time needs INPUT, because data are generated for the use case's default source and the last "
            "full hour: name your file or folder"
        )
    else:
        with printed.status("generating data"):
            batch = generated(folder, seed)
    figures = tell(up(printed), batch, decision.value, asked, printed)
    if as_json and figures is not None:
        print_document(figures)
    raise typer.Exit(1 if figures is None else 0)


def preview(
    path: Input,
    source: Source = None,
    as_of: AsOf = None,
    use_case: Annotated[
        str,
        typer.Option(
            envvar="TENX_USE_CASE",
            show_envvar=False,
            metavar="NAME",
            help="The use case: the name of a folder in use_cases/, or the path of a folder elsewhere.",
        ),
    ] = _DEFAULT_USE_CASE,
    rows: Annotated[
        int,
        typer.Option(
            min=1, envvar="TENX_ROWS", show_envvar=False, help="How many rows and tenants of each kind are shown."
        ),
    ] = 3,
    tenants: Annotated[
        list[str] | None,
        typer.Option(
            "--tenant", metavar="ID", help="Show the features of the tenant with this id. The option may be repeated."
        ),
    ] = None,
    no_train: NoTrain = False,
    as_json: AsJson = False,
) -> None:
    """Show what would be read from an input: files, mapped rows, rejected rows and features. Nothing is deployed.

    At the end it names the gates that would refuse a release, which does not change the exit code, because a sample
    of an export is often too small. The exit code is 1 when nobody in the input has the id that --tenant gives.
    """
    import os

    from operations.batch import read_input, use_case_folder
    from operations.preview import preview as show
    from operations.tenant_ids import checked_tenant_id

    typed = tenants or [each for each in [os.environ.get("TENX_TENANT", "")] if each]  # an id may hold spaces
    folder = use_case_folder(use_case, takes_path=True)
    asked = [checked_tenant_id(each, folder) for each in typed]
    batch = read_input(path, folder, source, as_of, train=not no_train)
    shown = show(batch, folder, asked, rows, console(as_json=as_json))
    if as_json:
        refusals = [{"code": code, "message": message} for code, message in shown.refusals]
        print_document({"data_quality": shown.quality, "refusals": refusals, "unknown_tenants": shown.unknown})
    raise typer.Exit(1 if shown.unknown else 0)


def upload(
    path: Input,
    source: Source = None,
    as_of: AsOf = None,
    use_case: UseCase = _DEFAULT_USE_CASE,
    no_train: NoTrain = False,
    append: Append = False,
    follows: Annotated[
        bool,
        typer.Option(
            "--follow/--no-follow", help="Follow the release to its end, or return as soon as it has started."
        ),
    ] = True,
    stage: Stage = None,
    stack: StackName = None,
    laptop: LaptopFolder = None,
    as_json: AsJson = False,
) -> None:
    """Upload an input, which starts a release, and follow the release. You decide by the link in the e-mail.

    With --no-train there is nothing to decide: the records get features, and the models of the live release answer.
    With --append, an export of a week or a day is enough: the events of earlier such uploads count as well.
    """
    from operations import releases
    from operations.batch import read_input, use_case_folder
    from operations.narrator import Narrator
    from operations.stack import StackChoice, find_stack

    batch = read_input(path, use_case_folder(use_case), source, as_of, train=not no_train, appends=append)
    batch.named_files()
    found = find_stack(StackChoice(stack, stage, laptop))
    printed = console(as_json=as_json)
    with printed.status("uploading") as line:
        narrator = Narrator(batch, printed, line).listener()
        arn = releases.start(found, batch, narrator.uploading)
        name = arn.rpartition(":")[2]
        narrator.started(name)
    document = {"batch": batch.name, "release": name, "execution": arn, "skipped": list(batch.skipped)}
    if not follows:
        decided = where_to_decide(found) if batch.trains else "Nobody is asked to decide."
        printed.print(f"Follow it with tenx follow {name}. {decided}", soft_wrap=True)
        if as_json:
            print_document(document)
        return
    done = follow_to_end(found, name, printed)
    if as_json:
        print_document({**document, **outcome_of(done)})
    raise typer.Exit(0 if done.execution["status"] == "SUCCEEDED" else 1)


def follow(
    release: Release,
    stage: Stage = None,
    stack: StackName = None,
    laptop: LaptopFolder = None,
    as_json: AsJson = False,
) -> None:
    """Follow a release to its end, state by state. The exit code is 0 when the release succeeded."""
    from operations.stack import StackChoice, find_stack

    done = follow_to_end(find_stack(StackChoice(stack, stage, laptop)), release, console(as_json=as_json))
    if as_json:
        print_document({"release": release, **outcome_of(done)})
    raise typer.Exit(0 if done.execution["status"] == "SUCCEEDED" else 1)


def stop(release: Release, stage: Stage = None, stack: StackName = None, laptop: LaptopFolder = None) -> None:
    """Stop a running release. What is served stays as it is."""
    from operations.releases import stop_release
    from operations.stack import StackChoice, find_stack

    stopped = stop_release(find_stack(StackChoice(stack, stage, laptop)), release)
    console().print(f"Release {release} was stopped." if stopped else f"Release {release} had ended before.")


def withdraw(
    release: Release,
    reason: Annotated[
        str,
        typer.Option(metavar="TEXT", help="Why; it is recorded, and everybody who was asked reads it."),
    ] = "It is not needed any more.",
    stage: Stage = None,
    stack: StackName = None,
    laptop: LaptopFolder = None,
) -> None:
    """Withdraw the request for a decision about a release. The release ends, and what is served stays as it is."""
    from operations.releases import withdraw as withdraw_release
    from operations.stack import StackChoice, find_stack

    withdraw_release(find_stack(StackChoice(stack, stage, laptop)), release, reason)
    console().print(f"The request for a decision about release {release} was withdrawn.")


def replay(
    release: Release,
    partition: Annotated[
        str,
        typer.Option(
            envvar="TENX_PARTITION",
            show_envvar=False,
            metavar="NAME",
            help="The partition whose model is trained again: a portfolio, or all.",
        ),
    ] = "all",
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="A folder with a copy of the data bucket, to be read instead of a stack's bucket."
        ),
    ] = None,
    stage: Stage = None,
    stack: StackName = None,
    laptop: LaptopFolder = None,
    as_json: AsJson = False,
) -> None:
    """Train a registered model again from its own record, and compare the two.

    The exit code is 0 when they are equal. Otherwise the command names what differs: the rows (a tenant may have been
    erased since), the settings, this code, or a library.
    """
    from operations.replay import replay as train_again
    from operations.stack import StackChoice, find_stack

    place = folder or find_stack(StackChoice(stack, stage, laptop))
    made = train_again(place, release, partition, console(as_json=as_json))
    if as_json:
        sides = {"registered": dict(made.recorded), "made_again": dict(made.rebuilt)}
        print_document({"release": release, "partition": partition, "differs": made.differs, **sides})
    raise typer.Exit(1 if made.differs else 0)


def follow_to_end(stack: Stack, name: str, printed: Console) -> FinishedRelease:
    """Follow a release and print how it ended."""
    from rich.markup import escape

    from operations.narrator import Narrator
    from operations.releases import follow_release, served_by
    from operations.watch import reason

    with printed.status("following") as line:
        narrator = Narrator(
            None, printed, line, waiting_for=f"This release waits for a decision. {where_to_decide(stack)}"
        )
        done = follow_release(stack, name, narrator.listener())
    status = done.execution["status"]
    if status == "SUCCEEDED":
        told = served_by(done) or ["`tenx status` shows what is live."]
        printed.print(f"\n[green]SUCCEEDED[/green]: {escape(' '.join(told))}", soft_wrap=True)
    elif done.execution.get("error") == "ReleaseRejected":
        printed.print(f"\nRelease {name} was rejected: what was served before is served still.")
    else:
        printed.print(f"\n[red]{status}[/red]")
        printed.print(reason(done.execution), markup=False, soft_wrap=True)
    return done


def where_to_decide(stack: Stack) -> str:
    """Where the e-mail with the link arrives."""
    place = "the approver's mailbox" if stack.laptop is None else stack.mailbox_url
    return f"The e-mail with the link to decide arrives in {place}"


def outcome_of(done: FinishedRelease) -> dict[str, object]:
    """How an execution ended, as a document."""
    return {
        "status": done.execution["status"],
        "error": done.execution.get("error"),
        "cause": done.execution.get("cause"),
        "states": done.visited,
    }
