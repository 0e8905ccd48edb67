"""How the help of a command is laid out: its docstring, and examples one below another."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import typer


def add_command(
    app: typer.Typer, function: Callable[..., None], panel: str, *examples: str, name: str | None = None
) -> None:
    """Add a command named like its function, or by another name.

    Args:
        app: the program.
        function: its docstring is the command's help; lines of one paragraph are joined, so that they wrap as one.
        panel: the heading above the command in the list of all commands.
        examples: whole command lines.
        name: the command's, where Python needs the word for itself.
    """
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    epilog = "\n\n".join(("[bold]Examples[/bold]", *examples))
    app.command(name, help=text, epilog=epilog, rich_help_panel=panel)(function)
