"""Digests of a model, so that damage and exchange are found before a file is read.

In ``model.json``, ``files`` has the SHA-256 of each file beside it, and ``sha256`` is that of the document without this
key. A document with neither comes from a version that wrote none; its files are then read as they are.

Whoever changes the files can change these digests too. So the SHA-256 of ``model.json`` as a file is the model's digest
outside the archive: it covers all the rest, and ``sha256sum model.json`` prints it. EvaluateModel computes it, the
registry and the release pointer carry it, and the endpoint answers only from a model that has it (decision 18).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tenant_experience.data_layout import (
    GROUPING_FILE,
    MODEL_FILES,
    MODEL_MANIFEST,
    NEXT_PERIOD_FILE,
    VALIDATION_FILE,
    YARDSTICK_FILE,
)
from tenant_experience.errors import PlatformError

FILES, OWN = "files", "sha256"
# In the custom attributes of a request: the digest of the model that the caller expects.
EXPECTED_DIGEST = "model-json-sha256"
_COVERED = (*MODEL_FILES, GROUPING_FILE, NEXT_PERIOD_FILE, YARDSTICK_FILE, VALIDATION_FILE)


class ModelDiffersError(PlatformError):
    """A model is not the one that was registered. Another attempt would find the same, so nothing retries it."""


def digest_of(manifest: bytes) -> str:
    """The model's digest, from the bytes of its ``model.json``."""
    return hashlib.sha256(manifest).hexdigest()


def packed_digest(folder: Path) -> str:
    """The digest of a model that is about to be packed; empty when its ``model.json`` covers no other file."""
    content = (folder / MODEL_MANIFEST).read_bytes()
    return digest_of(content) if has_digests(json.loads(content)) else ""


def difference(folder: Path, expected: str) -> str | None:
    """How the unpacked model differs from the one with the digest ``expected``, in words; None when it is that one."""
    try:
        content = (folder / MODEL_MANIFEST).read_bytes()
    except FileNotFoundError:
        return f"{MODEL_MANIFEST} is missing"
    found = digest_of(content)
    if found != expected:
        return f"the SHA-256 of its {MODEL_MANIFEST} is {found} instead of {expected}"
    return damage(json.loads(content), folder)


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
    return {name: _of_file(folder / name) for name in _COVERED if (folder / name).is_file()}


def _of_file(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _of_document(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
