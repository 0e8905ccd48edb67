"""The commands about stored data: ``erase`` and ``backfill``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta
from typing import Annotated

import typer

from tenx.help import add_command
from tenx.options import AsJson, LaptopFolder, StackName, Stage, UseCase, day, days
from tenx.output import console, print_document

_PANEL = "Stored data"
_DEFAULT_USE_CASE = "tenant_experience"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    add_command(
        app, erase, _PANEL, "tenx erase T000014 --dry-run", "tenx erase T000014 --wait", "tenx erase -- -an-odd-id"
    )
    dates = "--from 2026-01-01 --to 2026-06-01"
    add_command(
        app,
        backfill,
        _PANEL,
        f"tenx backfill {dates}",
        f"tenx backfill {dates} --every 7d --batch export-20261120T093000-3f9a",
    )


def erase(
    tenant: Annotated[
        str,
        typer.Argument(
            envvar="TENX_TENANT", show_envvar=False, metavar="TENANT", help="The tenant's id, as in the API."
        ),
    ],
    use_case: UseCase = _DEFAULT_USE_CASE,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", envvar="TENX_DRY_RUN", show_envvar=False, help="Search only; remove nothing.")
    ] = False,
    waits: Annotated[
        bool,
        typer.Option(
            "--wait",
            envvar="TENX_WAIT",
            show_envvar=False,
            help="Wait until running releases have ended, instead of refusing to begin.",
        ),
    ] = False,
    stage: Stage = None,
    stack: StackName = None,
    laptop: LaptopFolder = None,
    as_json: AsJson = False,
) -> None:
    """Remove a tenant from everything the stack keeps, and prove it. The exit code is 0 when nothing is left.

    It searches every version of every object in the buckets, the online store, the tables and the logs; on a laptop
    also the state folder of its AWS. Afterwards it searches everything again. The proof in the data bucket lists what
    was found and removed, without the tenant's id.
    """
    from operations.batch import use_case_folder
    from operations.erase import erase as remove
    from operations.stack import StackChoice, find_stack
    from operations.tenant_ids import checked_tenant_id

    checked_tenant_id(tenant)
    use_case_folder(use_case)
    found = find_stack(StackChoice(stack, stage, laptop))
    done = remove(found, tenant, use_case, console(as_json=as_json), dry_run=dry_run, waits=waits)
    if as_json:
        print_document(asdict(done))
    raise typer.Exit(0 if done.is_complete else 1)


def backfill(
    first: Annotated[
        date,
        typer.Option(
            "--from",
            parser=day,
            envvar="TENX_FROM",
            show_envvar=False,
            metavar="DATE",
            help="The first date, such as 2026-01-01.",
        ),
    ],
    last: Annotated[
        date,
        typer.Option(
            "--to",
            parser=day,
            envvar="TENX_TO",
            show_envvar=False,
            metavar="DATE",
            help="The last date, which is included.",
        ),
    ],
    every: Annotated[
        timedelta | None,
        typer.Option(
            parser=days,
            envvar="TENX_EVERY",
            show_envvar=False,
            metavar="DAYS",
            show_default="30d",
            help="The number of days between two dates, such as 7d.",
        ),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            envvar="TENX_BATCH",
            show_envvar=False,
            metavar="NAME",
            show_default="the newest",
            help="The batch: the name of a folder below raw/<use case>/.",
        ),
    ] = None,
    use_case: UseCase = _DEFAULT_USE_CASE,
    stage: Stage = None,
    stack: StackName = None,
    laptop: LaptopFolder = None,
    as_json: AsJson = False,
) -> None:
    """Record the features of a batch as they were known at earlier dates, in the offline Feature Store only.

    Nothing is trained, and what is served does not change. A date that was recorded before is not recorded again, and a
    date that is refused does not stop the others. The exit code is 0 when all dates succeeded.
    """
    from operations import backfill as operation
    from operations.batch import use_case_folder
    from operations.stack import StackChoice, find_stack

    dates = operation.dates_between(first, last, every or timedelta(days=30))
    use_case_folder(use_case)
    printed = console(as_json=as_json)
    ended = operation.backfill(find_stack(StackChoice(stack, stage, laptop)), use_case, batch, dates, printed)
    operation.show_snapshots(ended, printed)
    if as_json:
        print_document([asdict(each) for each in ended])
    raise typer.Exit(0 if all(each.status == "SUCCEEDED" for each in ended) else 1)
