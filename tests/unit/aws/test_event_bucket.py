"""The events of batches that add up, in the data bucket."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from tenant_experience.aws import objects
from tenant_experience.aws.event_bucket import EventBucket


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        objects.s3.cache_clear()
        boto3.client("s3").create_bucket(Bucket="data")
        yield "data"
    objects.s3.cache_clear()


def test_events_are_kept_below_their_use_case_and_found_again(bucket: str, tmp_path: Path) -> None:
    store = pickle.loads(pickle.dumps(EventBucket(bucket, "homes")))  # noqa: S301 - it travels to Spark's tasks
    (tmp_path / "part").write_bytes(b"rows")
    assert store.keys() == []
    store.put(tmp_path / "part", "month=2026-11/r1.0.parquet")
    EventBucket(bucket, "homes_of_others").put(tmp_path / "part", "month=2026-11/r2.0.parquet")
    assert store.keys() == ["month=2026-11/r1.0.parquet"]
    store.fetch("month=2026-11/r1.0.parquet", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == b"rows"
    listed = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix="events/homes/")["Contents"]
    assert [each["Key"] for each in listed] == ["events/homes/month=2026-11/r1.0.parquet"]
