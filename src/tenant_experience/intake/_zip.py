"""Unpacks zip archives of raw files without trusting them."""

from __future__ import annotations

import lzma
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from tenant_experience.errors import UserError
from tenant_experience.intake.skipped import is_skipped, not_read

# An export has a file for each table or month; an archive with more members than this is not an export.
MEMBER_LIMIT = 1_000
# A processing instance has a volume of 30 GB, which must also hold the archive and what does not fit in memory.
BYTES_LIMIT = 8 << 30
# Logs shrink to a tenth or a thirtieth of their size. A large archive that shrinks more was made to fill the disk.
RATIO_LIMIT = 200
RATIO_COUNTS_FROM_BYTES = 100 << 20
_ENCRYPTED = 0x1
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError)


def unpack_zip(path: Path, name: str, folder: Path) -> list[tuple[Path, str]]:
    """Unpacks the files of an archive into ``folder``, under names of our own.

    Files in folders are included; files and folders whose names begin with ``.`` or ``_`` (``__MACOSX``) are skipped.

    Args:
        path: the archive.
        name: the name of the archive in messages.
        folder: is created; must not exist.

    Returns:
        The path of each file, and its name in messages (``archive.zip/folder/member.csv``); in order of the names.

    Raises:
        UserError: ``corrupt_file`` (also for a wrong checksum), ``unsafe_archive`` when a limit is exceeded,
            ``encrypted_archive``, ``nested_archive``, or ``empty_file`` when there is no file in it.
    """
    folder.mkdir()
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not _is_folder(info) and not is_skipped(info.filename)]
            _check_members(members, path, name)
            unpacked = []
            for place, info in enumerate(sorted(members, key=lambda info: info.filename)):
                target = folder / f"{place:06d}"
                with archive.open(info) as content, target.open("wb") as copy:
                    shutil.copyfileobj(content, copy)
                unpacked.append((target, f"{name}/{printable(info.filename)}"))
    except NotImplementedError as error:
        raise UserError(f"{name} cannot be read, its compression is unknown: {error}", code="corrupt_file") from error
    except _DAMAGE as error:
        raise UserError(f"{name} is a damaged zip archive: {printable(str(error))}", code="corrupt_file") from error
    return unpacked


def skipped_members(path: Path, name: str) -> list[str]:
    """The names of the files in an archive that :func:`unpack_zip` passes over."""
    with zipfile.ZipFile(path) as archive:
        members = sorted(info.filename for info in archive.infolist() if not _is_folder(info))
    return [f"{name}/{printable(member)}" for member in members if is_skipped(member)]


def has_member(path: Path, name: str, chosen: Callable[[str], bool]) -> bool:
    """Whether an archive holds a file that is chosen by its name in messages; one that holds none goes by its own name.

    A damaged archive goes by its own name, too: :func:`unpack_zip` says what is wrong with it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info.filename for info in archive.infolist() if not _is_folder(info)]
    except (*_DAMAGE, NotImplementedError):  # unpack_zip refuses the archive by name, whatever it is taken for here
        members = []
    read = [f"{name}/{printable(member)}" for member in members if not is_skipped(member)]
    return any(map(chosen, read)) if read else chosen(name)


def _is_folder(info: zipfile.ZipInfo) -> bool:
    """As ``ZipInfo.is_dir``, which fails on a member that has no name."""
    return info.filename.endswith("/")


def printable(text: str) -> str:
    """A file name without characters that would control a terminal or a log, or that are not Unicode."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _check_members(members: list[zipfile.ZipInfo], path: Path, name: str) -> None:
    if not members:
        skipped = skipped_members(path, name)
        why = not_read(skipped) if skipped else "the archive is empty"
        raise UserError(f"{name} contains no files that are read: {why}", code="empty_file")
    for info in members:
        if info.flag_bits & _ENCRYPTED:
            raise UserError(
                f"{name}/{printable(info.filename)} is encrypted: send it without a password", code="encrypted_archive"
            )
        if info.filename.lower().endswith(".zip"):
            raise UserError(
                f"{name}/{printable(info.filename)} is an archive inside an archive: unpack the outer one",
                code="nested_archive",
            )
    # A member cannot unpack to more than the size it declares: reading stops there, and the checksum is then wrong.
    size = sum(info.file_size for info in members)
    if len(members) > MEMBER_LIMIT or size > BYTES_LIMIT:
        raise UserError(
            f"{name} contains {len(members)} files, {size} bytes; at most {MEMBER_LIMIT} files and {BYTES_LIMIT} bytes "
            "are unpacked: send the files without an archive, or several archives in several batches",
            code="unsafe_archive",
        )
    if size > max(RATIO_COUNTS_FROM_BYTES, RATIO_LIMIT * path.stat().st_size):
        raise UserError(
            f"{name} would unpack to {size} bytes, more than {RATIO_LIMIT} times its size", code="unsafe_archive"
        )
