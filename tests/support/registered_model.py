"""A small model as EvaluateModel packs it, without XGBoost: its files, its digest, and ways of changing its archive."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tenant_experience.jobs.archive import write_archive
from tenant_experience.models.digests import with_digests


def write_files(folder: Path, booster: bytes = b"a booster") -> Path:
    """The files of a model; ``model.json`` has their digests."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.ubj").write_bytes(booster)
    (folder / "grouping.json").write_text("{}")
    (folder / "model.json").write_text(json.dumps(with_digests({"version": "r1"}, folder)))
    return folder


def sha256_of_manifest(folder: Path) -> str:
    """As ``sha256sum model.json`` prints it."""
    return hashlib.sha256((folder / "model.json").read_bytes()).hexdigest()


def pack(folder: Path, archive: Path) -> Path:
    """The folder's files as an archive."""
    write_archive(archive, list(folder.iterdir()))
    return archive


def rewrite(folder: Path, **changes: Any) -> None:
    """Changes ``model.json`` and makes its digests fit, as somebody would who wants the change to go unnoticed."""
    document = json.loads((folder / "model.json").read_text()) | changes
    document = {name: value for name, value in document.items() if name not in ("files", "sha256")}
    (folder / "model.json").write_text(json.dumps(with_digests(document, folder)))
