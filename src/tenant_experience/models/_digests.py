"""Digests in ``model.json``: of every file beside it, and of itself, so that damage is found before a file is read.

``files`` has the SHA-256 of each file of the model, and ``sha256`` is that of the document without this key. A document
with neither comes from a version that wrote none; its files are then read as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tenant_experience.data_layout import GROUPING_FILE, MODEL_FILE, NEXT_PERIOD_FILE

FILES, OWN = "files", "sha256"
_COVERED = (MODEL_FILE, GROUPING_FILE, NEXT_PERIOD_FILE)


def with_digests(document: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The document with the digests of the files that are in ``folder`` now, and its own."""
    covered = {**document, FILES: _of_files(folder)}
    return {**covered, OWN: _of_document(covered)}


def has_digests(document: Mapping[str, Any]) -> bool:
    """Whether the document says what it and the files beside it must be."""
    return FILES in document or OWN in document


def damage(document: Mapping[str, Any], folder: Path) -> str | None:
    """What differs from the digests, in words; None when nothing does, or when there are none."""
    if not has_digests(document):
        return None
    covered = {name: value for name, value in document.items() if name != OWN}
    if document.get(OWN) != _of_document(covered):
        return "its content differs from its own digest"
    expected, found = document.get(FILES), _of_files(folder)
    if expected != found:
        known = expected if isinstance(expected, dict) else {}
        names = sorted(name for name in {*known, *found} if known.get(name) != found.get(name))
        return f"{', '.join(names)[:200]} differs from its digest, or is there on one side only"
    return None


def _of_files(folder: Path) -> dict[str, str]:
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in _COVERED if (folder / name).is_file()
    }


def _of_document(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
