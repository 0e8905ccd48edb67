"""Where a command prints: sentences for people and one document for machines."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console(*, as_json: bool = False, is_error: bool = False) -> Console:
    """The console for people: stdout, or stderr when stdout belongs to a machine."""
    from rich.console import Console

    stream = sys.stderr if as_json or is_error else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 120, highlight=False)


def print_document(document: object) -> None:
    """Print the one JSON document of a command to stdout."""
    sys.stdout.write(json.dumps(document, indent=2, default=str, ensure_ascii=False) + "\n")
