from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest

from tenant_experience import data_layout
from tenant_experience.errors import UserError
from tenant_experience.release.partition_result import ShardResult, ready_partitions
from tenant_experience.release.release import (
    HistoryRequest,
    LivePartition,
    LiveRelease,
    ManifestArrival,
    PublishedModel,
    ServedFeatures,
    next_live,
)
from tests.support.places import ROOT

EVENT = json.loads((ROOT / "events" / "start_release.json").read_text())


def with_object(**changes: str) -> dict[str, Any]:
    return {**EVENT, "detail": {**EVENT["detail"], "object": {**EVENT["detail"]["object"], **changes}}}


def test_the_sample_event_names_its_batch() -> None:
    arrival = ManifestArrival.from_event(EVENT)
    assert (arrival.use_case, arrival.batch) == ("tenant_experience", "2026-11")


def test_a_repeated_event_gives_the_same_release_and_a_new_upload_another() -> None:
    first = ManifestArrival.from_event(EVENT).release
    assert ManifestArrival.from_event(json.loads(json.dumps(EVENT))).release == first
    assert ManifestArrival.from_event(with_object(sequencer="00617F08299329D190")).release != first
    assert data_layout.RELEASE_ID.match(first)


@pytest.mark.parametrize(
    "key",
    [
        "raw/manifest.json",
        "raw/x/manifest.json",
        "raw/../x/manifest.json",
        "raw/UPPER/b/manifest.json",
        "raw/u/b/c/manifest.json",
    ],
)
def test_other_keys_are_refused_by_name(key: str) -> None:
    with pytest.raises(UserError) as refusal:
        ManifestArrival.from_event(with_object(key=key))
    assert refusal.value.code == "not_a_manifest"
    assert key in refusal.value.message


T1, T2, T3 = (f"2026-01-0{day}T00:00:00Z" for day in (1, 2, 3))


def moved(current: LiveRelease | None, release: str, started_at: str, *slugs: str, rejected: str = "") -> LiveRelease:
    models = [PublishedModel(slug, release, f"{release}-{slug}") for slug in slugs]
    live = next_live(
        current, release=release, started_at=started_at, models=models, rejected=[rejected] if rejected else []
    )
    assert live is not None
    return live


def test_the_pointer_moves_keeps_partitions_and_remembers_its_predecessor() -> None:
    first = moved(None, "r1", T1, "all", "north")
    assert (first.models, first.digests) == ({"all": "r1", "north": "r1"}, {"all": "r1-all", "north": "r1-north"})
    assert moved(first, "r2", T2, "all") == LiveRelease(
        "r2",
        T2,
        2,
        {"all": LivePartition("r2", "r2-all", "r2", T2), "north": LivePartition("r1", "r1-north", "r1", T1)},
        "r1",
        (ServedFeatures("r2", T2),),
    )


def test_a_model_without_a_digest_does_not_keep_that_of_its_predecessor() -> None:
    live = LiveRelease.of_models("r1", T1, 1, {"all": "r1", "north": "r1"}, None, {"all": "d1"})
    published = next_live(live, release="r2", started_at=T2, models=[PublishedModel("all", "r2")])
    assert published is not None
    assert (published.digests, published.model_for("all")) == ({}, PublishedModel("all", "r2"))


def test_publishing_twice_changes_nothing() -> None:
    live = moved(None, "r1", T1, "all")
    assert next_live(live, release="r1", started_at=T1, models=[PublishedModel("all", "r1")]) is None


def test_an_older_release_never_replaces_a_newer_one_in_any_partition() -> None:
    """Nor is the rest of it published: the partitions are told, and the batch can be uploaded again."""
    live = moved(moved(None, "r0", T1, "all", "north"), "r2", T3, "north", "south")
    with pytest.raises(UserError) as refusal:
        moved(live, "r1", T2, "all", "north", "south")
    assert refusal.value.code == "superseded"
    assert (
        "in 2 of its partitions: north (release r2, which began on 3 January 2026, 00:00 UTC), south"
        in refusal.value.message
    )
    assert "all (release" not in refusal.value.message


def test_releases_of_other_partitions_do_not_disturb_each_other_whatever_their_order() -> None:
    batches = (("r1", T1, "north"), ("r2", T2, "south"), ("r3", T3, "all"))
    pointers = []
    for order in permutations(batches):
        live = None
        for release, started_at, slug in order:
            live = moved(live, release, started_at, slug)
        assert live is not None
        assert (live.release, live.revision) == ("r3", 3)
        pointers.append(live.partitions)
    assert all(each == pointers[0] for each in pointers)


