"""The folder of the laptop's AWS, looked through file by file: what no API shows counts too."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from operations.erasure_findings import Place
from tenant_experience.erasure.file import PACKED, Eraser, Erasure

# The laptop's AWS writes its own state down within seconds.
_WRITTEN_WITHIN = 15


def look_through(folder: Path, eraser: Eraser, *, waits: bool) -> Place:
    """Looks for the tenant in every file; nothing is removed here, behind the back of a server that runs.

    Args:
        folder: of the laptop's AWS.
        eraser: of files of our own; raw files were looked into with their mapping, as objects.
        waits: whether what is found may be about to go.
    """
    deadline = time.monotonic() + (_WRITTEN_WITHIN if waits else 0)
    while (place := _look(folder, eraser)).found and time.monotonic() < deadline:
        time.sleep(1)
    return place


def _look(folder: Path, eraser: Eraser) -> Place:
    place = Place(f"folder {folder}", "files", more={"bytes": 0})
    with TemporaryDirectory(prefix="erasure-") as scratch:
        for path in sorted(folder.rglob("*")):
            try:
                if not path.is_file() or path.is_symlink():
                    continue
                found = _erase(path, eraser, Path(scratch) / "rewritten")
                place.count("bytes", path.stat().st_size)
            except FileNotFoundError:
                continue  # written or removed meanwhile
            place.units += 1
            place.found += found.removed
            if found.removed:
                place.changes.append(f"{eraser.erased.blot_out_name(str(path.relative_to(folder)))}: still there")
    return place


def _erase(path: Path, eraser: Eraser, target: Path) -> Erasure:
    content = path.read_bytes()
    if not content.startswith(PACKED) and not eraser.erased.may_be_in(content):
        return Erasure()  # most files: read once, and nothing more
    found = eraser.erase(path, path.name, target)
    if found.removed or not eraser.erased.is_distinctive or ".sqlite" not in path.name:
        return found
    # In a database's file texts are not kept apart.
    return Erasure(int(eraser.erased.may_be_in(content)))
