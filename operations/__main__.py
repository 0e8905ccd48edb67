"""The operator's commands, for a stack on the laptop's AWS or in an AWS account."""

from __future__ import annotations

import argparse
import sys
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape

from operations import backfill, erase, preview, replay, up
from operations.errors import OperationError
from tenant_experience.errors import TenantExperienceError


class Command(Protocol):
    """The module of one command. Its docstring is the command's help."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments."""

    def run(self, options: argparse.Namespace, console: Console) -> int:
        """Run the command; returns the exit code."""


COMMANDS: dict[str, Command] = {
    "backfill": backfill,
    "erase": erase,
    "preview": preview,
    "replay": replay,
    "up": up,
}


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments, run the command, and report errors in one place."""
    parser = argparse.ArgumentParser(prog="python -m operations", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in COMMANDS.items():
        summary = (module.__doc__ or "").partition("\n")[0]
        module.add_arguments(commands.add_parser(name, help=summary, description=module.__doc__))
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    try:
        return COMMANDS[options.command].run(options, console)
    except (OperationError, TenantExperienceError, ClientError, BotoCoreError) as error:
        console.print(f"[red]Stopped:[/red] {escape(str(error))}", soft_wrap=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
