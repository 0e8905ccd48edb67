"""The options and arguments that several commands share.

Each can also be given by an environment variable, ``TENX_`` and its name in capitals. The make targets use these, so
that no shell and no second expansion touches a value.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

_WHICH_STACK = "Which stack"


def existing_path(text: str) -> Path:
    """A path that was typed; an empty one would be the current folder."""
    if not text.strip():
        raise typer.BadParameter("it is empty: give a file or a folder")
    return Path(text)


def moment(text: str) -> datetime:
    """A moment with a time zone, in UTC."""
    from tenant_experience.use_case.manifest import parse_utc

    try:
        return parse_utc(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a time with a zone: write it as 2026-11-20T00:00:00Z") from None


def day(text: str) -> date:
    """A date."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date: write it as 2026-01-31") from None


def days(text: str) -> timedelta:
    """A number of days such as ``30d``."""
    from operations.backfill import parse_days

    try:
        return parse_days(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _use_cases(incomplete: str) -> list[str]:
    from operations.batch import USE_CASES

    return [each.parent.name for each in USE_CASES.glob("*/use_case.yaml") if each.parent.name.startswith(incomplete)]


def _sources(incomplete: str) -> list[str]:
    from operations.batch import USE_CASES

    return sorted({each.stem for each in USE_CASES.glob("*/sources/*.yaml") if each.stem.startswith(incomplete)})


def _stages(incomplete: str) -> list[str]:
    return [each for each in ("local", "dev", "prod") if each.startswith(incomplete)]


Stage = Annotated[
    str | None,
    typer.Option(
        envvar="TENX_STAGE",
        show_envvar=False,
        metavar="NAME",
        rich_help_panel=_WHICH_STACK,
        autocompletion=_stages,
        help="A stage of samconfig.toml: local is the laptop's AWS, and the others are in your AWS account.",
    ),
]
StackName = Annotated[
    str | None,
    typer.Option(
        "--stack",
        envvar="TENX_STACK",
        show_envvar=False,
        metavar="NAME",
        rich_help_panel=_WHICH_STACK,
        help="The stack's name, if it is not the one that samconfig.toml gives the stage.",
    ),
]
LaptopFolder = Annotated[
    Path | None,
    typer.Option(
        "--laptop",
        metavar="FOLDER",
        rich_help_panel=_WHICH_STACK,
        help="The state folder of the laptop's AWS "
        "(default: .local/aws, if it is running and no account is configured).",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document to stdout; everything else goes to stderr.")
]
Input = Annotated[
    Path,
    typer.Argument(
        parser=existing_path,
        envvar="TENX_INPUT",
        show_envvar=False,
        metavar="INPUT",
        help="A file, or a folder of files. The folder may have a manifest.json.",
    ),
]
OptionalInput = Annotated[
    Path | None,
    typer.Argument(
        parser=existing_path,
        envvar="TENX_INPUT",
        show_envvar=False,
        metavar="INPUT",
        show_default="generated data of the use case",
        help="A file, or a folder of files. The folder may have a manifest.json.",
    ),
]
Source = Annotated[
    str | None,
    typer.Option(
        envvar="TENX_SOURCE",
        show_envvar=False,
        metavar="NAME",
        autocompletion=_sources,
        help="How to read the input: the name of a file in the use case's sources/, without .yaml "
        "(default: what the manifest says, or else the use case).",
    ),
]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        parser=moment,
        envvar="TENX_AS_OF",
        show_envvar=False,
        metavar="TIME",
        help="The moment that the features describe, such as 2026-11-20T00:00:00Z "
        "(default: what the manifest says, or else now).",
    ),
]
UseCase = Annotated[
    str,
    typer.Option(
        envvar="TENX_USE_CASE",
        show_envvar=False,
        metavar="NAME",
        autocompletion=_use_cases,
        help="The use case: the name of a folder in use_cases/.",
    ),
]
NoTrain = Annotated[
    bool,
    typer.Option(
        "--no-train",
        envvar="TENX_NO_TRAIN",
        show_envvar=False,
        help='Train nothing: the live release answers for these records, which need no labels ("train": false).',
    ),
]
Append = Annotated[
    bool,
    typer.Option(
        "--append",
        help='Add the events to those of earlier such batches ("mode": "append"), but for one of the same name.',
    ),
]
Release = Annotated[
    str,
    typer.Argument(
        envvar="TENX_RELEASE", show_envvar=False, metavar="RELEASE", help="A release's id, such as 20261120-3f9a2c1."
    ),
]
