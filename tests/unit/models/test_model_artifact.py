from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tenant_experience.errors import PlatformError, UserError
from tenant_experience.jobs.archive import extract_archive, write_archive
from tenant_experience.models.artifact import ModelManifest, TrainingRecord, read_manifest

MANIFEST = ModelManifest(
    partition="all",
    slug="all",
    version="r1",
    trainer="xgboost",
    features=("a", "b"),
    scale="global",
    as_of="2026-11-01T00:00:00Z",
    hyperparameters={"max_depth": 4},
    code_version="1",
)


def test_a_manifest_comes_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "model.ubj").write_bytes(b"")
    MANIFEST.write(tmp_path)
    assert read_manifest(tmp_path) == MANIFEST


def test_a_record_of_an_earlier_version_calls_feature_dropout_masking(tmp_path: Path) -> None:
    record = TrainingRecord(
        data_sha256="0",
        seed=1,
        feature_dropout=0.3,
        rounds=2,
        validation_loss=0.1,
        train_rows=3,
        validation_rows=4,
        left_out_features=(),
        libraries={},
    )
    manifest = MANIFEST.model_copy(update={"training": record})
    (tmp_path / "model.ubj").write_bytes(b"")
    manifest.write(tmp_path, digests=False)
    path = tmp_path / "model.json"
    assert '"feature_dropout": 0.3' in path.read_text()
    path.write_text(path.read_text().replace("feature_dropout", "masking"))
    assert read_manifest(tmp_path) == manifest


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"format": 1', '"format": 2', "format: Input should be 1"),
        ('"scale": "global"', '"scale": "huge"', "scale: "),
        ('"a",', '"b",', "features: .*named twice"),
        ("{", "", "document: Invalid JSON"),
    ],
)
def test_a_manifest_of_another_kind_is_refused_by_name(tmp_path: Path, old: str, new: str, named: str) -> None:
    (tmp_path / "model.ubj").write_bytes(b"")
    MANIFEST.write(tmp_path)
    path = tmp_path / "model.json"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=named) as refusal:
        read_manifest(tmp_path)
    assert refusal.value.code == "model_manifest"


@pytest.mark.parametrize(
    "change",
    [
        {"labels": ("good",)},
        {"labels": ("good", "good")},
        {"labels": ("good", "fair", "bad")},
        {"labels": ("bad", "good")},
        {"positive_label": "awful"},
        {"task": "multiclass"},
        {"task": "regression"},
        {"task": "regression", "labels": (), "positive_label": None, "categories": {"c": ("x",)}},
        {"categories": {"a": ()}},
        {"categories": {"a": ("x", "x")}},
    ],
)
def test_labels_and_categories_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ModelManifest.model_validate(MANIFEST.model_dump() | change)


@pytest.mark.parametrize(
    "change",
    [
        {"model_file": "model.npz"},
        {"model_file": "model.pkl"},
        {"model_file": "../model.npz", "sequences": {"s": ("a", "b")}},
        {"sequences": {"s": ("a", "a")}},
        {"sequences": {"s": ("a",), "t": ("a",)}},
        {"sequences": {"s": ("a", "c")}},
        {"sequences": {"s": ("a", "b")}, "categories": {"b": ("x",)}},
        {"features": ("a", "b", "c"), "sequences": {"s": ("a", "b"), "t": ("c",)}},
        {"model_file": "model.npz", "sequences": {"s": ("a",)}, "scaling": {"centre": (0, 0), "scale": (1, 1)}},
    ],
)
def test_sequences_and_files_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ModelManifest.model_validate(MANIFEST.model_dump() | change)


def test_what_only_networks_have_is_in_their_manifests_alone(tmp_path: Path) -> None:
    (tmp_path / "model.ubj").write_bytes(b"")
    MANIFEST.write(tmp_path)
    written = (tmp_path / "model.json").read_text()
    assert not {"model_file", "sequences", "levels"} & json.loads(written).keys()
    (tmp_path / "model.ubj").rename(tmp_path / "model.npz")
    network = MANIFEST.model_copy(update={"model_file": "model.npz", "sequences": {"s": ("b", "a")}})
    network.write(tmp_path)
    assert read_manifest(tmp_path) == network
    (tmp_path / "model.npz").rename(tmp_path / "model.ubj")
    with pytest.raises(UserError, match=r"model\.npz is missing") as refusal:
        read_manifest(tmp_path)
    assert refusal.value.code == "model_incomplete"


