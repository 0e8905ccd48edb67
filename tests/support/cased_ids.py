"""The shipped use case, in which ids that differ only in case are one id."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.places import USE_CASE_FOLDER


def use_case_without_case(folder: Path) -> Path:
    """Writes the use case below ``folder``."""
    copy = folder / "use_cases" / USE_CASE_FOLDER.name
    shutil.copytree(USE_CASE_FOLDER, copy)
    ignore_case(copy)
    return copy


def ignore_case(use_case: Path) -> None:
    """Declares in the use case in a folder that the case of ids does not count."""
    settings = use_case / "use_case.yaml"
    settings.write_text(settings.read_text().replace("record_id_case: sensitive", "record_id_case: insensitive"))
