"""``python -m operations``: the operator's commands."""

from __future__ import annotations

import argparse
import sys
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape

from operations import backfill, erase, preview, replay
from operations.account import StackError
from tenant_experience.errors import TenantExperienceError


class Command(Protocol):
    """A module of one command; its docstring is the help."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The command's words."""

    def run(self, options: argparse.Namespace, console: Console) -> int:
        """Do it; the exit code."""


COMMANDS: dict[str, Command] = {
    "backfill": backfill,
    "erase": erase,
    "preview": preview,
    "replay": replay,
}


def main(arguments: list[str] | None = None) -> int:
    """Parse, run, and say in one place what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m operations", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in COMMANDS.items():
        summary = (module.__doc__ or "").partition("\n")[0]
        module.add_arguments(commands.add_parser(name, help=summary, description=module.__doc__))
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    try:
        return COMMANDS[options.command].run(options, console)
    except (StackError, TenantExperienceError, ClientError, BotoCoreError) as error:
        console.print(f"[red]Stopped:[/red] {escape(str(error))}", soft_wrap=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