@pytest.mark.parametrize("name", ["model.ubj", "grouping.json", "next_period.json"])
@pytest.mark.parametrize("content", [b"other", None])
def test_a_file_that_differs_from_its_digest_is_refused(tmp_path: Path, name: str, content: bytes | None) -> None:
    for file in ("model.ubj", "grouping.json", "next_period.json"):
        (tmp_path / file).write_bytes(b"as it was")
    MANIFEST.write(tmp_path)
    assert read_manifest(tmp_path) == MANIFEST
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as refusal:
        read_manifest(tmp_path)
    assert refusal.value.code == ("model_incomplete" if (name, content) == ("model.ubj", None) else "model_damaged")
    assert name in refusal.value.message


def test_a_grouping_without_a_digest_and_a_changed_manifest_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.ubj").write_bytes(b"")
    MANIFEST.write(tmp_path)
    (tmp_path / "grouping.json").write_bytes(b"{}")
    with pytest.raises(UserError, match=r"grouping\.json differs"):
        read_manifest(tmp_path)
    (tmp_path / "grouping.json").unlink()
    path = tmp_path / "model.json"
    path.write_text(path.read_text().replace('"r1"', '"r2"'))
    with pytest.raises(UserError, match="its content differs from its own digest"):
        read_manifest(tmp_path)


def test_a_manifest_of_an_earlier_version_has_no_digests_and_loads(tmp_path: Path) -> None:
    (tmp_path / "model.ubj").write_bytes(b"")
    MANIFEST.write(tmp_path, digests=False)
    assert "sha256" not in (tmp_path / "model.json").read_text()
    (tmp_path / "model.ubj").write_bytes(b"anything")
    assert read_manifest(tmp_path) == MANIFEST


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path)
    with pytest.raises(UserError, match=r"model\.ubj is missing"):
        read_manifest(tmp_path)


def test_an_archive_has_the_same_bytes_whenever_it_is_packed(tmp_path: Path) -> None:
    import os

    files = [tmp_path / name for name in ("b", "a")]
    for file in files:
        file.write_text(file.name)
    write_archive(tmp_path / "1.tar.gz", files)
    os.utime(files[0], (1, 1))
    files[0].chmod(0o600)
    write_archive(tmp_path / "2.tar.gz", files[::-1])
    assert (tmp_path / "1.tar.gz").read_bytes() == (tmp_path / "2.tar.gz").read_bytes()
    extract_archive(tmp_path / "1.tar.gz", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "b"]


def crafted(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 1) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size if kind == tarfile.REGTYPE else 0, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    "hostile",
    [
        member("../outside"),
        member("in/../../outside"),
        member("/../outside"),
        member("."),
        member("link", tarfile.SYMTYPE),
        member("hard", tarfile.LNKTYPE),
        member("f", tarfile.FIFOTYPE),
    ],
)
def test_an_archive_that_reaches_outside_is_refused(tmp_path: Path, hostile: tarfile.TarInfo) -> None:
    with pytest.raises(PlatformError) as refusal:
        extract_archive(crafted(tmp_path / "x.tar.gz", hostile), tmp_path / "out")
    assert refusal.value.code == "unsafe_archive"
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(
    "hostile",
    [
        [member("a"), member("a/b")],
        [member("a", tarfile.DIRTYPE), member("a")],
        [member("a"), member("a", tarfile.DIRTYPE)],
        [member("a" * 300)],
        [member("/".join(["a" * 200] * 30))],
    ],
)
def test_a_name_that_no_file_can_have_is_refused_and_is_no_fault_of_the_disk(
    tmp_path: Path, hostile: list[tarfile.TarInfo]
) -> None:
    """A live model with such an archive must not stop the release that replaces it."""
    with pytest.raises(PlatformError, match="is no name in a folder") as refusal:
        extract_archive(crafted(tmp_path / "x.tar.gz", *hostile), tmp_path / "out")
    assert refusal.value.code == "unsafe_archive"
    assert len(refusal.value.message) < 500 + len(str(tmp_path))


def test_a_name_that_begins_at_the_root_is_written_into_the_folder(tmp_path: Path) -> None:
    extract_archive(crafted(tmp_path / "x.tar.gz", member("/in/a"), member("b/../c")), tmp_path / "out")
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()) == [
        "c",
        "in/a",
    ]


def test_an_archive_over_the_limits_is_refused(tmp_path: Path) -> None:
    path = crafted(tmp_path / "x.tar.gz", member("a", size=600), member("b", size=600))
    with pytest.raises(PlatformError, match="more than"):
        extract_archive(path, tmp_path / "out", bytes_limit=1_000)
    with pytest.raises(PlatformError, match="more than"):
        extract_archive(path, tmp_path / "out", member_limit=1)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08\x00garbage"])
def test_a_broken_archive_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(content)
    with pytest.raises(PlatformError, match=r"model\.tar\.gz cannot be read") as refusal:
        extract_archive(path, tmp_path / "out")
    assert refusal.value.code == "corrupt_archive"