def test_features_alone_move_no_model_and_are_known_in_the_order_in_which_they_began() -> None:
    first = moved(None, "r1", T1, "all")
    for order in (("s2", "s3"), ("s3", "s2")):
        live = first
        for release in order:
            live = moved(live, release, {"s2": T2, "s3": T3}[release])
        assert (live.release, live.partitions) == ("r1", first.partitions)
        assert [each.release for each in live.served] == ["r1", "s2", "s3"]
    # A release that began between the two, and was approved after both, replaces what began before it.
    assert [each.release for each in moved(live, "r2", "2026-01-02T12:00:00Z", "all").served] == ["r2", "s3"]
    with pytest.raises(UserError, match="no_live_release"):
        moved(None, "s2", T2)


def test_what_was_rejected_keeps_its_model_and_the_features_of_before() -> None:
    live = moved(moved(None, "r1", T1, "all", "north"), "r2", T2, "all", rejected="north")
    assert live.partitions["north"] == LivePartition("r1", "r1-north", "r1", T1)
    assert live.served == (ServedFeatures("r1", T1), ServedFeatures("r2", T2, ("north",)))


def test_a_tenant_is_answered_by_its_own_model_else_the_global_one() -> None:
    live = LiveRelease.of_models("r2", "t", 1, {"all": "r2", "north": "r1"}, None, {"all": "d"})
    assert live.model_for("north") == PublishedModel("north", "r1")
    assert live.model_for("south") == PublishedModel("all", "r2", "d")
    assert live.model_of("south") is None
    assert PublishedModel("north", "r1").key == "north/r1/model.tar.gz"
    assert LiveRelease.of_models("r", "t", 1, {"north": "r"}).model_for("south") is None


def test_only_ready_partitions_are_released() -> None:
    rows = [{"partition": name, "slug": name, "status": status} for name, status in (("a", "ready"), ("b", "refused"))]
    [ready] = ready_partitions([ShardResult.read({"partitions": rows}, shard=3), ShardResult.read({}, shard=4)])
    assert (ready.slug, ready.status, ready.shard) == ("a", "ready", 3)


def test_slugs_fit_aws_names_and_never_collide() -> None:
    names = [
        "north",
        "North",
        "nörth",
        "Tower 7",
        "tower-7",
        "x" * 200,
        "x" * 201,
        "!!!",
        "???",
        "a--b",
        "-a",
        "north\n",
    ]
    slugs = [data_layout.partition_slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    for slug in slugs:
        assert len(slug) <= 40
        assert data_layout.partition_slug(slug) == slug


HISTORY = json.loads((ROOT / "events" / "start_release_history.json").read_text())
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_a_request_for_history_is_told_from_an_arrival_and_always_means_the_same_release() -> None:
    assert HistoryRequest.is_meant_by(HISTORY)
    assert not HistoryRequest.is_meant_by(EVENT)
    release = HistoryRequest.from_event(HISTORY, NOW).release
    assert release == HistoryRequest.from_event({**HISTORY, "as_of": "2016-04-01T02:00:00+02:00"}, NOW).release
    assert release.startswith("20160401-")
    assert data_layout.RELEASE_ID.match(release)
    for change in ({"as_of": "2016-04-02T00:00:00Z"}, {"batch": "other"}, {"use_case": "other"}):
        assert HistoryRequest.from_event({**HISTORY, **change}, NOW).release != release


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"as_of": "2016-04-01"}, "'as_of' must be a time like"),
        ({"as_of": "yesterday"}, "'as_of' must be a time like"),
        ({"as_of": "2026-11-20T00:00:01Z"}, "future"),
        ({"as_of": 3}, "send exactly the keys as_of, batch, use_case"),
        ({"more": "x"}, "send exactly the keys as_of, batch, use_case"),
        ({"use_case": "../x"}, "must name a folder"),
        ({"batch": "a/b"}, "must name a folder"),
        ({"batch": ""}, "must name a folder"),
    ],
)
def test_a_request_for_history_that_is_wrong_is_refused_by_key(change: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        HistoryRequest.from_event({**HISTORY, **change}, NOW)
    assert caught.value.code == "malformed_request"
