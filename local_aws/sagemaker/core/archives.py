"""``model.tar.gz``: packed like SageMaker does, and unpacked so that it can only write into its folder."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path

# The first releases of Python 3.11, which some systems still come with, know no filter of members.
from backports import tarfile

_MAXIMUM_BYTES = 20 * 1024**3


class ArchiveError(Exception):
    """The file is no archive, or must not be unpacked."""


def pack(folders: Sequence[Path], archive: Path) -> None:
    """Pack the content of folders into one gzipped tar, names relative to each; of two equal names the first."""
    seen: set[str] = set()
    with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
        for folder in folders:
            for entry in sorted(folder.rglob("*")):
                name = entry.relative_to(folder).as_posix()
                if name not in seen:
                    seen.add(name)
                    tar.add(entry, arcname=name, recursive=False)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack into ``folder``, which appears complete or not at all.

    Raises:
        ArchiveError: it is not a gzipped tar, is cut short, is too large, or has a member that would leave the folder.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            total = 0
            for member in tar:
                total += member.size
                if total > _MAXIMUM_BYTES:
                    raise ArchiveError(f"it holds more than {_MAXIMUM_BYTES} bytes")
                tar.extract(member, partial, filter="data")
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise ArchiveError(str(error)) from error
    partial.rename(folder)
