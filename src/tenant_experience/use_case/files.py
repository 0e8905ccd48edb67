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
    for folder in _folders():
        if (folder / name / "use_case.yaml").is_file():
            return {
                path.relative_to(folder / name).as_posix(): path.read_bytes()
                for path in sorted((folder / name).rglob("*"))
                if path.is_file() and path.suffix in _SUFFIXES
            }
    raise UserError(
        f"there is no use case {name!r}; upload to raw/<use case>/, with one of: {', '.join(names()) or '(none)'}",
        code="unknown_use_case",
    )


def names() -> list[str]:
    """The names of all use cases, sorted."""
    return sorted({path.parent.name for folder in _folders() for path in folder.glob("*/use_case.yaml")})


def _folders() -> list[Path]:
    places = (Path(place) / "use_cases" for place in sys.path if place)
    return [folder for folder in places if folder.is_dir()]
