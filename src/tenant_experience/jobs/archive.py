"""Model archives: written reproducibly, and read without trusting their content."""

from __future__ import annotations

import errno
import gzip
import shutil
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from tenant_experience.errors import PlatformError

# The archive of a shard holds a few files for each of at most a thousand partitions.
MEMBER_LIMIT = 10_000
BYTES_LIMIT = 4 << 30
_NO_NAME = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EILSEQ)


def write_archive(path: Path, files: Sequence[Path]) -> None:
    """Packs files, in the order of their names, at the root of a tar.gz. The same contents always give the same bytes.

    Args:
        path: the archive; its folder is created when it is missing.
        files: with distinct names.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for file in sorted(files, key=lambda file: file.name):
            member = tarfile.TarInfo(file.name)
            member.size = file.stat().st_size
            member.mode = 0o644
            with file.open("rb") as content:
                archive.addfile(member, content)


def extract_archive(path: Path, folder: Path, member_limit: int = MEMBER_LIMIT, bytes_limit: int = BYTES_LIMIT) -> None:
    """Unpacks a tar.gz of plain files and folders into ``folder``.

    Raises:
        PlatformError: ``unsafe_archive`` for links, devices, names that lead outside, or content beyond the limits;
            ``corrupt_archive`` when it cannot be read.
    """
    try:
        with tarfile.open(path, mode="r:gz") as archive:
            members, total = 0, 0
            for member in archive:
                members, total = members + 1, total + member.size
                if not (member.isreg() or member.isdir()):
                    raise PlatformError(f"{path}: {member.name} is neither file nor folder", code="unsafe_archive")
                if members > member_limit or total > bytes_limit:
                    raise PlatformError(
                        f"{path} holds more than {member_limit} members or {bytes_limit} bytes", code="unsafe_archive"
                    )
                if not _write_member(archive, member, folder.resolve()):
                    raise PlatformError(f"{path}: {member.name!r:.200} is no name in a folder", code="unsafe_archive")
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise PlatformError(f"{path} cannot be read: {error}", code="corrupt_archive") from error


def _write_member(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> bool:
    """Writes a file or a folder; False for a name that leads outside or that nothing can have beside the others.

    The first releases of Python 3.11, which some systems still come with, know no ``filter="data"``. Nothing else
    than files and folders is written, so that no link of the archive can be on the way.
    """
    if "\0" in member.name:
        return False
    try:
        target = (root / member.name.lstrip("/")).resolve()
        if not target.is_relative_to(root):
            return False
        content = archive.extractfile(member)
        if content is None:
            target.mkdir(parents=True, exist_ok=True)
            return True
        if target == root:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("wb") as file:
            shutil.copyfileobj(content, file)
    except OSError as error:
        if error.errno not in _NO_NAME:  # such as a full disk
            raise
        return False
    return True
