"""S3 objects below a delete marker: their bytes are kept with their versions only.

MiniStack leaves the last version's file in the object's place, even when that version is deleted afterwards.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ministack.services import s3

_persist_delete_marker = s3._persist_delete_marker


def install() -> None:
    """Wrap the function that writes a delete marker to disk."""
    s3._persist_delete_marker = _persist_and_empty


def _persist_and_empty(bucket: str, key: str, marker: dict[str, Any]) -> None:
    _persist_delete_marker(bucket, key, marker)
    path = s3._object_disk_path(bucket, key)
    if path is not None and Path(path).is_file():
        Path(path).write_bytes(b"")
