"""Which releases' features are scored each night: the release pointer says it, or an item of an earlier version."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import boto3
import pytest
from moto import mock_aws

from tenant_experience.aws import release_table
from tenant_experience.release.release import LiveRelease, PublishedModel, ServedFeatures, next_live
from tests.support.template import properties_of

LIVE = LiveRelease.of_models("r1", "2026-11-01T00:00:00Z", 1, {"all": "r1"})


@pytest.fixture(autouse=True)
def _table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RELEASE_TABLE", "releases")
    declared = properties_of("ReleaseTable")
    with mock_aws():
        names = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        boto3.client("dynamodb").create_table(TableName="releases", **{name: declared[name] for name in names})
        release_table.dynamodb.cache_clear()
        yield
        release_table.dynamodb.cache_clear()


def served() -> list[str]:
    return [each.release for each in release_table.read_served_features("homes", LIVE)]


def test_the_pointer_comes_back_with_what_was_served() -> None:
    fed = (ServedFeatures("r1", "2026-11-01T00:00:00Z"), ServedFeatures("r2", "2026-11-02T00:00:00Z", ("north",)))
    fed += (ServedFeatures("r1", "2026-11-03T00:00:00Z", ("west",), again=True),)
    live = LiveRelease("r2", "2026-11-02T00:00:00Z", 1, LIVE.partitions, "r1", fed)
    release_table.write_live("homes", live, "r2")
    assert release_table.read_live("homes") == live
    assert release_table.read_served_features("homes", live) == fed


def test_what_an_earlier_version_wrote_down_beside_the_pointer_is_taken_over_by_the_next_move() -> None:
    assert served() == ["r1"]
    item = {**release_table.key_of("features", "homes"), "releases": {"L": [{"S": "r1"}, {"S": "s1"}]}}
    boto3.client("dynamodb").put_item(TableName="releases", Item=item)
    assert served() == ["r1", "s1"]

    release_table.write_live("homes", LIVE, "r1")
    move = partial(next_live, release="s2", started_at="2026-11-02T00:00:00Z", models=[])
    moved = release_table.move_live("homes", "s2", move)
    assert [each.release for each in moved.served] == ["r1", "s1", "s2"]
    assert release_table.read_live("homes") == moved


def test_each_publication_names_the_one_before_it() -> None:
    assert release_table.read_published("r1") is None
    release_table.write_live("homes", LIVE, "r1")
    for run, release in (("r2", "2026-11-03T00:00:00Z"), ("late", "2026-11-02T00:00:00Z")):
        models = [PublishedModel(run, run)]
        release_table.move_live("homes", run, partial(next_live, release=run, started_at=release, models=models))
    late, second = (release_table.read_published(name) for name in ("late", "r2"))
    assert late is not None
    assert second is not None
    assert (late.after, second.after, late.use_case) == ("r2", "r1", "homes")
    assert set(second.live.models) == {"all", "r2"}
    assert late.live == release_table.read_live("homes")
