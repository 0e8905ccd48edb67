"""``model.tar.gz``: packed as SageMaker packs it, unpacked so that it can write nowhere but its folder."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from pathlib import Path

_MAXIMUM_BYTES = 20 * 1024**3


class ArchiveError(Exception):
    """Not an archive, or not one that may be unpacked."""


def pack(folder: Path, archive: Path) -> None:
    """Everything in ``folder`` as a gzipped tar, names relative to it."""
    with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
        for entry in sorted(folder.iterdir()):
            tar.add(entry, arcname=entry.name)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack into ``folder``, which appears whole or not at all.

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
