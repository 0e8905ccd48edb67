"""The archive in the bucket is compared with what was registered, whatever happened to it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from tenant_experience.aws import model_archives, objects
from tenant_experience.data_layout import MODEL_ARCHIVE
from tenant_experience.models.digests import ModelDiffersError
from tenant_experience.release.release import PublishedModel
from tests.support.registered_model import pack, rewrite, sha256_of_manifest, write_files

KEY = "models/all/r1/model.tar.gz"


@pytest.fixture(autouse=True)
def _bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DATA_BUCKET", "data")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="data")
        objects.s3.cache_clear()
        yield
        objects.s3.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "files")


@pytest.fixture
def model(folder: Path) -> PublishedModel:
    return PublishedModel("all", "r1", sha256_of_manifest(folder))


def put(content: bytes) -> None:
    boto3.client("s3").put_object(Bucket="data", Key=KEY, Body=content)


def packed(folder: Path) -> bytes:
    return pack(folder, folder.parent / "model.tar.gz").read_bytes()


def refusal(model: PublishedModel) -> ModelDiffersError:
    with pytest.raises(ModelDiffersError) as refused:
        model_archives.check_registered(model)
    return refused.value


def test_the_archive_that_was_packed_is_the_registered_one(folder: Path, model: PublishedModel) -> None:
    put(packed(folder))
    model_archives.check_registered(model)


def test_another_model_with_digests_that_fit_is_refused_in_words(folder: Path, model: PublishedModel) -> None:
    (folder / "model.ubj").write_bytes(b"another booster")
    rewrite(folder)
    put(packed(folder))
    refused = refusal(model)
    assert refused.code == "model_differs"
    assert refused.message == (
        f"the model {KEY} in the bucket data is not the one that was registered: the SHA-256 of its model.json is "
        f"{sha256_of_manifest(folder)} instead of {model.digest}. Find out who changed it (the bucket keeps its "
        "versions), and either put back the version that EvaluateModel wrote and redrive the execution, or upload the "
        "batch again"
    )


def test_a_file_that_is_changed_beside_the_registered_manifest_is_named(folder: Path, model: PublishedModel) -> None:
    (folder / "grouping.json").write_text('{"markers": []}')
    put(packed(folder))
    assert "registered: grouping.json differs from its digest" in refusal(model).message


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08\x00garbage"])
def test_an_archive_that_cannot_be_unpacked_is_refused_without_the_folders_of_this_machine(
    model: PublishedModel, content: bytes
) -> None:
    put(content)
    refused = refusal(model)
    assert refused.code == "model_differs"
    assert f"registered: {MODEL_ARCHIVE} cannot be read" in refused.message


def test_an_archive_that_reaches_outside_is_refused(model: PublishedModel) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../outside"))
    put(content.getvalue())
    assert refusal(model).code == "model_differs"


def test_an_archive_that_is_gone_is_refused_by_name(model: PublishedModel) -> None:
    refused = refusal(model)
    assert refused.code == "model_missing"
    assert f"{KEY} in the bucket data was registered, but is missing" in refused.message
