"""A model is known from outside by the SHA-256 of its model.json, which covers every other file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tenant_experience.models.digests import difference, packed_digest
from tests.support.registered_model import rewrite, sha256_of_manifest, write_files


def exchange(folder: Path) -> None:
    (folder / "model.ubj").write_bytes(b"another booster")
    rewrite(folder)


def strip(folder: Path) -> None:
    (folder / "model.json").write_text(json.dumps({"version": "r1"}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (exchange, "the SHA-256 of its model.json is "),
        (lambda folder: rewrite(folder, threshold=0.9), "the SHA-256 of its model.json is "),
        (strip, "the SHA-256 of its model.json is "),
        (lambda folder: (folder / "model.json").write_bytes(b""), "the SHA-256 of its model.json is "),
        (lambda folder: (folder / "model.json").write_bytes(b"\xff{"), "the SHA-256 of its model.json is "),
        (lambda folder: (folder / "model.json").unlink(), "model.json is missing"),
        (lambda folder: (folder / "model.ubj").write_bytes(b"another booster"), "model.ubj differs from its digest"),
        (lambda folder: (folder / "model.ubj").unlink(), "model.ubj differs from its digest"),
        (lambda folder: (folder / "grouping.json").write_text("[]"), "grouping.json differs from its digest"),
        (lambda folder: (folder / "grouping.json").unlink(), "grouping.json differs from its digest"),
        (lambda folder: (folder / "next_period.json").write_text("{}"), "next_period.json differs from its digest"),
    ],
)
def test_whatever_is_changed_is_noticed_even_with_digests_that_fit(
    tmp_path: Path, change: Callable[[Path], object], words: str
) -> None:
    folder = write_files(tmp_path / "m")
    digest = packed_digest(folder)
    assert digest == sha256_of_manifest(folder)
    assert difference(folder, digest) is None
    change(folder)
    found = difference(folder, digest)
    assert found is not None
    assert words in found


def test_a_manifest_that_covers_no_file_gives_no_digest_to_register(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "m")
    strip(folder)
    assert packed_digest(folder) == ""
