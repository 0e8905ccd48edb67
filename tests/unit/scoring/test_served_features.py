"""Which releases' features are scored each night: what RecordFeatures of the state machine writes, and who reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tenant_experience.aws import release_table
from tenant_experience.release.release import LiveRelease
from tests.support.places import ROOT
from tests.support.template import properties_of

STATES = json.loads((ROOT / "statemachine/train_and_release.asl.json").read_text())["States"]


@pytest.fixture(autouse=True)
def _table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RELEASE_TABLE", "releases")
    declared = properties_of("ReleaseTable")
    with mock_aws():
        names = ("BillingMode", "AttributeDefinitions", "KeySchema")
        boto3.client("dynamodb").create_table(TableName="releases", **{name: declared[name] for name in names})
        release_table.dynamodb.cache_clear()
        yield
        release_table.dynamodb.cache_clear()


def record(release: str, requested_at: str, *, train: bool, live: str) -> None:
    """As the state RecordFeatures does; its Catch passes over what the condition refuses."""
    check = STATES["CheckHistory"]
    (untrained,) = (each for each in check["Choices"] if "train" in each["Condition"])
    assigned = json.dumps((check if train else untrained)["Assign"])
    known = {"$release": release, "$liveRelease": live, "$requestedAt": requested_at}
    for name, value in known.items():
        assigned = assigned.replace(f"{{% {name} %}}", value)
    found: dict[str, Any] = json.loads(assigned)
    client = boto3.client("dynamodb")
    with suppress(client.exceptions.ConditionalCheckFailedException):
        client.update_item(
            TableName="releases",
            Key=release_table.key_of("features", "homes"),
            UpdateExpression=found["recordUpdate"],
            ConditionExpression=found["recordCondition"],
            ExpressionAttributeValues=found["recordValues"],
        )


def served() -> list[str]:
    return release_table.read_served_features("homes", LiveRelease("r1", "2026-11-01T00:00:00Z", 1))


def test_batches_without_training_add_to_the_last_one_that_was_trained_on() -> None:
    record("r1", "2026-11-01T00:00:00Z", train=True, live="")
    for release in ("s1", "s2", "s1"):  # s1 runs again
        record(release, "2026-11-02T00:00:00Z", train=False, live="r1")
    assert served() == ["r1", "s1", "s2"]
    record("r0", "2026-10-01T00:00:00Z", train=True, live="r1")  # asked for before r1
    assert served() == ["r1", "s1", "s2"]
    record("r2", "2026-11-03T00:00:00Z", train=True, live="r1")
    assert served() == ["r2"]


def test_the_live_release_stays_where_an_earlier_version_of_the_stack_did_not_write_it_down() -> None:
    assert served() == ["r1"]
    record("s1", "2026-11-02T00:00:00Z", train=False, live="r1")
    assert served() == ["r1", "s1"]
