"""A tenant is erased from examples, groups and the parts of the split; every other row stays as it was."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from operations.erasure import erasers as erasers_module
from operations.erasure.erasers import Erasers
from operations.erasure.objects import erase_objects
from tenant_experience.erasure.id import ErasedId
from tenant_experience.features.table import read_examples
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.groups.file import to_arrow, write_groups
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.pipeline.split_files import write_split_files
from tenant_experience.use_case.schema import load_use_case
from tests.support.loans import loans


class _Missing(Exception):  # noqa: N818 - stands for botocore's NoSuchKey
    pass


class _Bucket:
    """What the eraser asks of S3: an object of a folder."""

    class exceptions:  # noqa: N801 - botocore's name
        """Botocore's errors."""

        NoSuchKey = _Missing

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get_object(self, **asked: str) -> dict[str, Any]:
        if not (self.folder / asked["Key"]).is_file():
            raise _Missing
        return {"Body": io.BytesIO((self.folder / asked["Key"]).read_bytes())}

    # Of a bucket whose objects have one version each, what erase_objects asks.

    def get_paginator(self, _operation: str) -> _Bucket:
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        paths = sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())
        return [{"Versions": [{"Key": key, "VersionId": "1", "Size": 1, "IsLatest": True} for key in paths]}]

    def download_file(self, _bucket: str, key: str, target: str, **_: Any) -> None:
        shutil.copy(self.folder / key, target)

    def head_object(self, **_: str) -> dict[str, Any]:
        return {"VersionId": "1", "ContentType": "binary/octet-stream", "Metadata": {}}

    def upload_file(self, source: str, _bucket: str, key: str, **_: Any) -> None:
        shutil.copy(source, self.folder / key)

    def delete_object(self, **asked: str) -> None:
        assert asked["VersionId"] == "1"  # the one that was rewritten


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The objects of a release whose clients have several rows."""
    base = tmp_path_factory.mktemp("released")
    made = loans(base / "made")
    made.build()
    features, use_case, folder = base / "made/job/features", load_use_case(made.folder), base / "bucket"
    table = read_examples(features, use_case)
    rows = label_partition(table, Partition("all", "all"), use_case)
    shutil.copytree(features, folder / "features/r1")
    write_split_files(folder / "splits/r1/all", rows, table, use_case)
    (folder / "clusters/r1/0").mkdir(parents=True)
    write_groups([to_arrow(rows, "all")], folder / "clusters/r1/0/groups.parquet")
    shutil.copytree(made.folder, base / "use_cases/written")
    return base


@pytest.fixture
def bucket(released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(erasers_module, "_USE_CASES", released / "use_cases")
    monkeypatch.setattr(erasers_module.objects, "s3", lambda: _Bucket(tmp_path / "bucket"))
    shutil.copytree(released / "bucket", tmp_path / "bucket")
    return tmp_path / "bucket"


@pytest.fixture(params=["CLIENT-0005", "CLIENT-0143"])
def erasers(request: pytest.FixtureRequest, bucket: Path) -> Iterator[Erasers]:
    with Erasers(bucket.name, "written", ErasedId((request.param,))) as made:
        made.__dict__["_releases_of_others"] = frozenset()
        yield made


def erase_all(bucket: Path, erasers: Erasers, only: str = "") -> dict[str, int]:
    """Erases from every object in the order of their keys.

    Returns:
        Key -> how many rows were removed, where there were any.
    """
    removed = {}
    for path in sorted(path for path in bucket.rglob("*") if path.is_file() and only in path.name):
        key = str(path.relative_to(bucket))
        eraser = erasers.for_key(key)
        assert eraser is not None
        found = eraser.erase(path, key, bucket.parent / "target")
        assert not found.unreadable
        if found.removed:
            removed[key] = found.removed
            shutil.move(bucket.parent / "target", path)
    return removed


def rows_of(folder: Path, me: str) -> dict[str, list[bytes]]:
    """Part -> the lines of its CSV, without those of the client."""
    kept = {}
    for path in (folder / "splits/r1/all").glob("*.csv"):
        whose = pq.read_table(path.with_name(f"{path.stem}_rows.parquet"))["tenant_id"].to_pylist()
        lines = path.read_bytes().splitlines(keepends=True)
        kept[path.stem] = [line for line, client in zip(lines, whose, strict=True) if client != me]
    return kept


def test_rows_go_from_everything_and_all_others_stay(bucket: Path, erasers: Erasers, released: Path) -> None:
    (me,) = erasers.erased.forms
    expected, before = rows_of(bucket, me), pq.read_table(bucket / "features/r1/examples.parquet").to_pylist()
    mine = sum(row["client"] == me for row in before)

    removed = erase_all(bucket, erasers)

    assert mine > 1
    of_splits = [count for key, count in removed.items() if key.startswith("splits/")]
    assert sorted(of_splits) == [mine, mine]  # the table and whose its rows are, of one part
    assert removed["features/r1/examples.parquet"] == removed["clusters/r1/0/groups.parquet"] == mine
    assert removed["features/r1/features.parquet"] == 1
    assert {part: b"".join(lines) for part, lines in expected.items()} == {
        path.stem: path.read_bytes() for path in (bucket / "splits/r1/all").glob("*.csv")
    }
    after = pq.read_table(bucket / "features/r1/examples.parquet").to_pylist()
    assert after == [row for row in before if row["client"] != me]
    for path in (path for path in bucket.rglob("*") if path.is_file()):
        texts = str(pq.read_table(path).to_pydict()).encode() if path.suffix == ".parquet" else path.read_bytes()
        assert me.encode() not in texts, path
    untouched = {"columns.json", "partitions.json"}
    for name in untouched:
        (now,), (then,) = bucket.rglob(name), (released / "bucket").rglob(name)
        assert now.read_bytes() == then.read_bytes()
    assert erase_all(bucket, erasers) == {}


def test_the_objects_of_a_bucket_are_erased_in_an_order_that_works(
    bucket: Path, erasers: Erasers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.erasure.objects.boto3.client", lambda _service: _Bucket(bucket))
    expected = rows_of(bucket, erasers.erased.forms[0])

    found = erase_objects("bucket", erasers.for_key, removes=False)
    removed = erase_objects("bucket", erasers.for_key, removes=True)
    left = erase_objects("bucket", erasers.for_key, removes=True)

    assert found.found == removed.removed > 0
    assert (left.found, left.unreadable) == (0, [])
    assert rows_of(bucket, erasers.erased.forms[0]) == expected
    assert erasers.erased.forms[0] not in " ".join(removed.changes)


def test_an_erasure_that_stopped_between_two_files_is_completed(bucket: Path, erasers: Erasers) -> None:
    expected = rows_of(bucket, erasers.erased.forms[0])
    assert len(erase_all(bucket, erasers, only=".csv")) == 1

    assert not [key for key in erase_all(bucket, erasers) if key.endswith(".csv")]

    assert rows_of(bucket, erasers.erased.forms[0]) == expected


def test_a_table_that_nobody_can_read_is_named(bucket: Path, erasers: Erasers) -> None:
    (bucket / "splits/r1/all/test_rows.parquet").unlink()
    path = bucket / "splits/r1/all/test.csv"
    eraser = erasers.for_key("splits/r1/all/test.csv")
    assert eraser is not None

    (missing,) = eraser.erase(path, "test.csv", bucket / "target").unreadable

    assert "whose its rows are is missing" in missing


def test_a_number_that_looks_like_an_id_stays(bucket: Path) -> None:
    line = (bucket / "splits/r1/all/train.csv").read_text().splitlines()[0]
    amount = line.split(",")[1]
    with Erasers(bucket.name, "written", ErasedId((amount,))) as made:
        made.__dict__["_releases_of_others"] = frozenset()

        assert not [key for key in erase_all(bucket, made) if key.startswith("splits/")]
