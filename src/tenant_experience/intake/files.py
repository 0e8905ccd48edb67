"""Finds the files of a batch, and those inside its archives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from tenant_experience.data_layout import MANIFEST
from tenant_experience.errors import UserError
from tenant_experience.intake._zip import has_member, printable, skipped_members, unpack_zip
from tenant_experience.intake.formats import ZIP, RawFile, check_content, check_signature, recognise
from tenant_experience.intake.skipped import is_skipped, not_read
from tenant_experience.use_case.source import Source

_OUTCOMES = "outcomes"
Chosen = Callable[[str], bool]


def is_outcomes(name: str) -> bool:
    """Whether a file holds outcomes: it, or a folder or an archive that it is in, is named so, whatever the suffix."""
    return any(part.partition(".")[0].lower() == _OUTCOMES for part in PurePosixPath(name.replace("\\", "/")).parts)


def is_no_outcomes(name: str) -> bool:
    """Whether a file belongs to the batch itself, where the use case has outcomes."""
    return not is_outcomes(name)


def is_any(_name: str) -> bool:
    """Chooses every file."""
    return True


def find_raw_files(folder: Path, source: Source, scratch: Path, chosen: Chosen = is_any) -> list[RawFile]:
    """Finds every data file below ``folder``, in order of their names.

    ``manifest.json`` and files or folders whose names begin with ``.`` or ``_`` are skipped.

    Args:
        folder: the downloaded batch.
        source: says which columns the files should have, and in which encoding they are.
        scratch: archives are unpacked here.
        chosen: whether the file with this name in the batch is wanted; the others are passed over.

    Raises:
        UserError: ``no_files``, ``unknown_extension``, ``empty_file``, ``wrong_file_type`` or ``corrupt_file``, or an
            error of :func:`unpack_zip`; the message names the file and the columns it should have.
    """
    wanted = f"expected columns: {', '.join(source.raw_columns())}"
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_bookkeeping(path, folder))
    if not paths:
        skipped = skipped_files(folder)
        also = f"{not_read(skipped)}. Give data files other names" if skipped else wanted
        raise UserError(f"the batch has no data files beside {MANIFEST}; {also}", code="no_files")
    files: list[RawFile] = []
    for place, path in enumerate(paths):
        name = printable(path.relative_to(folder).as_posix())
        if name.lower().endswith(ZIP):
            if not has_member(path, name, chosen):
                continue
            check_signature(path, name, ZIP, "a zip archive", wanted)
            parts = unpack_zip(path, name, scratch / f"unpacked_{place}")
        else:
            parts = [(path, name)]
        for part, part_name in parts:
            if not chosen(part_name):
                continue
            files.append(recognise(part, part_name, len(files), wanted))
            check_content(files[-1], source.csv.encoding, wanted)
    if not files:
        raise UserError(
            f"the batch has no data files beside {MANIFEST} and the {_OUTCOMES}: the events, or the table, that these "
            f"belong to are missing; {wanted}",
            code="no_files",
        )
    return files


def has_outcomes(folder: Path) -> bool:
    """Whether a file below ``folder``, or in one of its archives, holds outcomes."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not _is_bookkeeping(path, folder))
    names = ((path, printable(path.relative_to(folder).as_posix())) for path in paths)
    return any(
        has_member(path, name, is_outcomes) if name.lower().endswith(ZIP) else is_outcomes(name) for path, name in names
    )


def skipped_files(folder: Path) -> list[str]:
    """The files below ``folder``, and those in its archives, that :func:`find_raw_files` passes over.

    ``manifest.json`` is not one of them, because it is read as something else.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    skipped = []
    for path in paths:
        name = printable(path.relative_to(folder).as_posix())
        if _is_bookkeeping(path, folder):
            skipped.append(name)
        elif name.lower().endswith(ZIP):
            skipped += skipped_members(path, name)
    return skipped


def _is_bookkeeping(path: Path, folder: Path) -> bool:
    return path == folder / MANIFEST or is_skipped(path.relative_to(folder).as_posix())
