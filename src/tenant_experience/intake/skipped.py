"""Files of a batch that are no data, because programs keep their own notes in them: they are not read, but named."""

from __future__ import annotations

from collections.abc import Sequence

_NAMED_FILES = 5


def is_skipped(name: str) -> bool:
    """Whether a file is passed over: its name or that of one of its folders begins with ``.`` or ``_``.

    Windows writes the folders of an archive with a backslash.
    """
    return any(part.startswith((".", "_")) for part in name.replace("\\", "/").split("/"))


def not_read(skipped: Sequence[str]) -> str:
    """Says how many files were passed over, why, and which. There must be at least one."""
    why = "1 file was not read, because its name, or that of its folder, begins with . or _"
    if len(skipped) > 1:
        why = f"{len(skipped)} files were not read, because their names, or those of their folders, begin with . or _"
    more = len(skipped) - _NAMED_FILES
    return f"{why}: {', '.join(skipped[:_NAMED_FILES])}{f' and {more} more' if more > 0 else ''}"
