"""RegisterModels tells the job that serves features which partitions were rejected."""

from __future__ import annotations

import json
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws

from tenant_experience.aws import decisions, model_registry, objects
from tenant_experience.data_layout import REJECTED_FILE, decided
from tenant_experience.release.vote import Outcome
from tests.support.function_module import function_module
from tests.support.places import ROOT, STATE_MACHINE
from tests.support.requests_for_decision import SLUGS, request

EVENT = json.loads((ROOT / "events" / "register_models.json").read_text())
OUTCOME = Outcome(frozenset({"east", "north"}), {"west": "too few"})


@pytest.mark.parametrize(("approved", "rejected"), [(OUTCOME, ["west"]), (Outcome(None), [])])
def test_the_rejected_partitions_are_written_where_their_features_are_served(
    monkeypatch: pytest.MonkeyPatch, approved: Outcome, rejected: list[str]
) -> None:
    decision = request(EVENT["release"], status="approved", outcome=approved)
    app = function_module("register_models")
    for name, value in {"DATA_BUCKET": "data", "PROJECT": "te", "USE_CASE": "tenant_experience"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(decisions, "receive", lambda *_given: decision)
    monkeypatch.setattr(app, "_candidates", lambda *_given: [(slug, slug) for slug in SLUGS])
    monkeypatch.setattr(model_registry, "register", lambda slug: f"arn:{slug}")
    monkeypatch.setattr(model_registry, "decide", lambda *_given, **_named: None)
    monkeypatch.setattr(objects, "read_outcomes", lambda *_given: [SimpleNamespace()])
    with mock_aws():
        objects.s3.cache_clear()
        boto3.client("s3").create_bucket(Bucket="data")
        assert app.handler(EVENT, None) == {"packages": 3}
        assert objects.read_json("data", decided(EVENT["release"]) + REJECTED_FILE) == rejected
        objects.s3.cache_clear()


def test_the_job_that_serves_features_reads_them() -> None:
    states = json.loads(STATE_MACHINE.read_text())["States"]
    [given] = states["RegisterModels"]["Assign"]["decisionInput"]
    assert given["S3Input"]["S3Uri"] == "{% 's3://${DataBucket}/decided/' & $release & '/' %}"
    assert given["S3Input"]["LocalPath"] == "/opt/ml/processing/input/decision"
    assert "$decisionInput" in states["ServeFeatures"]["Arguments"]["ProcessingInputs"]
