"""PublishRelease publishes what was registered, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tenant_experience.aws import approvals, audit, model_registry, objects, release_table
from tenant_experience.errors import UserError
from tenant_experience.evaluation.model_card import CardLinks
from tenant_experience.models.digests import ModelDiffersError
from tenant_experience.release.partition_result import PartitionResult
from tenant_experience.release.release import LiveRelease, PublishedModel, next_live
from tenant_experience.release.vote import Outcome
from tests.support.function_module import function_module
from tests.support.places import ROOT
from tests.support.registered_model import pack, rewrite, sha256_of_manifest, write_files
from tests.support.requests_for_decision import request

EVENT = json.loads((ROOT / "events" / "publish_release.json").read_text())
RELEASE, USE_CASE = EVENT["release"], EVENT["use_case"]
BEFORE = LiveRelease.of_models("r0", "2026-01-01T00:00:00Z", 1, {"north": "r0"}, None, {"north": "n" * 64})
OUTCOME = Outcome(frozenset({"all"}), {"west": "too few"})
MODEL = "s3://data/models/all/model.tar.gz"
Publish = Callable[..., dict[str, Any]]


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publish]:
    """Calls the function, with a release live before it; what is given takes the place of what its event has."""
    clients = (objects.s3, release_table.dynamodb, model_registry.sagemaker)
    settings = {"DATA_BUCKET": "data", "RELEASE_TABLE": "releases", "PROJECT": "te", "USE_CASE": USE_CASE}
    settings["AUDIT_TABLE"] = "audit"
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        for client in clients:
            client.cache_clear()
        boto3.client("s3").create_bucket(Bucket="data")
        boto3.client("dynamodb").create_table(
            TableName="releases",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        keys = [{"AttributeName": "release", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}]
        boto3.client("dynamodb").create_table(
            TableName="audit",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key["AttributeName"], "AttributeType": "S"} for key in keys],
            KeySchema=keys,  # type: ignore[arg-type]  # a key's kinds are literals
        )
        release_table.write_live(USE_CASE, BEFORE, "r0")
        approvals.open_approval(request(RELEASE, status="approved", outcome=OUTCOME), "token", now=10)
        app = function_module("publish_release")
        yield lambda **given: app.handler(EVENT | given, None)
        for client in clients:
            client.cache_clear()


def release(folder: Path, digest: str) -> None:
    """What EvaluateModel and RegisterModels leave of one model."""
    row = write_outcome(digest)
    upload(folder)
    links = CardLinks(model=MODEL, report="s3://data/r", evaluation="s3://data/e", features="s3://data/f", image="i")
    metadata = model_registry.metadata_of(PartitionResult.read(row, shard=0))
    model_registry.register(model_registry.Candidate("te-all", RELEASE, links, metadata, "{}"))


def write_outcome(digest: str) -> dict[str, Any]:
    row = {"partition": "all", "slug": "all", "status": "ready", "scale": "global", "tenants": 9, "digest": digest}
    rejected = {**row, "partition": "west", "slug": "west"}
    key = EVENT["shards"][0]["outcome_key"]
    boto3.client("s3").put_object(Bucket="data", Key=key, Body=json.dumps({"partitions": [row, rejected]}))
    return row


def upload(folder: Path) -> None:
    archive = pack(folder, folder.parent / "model.tar.gz")
    boto3.client("s3").upload_file(str(archive), "data", f"models/all/{RELEASE}/model.tar.gz")


def test_the_pointer_takes_the_digest_of_the_approved_model_from_the_registry(publish: Publish, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "m")
    release(folder, sha256_of_manifest(folder))
    assert publish() == {"release": RELEASE, "models": 1, "previous": "r0"}
    live = release_table.read_live(USE_CASE)
    assert live is not None
    assert live.model_of("all") == PublishedModel("all", RELEASE, sha256_of_manifest(folder))
    assert live.model_of("north") == PublishedModel("north", "r0", "n" * 64)
    assert live.model_of("west") is None  # rejected
    (row,) = boto3.client("dynamodb").scan(TableName="audit")["Items"]
    told = audit.document(row)
    assert (told["release"], told["event"]) == (RELEASE, "published")
    assert told["details"]["models"] == {"all": {"version": RELEASE, "digest": sha256_of_manifest(folder)}}


def test_an_archive_and_an_outcome_that_are_changed_after_registration_are_not_published(
    publish: Publish, tmp_path: Path
) -> None:
    folder = write_files(tmp_path / "m")
    release(folder, sha256_of_manifest(folder))
    (folder / "model.ubj").write_bytes(b"another booster")
    rewrite(folder)
    upload(folder)
    write_outcome(sha256_of_manifest(folder))
    with pytest.raises(ModelDiffersError, match=f"models/all/{RELEASE}/model.tar.gz in the bucket data is not the one"):
        publish()
    assert release_table.read_live(USE_CASE) == BEFORE


def test_a_model_that_was_registered_without_a_digest_is_published_without_one(
    publish: Publish, tmp_path: Path
) -> None:
    release(write_files(tmp_path / "m"), "")
    publish()
    live = release_table.read_live(USE_CASE)
    assert live is not None
    assert live.model_of("all") == PublishedModel("all", RELEASE)


def test_features_alone_move_no_model(publish: Publish) -> None:
    for _ in range(2):  # its answer may be lost
        assert publish(release="s1", shards=[]) == {"release": "s1", "models": 0, "previous": ""}
    live = release_table.read_live(USE_CASE)
    assert live is not None
    assert (live.partitions, live.release, live.revision) == (BEFORE.partitions, "r0", 2)
    assert [each.release for each in live.served] == ["r0", "s1"]


def test_a_release_that_a_later_one_overtook_is_refused_by_the_name_that_the_state_machine_knows(
    publish: Publish, tmp_path: Path
) -> None:
    folder = write_files(tmp_path / "m")
    release(folder, sha256_of_manifest(folder))
    later = partial(next_live, release="r9", started_at="2027-01-01T00:00:00Z", models=[PublishedModel("all", "r9")])
    live = release_table.move_live(USE_CASE, "r9", later)
    with pytest.raises(UserError, match="in 1 of its partitions: all") as refusal:
        publish()
    assert type(refusal.value).__name__ == "ReleaseSupersededError"
    assert release_table.read_live(USE_CASE) == live
