"""The files of a use case, as they are in the ``UseCases`` layer."""

from __future__ import annotations

import sys
from pathlib import Path

from tenant_experience.errors import UserError

_SUFFIXES = {".yaml", ".sql"}


def find(name: str) -> dict[str, bytes]:
    """The files of the use case ``name``: path below its folder -> content.

    They are looked up in the folder ``use_cases`` of every place that Python imports from.

    Raises:
        UserError: ``unknown_use_case``; the message lists the known names.
    """
    folders = [Path(place) / "use_cases" for place in sys.path if place]
    for folder in folders:
        if (folder / name / "use_case.yaml").is_file():
            return {
                path.relative_to(folder / name).as_posix(): path.read_bytes()
                for path in sorted((folder / name).rglob("*"))
                if path.is_file() and path.suffix in _SUFFIXES
            }
    known = sorted(
        {path.parent.name for folder in folders if folder.is_dir() for path in folder.glob("*/use_case.yaml")}
    )
    raise UserError(
        f"there is no use case {name!r}; upload to raw/<use case>/, with one of: {', '.join(known) or '(none)'}",
        code="unknown_use_case",
    )
