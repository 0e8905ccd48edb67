"""Searches the state folder of the laptop's AWS file by file, because an API does not show everything."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from operations.erasure.findings import Place
from tenant_experience.erasure.file import PACKED, Eraser, Erasure

# The laptop's AWS writes its state to disk within seconds; a busy machine takes longer.
_WRITTEN_WITHIN = 60


def search(folder: Path, eraser: Eraser, *, waits: bool) -> Place:
    """Look for the tenant in every file. Nothing is removed here, because the running server owns these files.

    Args:
        folder: the state folder of the laptop's AWS.
        eraser: the one for files that are not part of a batch; raw files are searched as objects, with their mapping.
        waits: whether to look again for a while, because what was just removed leaves the disk a little later.
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
                continue  # removed while the folder was read
            place.units += 1
            place.found += found.removed
            if found.removed:
                place.changes.append(f"{eraser.erased.blot_out_name(str(path.relative_to(folder)))}: still there")
    return place


def _erase(path: Path, eraser: Eraser, target: Path) -> Erasure:
    content = path.read_bytes()
    if not content.startswith(PACKED) and not eraser.erased.may_be_in(content):
        return Erasure()  # true for most files, and quick
    found = eraser.erase(path, path.name, target)
    if found.removed or not eraser.erased.is_distinctive or ".sqlite" not in path.name:
        return found
    # A database file does not keep texts apart.
    return Erasure(int(eraser.erased.may_be_in(content)))
