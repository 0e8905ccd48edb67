"""What comes back when a release is taken back, and what the release pointer says afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tenant_experience.errors import UserError
from tenant_experience.release.release import LiveRelease, PublishedModel, ServedFeatures, next_live
from tenant_experience.release.take_back import Change, TakeBack, plan, put_back, run_id

T1, T2, T3, T4 = (f"2026-11-0{day}T00:00:00Z" for day in (1, 2, 3, 4))


def publish(current: LiveRelease | None, release: str, started_at: str, *slugs: str) -> LiveRelease:
    models = [PublishedModel(slug, release, f"{release}-{slug}") for slug in slugs]
    live = next_live(current, release=release, started_at=started_at, models=models)
    assert live is not None
    return live


A = publish(None, "a", T1, "all", "north")
B = publish(A, "b", T2, "north")
C = publish(B, "c", T3, "all", "north", "west")


def asked(current: LiveRelease = C, then: LiveRelease = B, to: str = "b", **more: Any) -> TakeBack:
    return plan(current, then, use_case="u", to=to, **more)


def moved(wish: TakeBack, current: LiveRelease = C, then: LiveRelease = B, run: str = "rb-1") -> LiveRelease:
    live = put_back(current, asked=wish, then=then, run=run, began=T4)
    assert live is not None
    return live


def test_each_partition_returns_to_what_answered_before() -> None:
    assert asked().changes == {"all": Change("c", "a"), "north": Change("c", "b"), "west": Change("c", "")}
    live = moved(asked())
    assert live.models == {"all": "a", "north": "b"}
    assert live.digests == {"all": "a-all", "north": "b-north"}
    assert (live.release, live.previous, live.revision) == ("b", "a", C.revision + 1)


def test_a_partition_without_an_earlier_model_keeps_its_own_where_no_global_one_would_answer() -> None:
    then = publish(None, "a", T1, "north")
    current = publish(then, "b", T2, "north", "west")
    assert asked(current, then, "a").changes == {"north": Change("b", "a")}


def test_only_some_partitions_or_only_those_of_a_release() -> None:
    assert set(asked(slugs=["north"]).changes) == {"north"}
    d = publish(C, "d", T4, "west")
    assert asked(d, C, "c", release="d").changes == {"west": Change("d", "c")}
    assert set(asked(d, B, release="c").changes) == {"all", "north"}  # the west is not c's any more
    some = moved(asked(slugs=["north"]))
    assert (some.release, some.models) == ("c", {"all": "c", "north": "b", "west": "c"})


def test_a_later_release_follows_and_one_that_began_before_does_not() -> None:
    live = moved(asked())
    assert live.partitions["all"].started_at == T3  # that of the release that was taken back
    assert publish(live, "d", T4, "all").models["all"] == "d"
    with pytest.raises(UserError, match="a later one is live"):
        publish(live, "x", "2026-11-02T12:00:00Z", "all")


def test_a_release_that_was_taken_back_is_not_published_by_a_redrive() -> None:
    models = [PublishedModel("all", "c", "c-all")]
    assert next_live(moved(asked()), release="c", started_at=T3, models=models) is None


def test_what_was_moved_before_is_not_moved_again() -> None:
    assert put_back(moved(asked()), asked=asked(), then=B, run="rb-1", began=T4) is None
    removed = asked(slugs=["west"])
    assert put_back(moved(removed), asked=removed, then=B, run="rb-1", began=T4) is None


def test_another_release_that_came_between_is_not_overwritten() -> None:
    with pytest.raises(UserError, match="all is answered by release d meanwhile") as refused:
        put_back(publish(C, "d", T4, "all"), asked=asked(), then=B, run="rb-1", began=T4)
    assert refused.value.code == "superseded"


def test_features_that_are_served_again_are_written_down() -> None:
    wish = asked(features=True)
    assert wish.features == "b" == B.release
    live = put_back(C, asked=wish, then=B, run="rb-1", began=T4, without=["south"])
    assert live is not None
    assert live.served[-1] == ServedFeatures("b", T4, ("south",), again=True)
    assert live.partitions["all"].features == "b"
    assert moved(asked()).served == C.served
    assert moved(asked()).partitions["all"].features == "c"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"current": None}, "no_live_release"),
        ({"slugs": ["nowhere"]}, "unknown_partition"),
        ({"release": "b"}, "not_live"),
        ({"then": C, "to": "c"}, "nothing_to_take_back"),
    ],
)
def test_what_cannot_be_taken_back_says_why(given: dict[str, Any], code: str) -> None:
    with pytest.raises(UserError) as refused:
        plan(**{"current": C, "then": B, "use_case": "u", "to": "b", **given})
    assert refused.value.code == code


def test_the_same_change_of_the_same_state_has_one_id() -> None:
    wish = asked()
    assert run_id(wish, C) == run_id(replace(wish, reason="another"), replace(C, revision=99))
    others = [asked(features=True), asked(slugs=["north"]), asked(then=A, to="a")]
    ids = {run_id(wish, C), run_id(wish, C, 1), *(run_id(other, C) for other in others)}
    assert len(ids) == 5
    assert all(len(each) == 16 for each in ids)
    forth = moved(asked(moved(wish), C, "c"), moved(wish), C, "rb-2")
    assert forth.models == C.models
    assert run_id(asked(forth), forth) != run_id(asked(), C)


def test_it_is_stored_as_it_is() -> None:
    wish = replace(asked(features=True), reason="why")
    assert TakeBack.read(wish.document()) == wish
    assert wish.only(["west"]).changes == {"west": Change("c", "")}
