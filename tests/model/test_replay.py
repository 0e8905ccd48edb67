"""A model made again from its own record, by the operator's command, on a folder like the data bucket."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tenant_experience.jobs.archive import extract_archive, write_archive
from tenx.main import main
from tests.support.script_release import Release


@pytest.fixture
def bucket(release: Release, tmp_path: Path) -> Path:
    """What a release leaves in the bucket, of the folders the jobs left it in."""
    release.copy_to_bucket(tmp_path)
    return tmp_path


def replay(bucket: Path, *words: str) -> int:
    return main(["replay", "r1", "--folder", str(bucket), *words])


def test_a_model_is_made_again_byte_for_byte(bucket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(bucket) == 0
    assert "Equal: the model made again is the same as the registered one, byte for byte." in capsys.readouterr().out


def test_what_differs_is_named(bucket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    features = bucket / "features" / "r1" / "features.parquet"
    table = pq.read_table(features)
    place = table.schema.get_field_index("work_order_count")
    column = table["work_order_count"].to_pylist()
    pq.write_table(table.set_column(place, "work_order_count", [[value + 1 for value in column]]), features)
    assert replay(bucket) == 1
    said = capsys.readouterr().out
    assert "data differs: data_sha256 was" in said
    assert "model.ubj differs" in said
    assert "settings differs" not in said
    assert "code version differs" not in said


@pytest.mark.slow
def test_a_model_of_an_earlier_version_is_made_again(
    bucket: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its record calls ``feature_dropout`` by the earlier name: the model is the same, the manifest is not."""
    archive, unpacked = bucket / "models" / "all" / "r1" / "model.tar.gz", tmp_path / "unpacked"
    extract_archive(archive, unpacked)
    manifest = unpacked / "model.json"
    document = json.loads(manifest.read_text())
    record = document["training"]
    record["masking"] = record.pop("feature_dropout")
    del document["files"], document["sha256"]
    manifest.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
    write_archive(archive, sorted(unpacked.iterdir()))
    assert replay(bucket) == 1
    output = capsys.readouterr().out
    assert "model.json differs" in output
    for same in ("data", "settings", "code version", "model.ubj"):
        assert f"{same} differs" not in output


@pytest.mark.slow
def test_a_model_from_before_digests_is_made_again_byte_for_byte(bucket: Path, tmp_path: Path) -> None:
    archive, unpacked = bucket / "models" / "all" / "r1" / "model.tar.gz", tmp_path / "unpacked"
    extract_archive(archive, unpacked)
    document = json.loads((unpacked / "model.json").read_text())
    del document["files"], document["sha256"]
    (unpacked / "model.json").write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
    write_archive(archive, sorted(unpacked.iterdir()))
    assert replay(bucket) == 0


def test_an_unknown_partition_is_named(bucket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(bucket, "--partition", "north") == 1
    assert "release r1 has no model of 'north', but of all" in capsys.readouterr().err


def test_a_missing_file_is_named(bucket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bucket / "clusters" / "r1" / "0" / "groups.parquet").unlink()
    assert replay(bucket) == 1
    assert "has no clusters/r1/0/groups.parquet" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nosuch", "../r1", "R1"])
def test_an_unknown_release_is_named_with_the_newest_ones(
    bucket: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", name, "--folder", str(bucket)]) == 1
    assert f"there is no release {name!r} here: the newest are r1" in capsys.readouterr().err


def test_the_record_says_what_the_model_was_made_from(release: Release) -> None:
    model = json.loads((release.models["all"] / "model.json").read_text())
    record = model["training"]
    assert (record["train_rows"], record["feature_dropout"]) == (1_400, 0.3)
    assert set(record["libraries"]) == {"numpy", "scipy", "scikit-learn", "xgboost"}
    assert len(record["data_sha256"]) == 64
    assert model["calibration"]["slope"] > 0
    assert model["threshold"] == 0.5
