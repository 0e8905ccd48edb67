"""DeployEndpoint asks a new image for the live models' samples; SmokeTest asks the endpoint for the release's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tenant_experience.aws import model_endpoint, objects, release_table, smoke_tests
from tenant_experience.aws.endpoint import EndpointNotUpdatedError
from tenant_experience.aws.model_endpoint import EndpointAnswer
from tenant_experience.errors import PlatformError
from tenant_experience.release.release import LiveRelease, PublishedModel
from tests.support.function_module import function_module
from tests.support.places import ROOT

EVENT = json.loads((ROOT / "events" / "deploy_endpoint.json").read_text())
IMAGE, CANDIDATE = "registry/te@sha256:new", "te-candidate-endpoint"
OWN = f"all/{EVENT['release']}/model.tar.gz"
LIVE = LiveRelease.of_models(
    "r2", "2026-01-01T00:00:00Z", 1, {"all": "r1", "north": "r2", "old": "r0"}, None, {"all": "a" * 64}
)
Asked = list[tuple[str, str, str]]


def write_samples(release: str, shard: int, *keys: str) -> None:
    models = [
        {"model_key": key, "digest": key[0] * 64, "samples": [{"instance": {"tenant_id": key}, "answer": {"p": 0.5}}]}
        for key in keys
    ]
    document = json.dumps({"tolerance": 1e-6, "models": models})
    boto3.client("s3").put_object(Bucket="data", Key=f"reports/{release}/{shard}/smoke_test.json", Body=document)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[dict[str, Any], Asked]]:
    """What each model answers, 0.5 unless a test says otherwise; and what was asked: endpoint, model, digest."""
    given: dict[str, Any] = {}
    asked: Asked = []

    def predict(key: str, instances: list[Any], *, digest: str = "", endpoint: str = "") -> EndpointAnswer:
        asked.append((endpoint, key, digest))
        answer = given.get(key, 0.5)
        if isinstance(answer, Exception):
            raise answer
        return EndpointAnswer("v", "global", [{"p": answer} for _ in instances])

    for name, value in {"DATA_BUCKET": "data", "RELEASE_TABLE": "releases"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(model_endpoint, "predict", predict)
    monkeypatch.setattr(smoke_tests, "_PAUSE_S", 0.0)
    with mock_aws():
        for client in (objects.s3, release_table.dynamodb):
            client.cache_clear()
        boto3.client("s3").create_bucket(Bucket="data")
        boto3.client("dynamodb").create_table(
            TableName="releases",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        release_table.write_live("tenant_experience", LIVE, "r2")
        write_samples("r1", 0, "all/r1/model.tar.gz", "north/r1/model.tar.gz")
        write_samples("r2", 1, "north/r2/model.tar.gz")
        write_samples(EVENT["release"], 0, OWN)
        yield given, asked
        for client in (objects.s3, release_table.dynamodb):
            client.cache_clear()


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    app = function_module("deploy_endpoint")
    monkeypatch.setattr(app.files, "names", lambda: ["telecom_churn", "tenant_experience"])
    return lambda: app._check(CANDIDATE, IMAGE, EVENT)


def test_a_new_image_is_asked_for_what_is_live_and_for_the_releases_own(
    answers: tuple[dict[str, Any], Asked], check: Callable[[], None]
) -> None:
    check()
    assert sorted(answers[1]) == [
        (CANDIDATE, OWN, "a" * 64),
        (CANDIDATE, "all/r1/model.tar.gz", "a" * 64),
        (CANDIDATE, "north/r2/model.tar.gz", "n" * 64),
    ]
    live, without = smoke_tests.of_live_models(["tenant_experience"])
    assert (len(live), without) == (2, ["old/r0/model.tar.gz"])


@pytest.mark.usefixtures("answers")
def test_models_of_earlier_releases_have_their_samples_or_are_named() -> None:
    models = [PublishedModel("north", "r1"), PublishedModel("north", "r2")]
    assert [test.model_key for test in smoke_tests.of_models(models)] == [
        "north/r1/model.tar.gz",
        "north/r2/model.tar.gz",
    ]
    with pytest.raises(PlatformError, match=r"old/r0/model\.tar\.gz left no samples"):
        smoke_tests.of_models([*models, PublishedModel("old", "r0")])


@pytest.mark.parametrize("key", ["all/r1/model.tar.gz", OWN])
def test_an_image_that_answers_otherwise_is_refused_by_name(
    answers: tuple[dict[str, Any], Asked], check: Callable[[], None], key: str
) -> None:
    answers[0][key] = 0.6
    with pytest.raises(EndpointNotUpdatedError, match="The earlier image goes on answering") as refused:
        check()
    assert type(refused.value).__name__ == "ImageDiffersError"
    assert f"model {key} answers p: 0.6 through the endpoint but 0.5" in refused.value.message


def test_an_image_that_does_not_answer_is_asked_again_and_then_refused(
    answers: tuple[dict[str, Any], Asked], check: Callable[[], None]
) -> None:
    answers[0][OWN] = PlatformError("it is loading", code="model_unavailable")
    with pytest.raises(EndpointNotUpdatedError, match="it is loading"):
        check()
    assert sum(key == OWN for _, key, _ in answers[1]) == 5


def test_only_the_accepted_image_may_answer_otherwise(
    answers: tuple[dict[str, Any], Asked], check: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers[0][OWN] = 0.6
    monkeypatch.setenv("ACCEPTED_IMAGE_URI", IMAGE)
    check()
    monkeypatch.setenv("ACCEPTED_IMAGE_URI", "registry/te@sha256:other")
    with pytest.raises(EndpointNotUpdatedError):
        check()
    monkeypatch.setenv("ACCEPTED_IMAGE_URI", IMAGE)
    answers[0][OWN] = PlatformError("it is loading", code="model_unavailable")
    with pytest.raises(EndpointNotUpdatedError):
        check()


def test_the_smoke_test_compares_the_releases_own_models(answers: tuple[dict[str, Any], Asked]) -> None:
    app = function_module("smoke_test")
    event = {"release": EVENT["release"], "shards": [*EVENT["shards"], {"shard": 1, "status": "refused"}]}
    answers[0][OWN] = 0.5 + 1e-9
    done = app.handler(event, None)
    assert (done["models"], done["predictions"]) == (1, 1)
    assert 0 < done["largest_difference"] < 1e-6
    answers[0][OWN] = None
    with pytest.raises(PlatformError, match="nothing was published") as refused:
        app.handler(event, None)
    assert refused.value.code == "smoke_test_failed"
