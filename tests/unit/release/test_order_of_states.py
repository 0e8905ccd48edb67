"""What comes before what in the state machine: a release that nobody approved ends before clients see any of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.support.places import STATE_MACHINE

STATES: dict[str, dict[str, Any]] = json.loads(STATE_MACHINE.read_text())["States"]
ROLL_BACK: dict[str, dict[str, Any]] = json.loads((STATE_MACHINE.parent / "roll_back.asl.json").read_text())["States"]
FEATURES_ALONE = ("CheckTraining", "{% $outcome.train = false %}")
APPROVED = ("CheckDecision", "{% $decision.decision = 'approved' %}")


def steps(name: str, states: dict[str, dict[str, Any]] = STATES) -> Iterator[tuple[str, str]]:
    """The states that may follow, each with the condition."""
    state = states[name]
    for choice in state.get("Choices", []):
        yield choice["Condition"], choice["Next"]
    for caught in state.get("Catch", []):
        yield "", caught["Next"]
    if following := state.get("Next") or state.get("Default"):
        yield "", following


def reached(start: str, without: set[tuple[str, str]], states: dict[str, dict[str, Any]] = STATES) -> set[str]:
    """All states that can be reached when these choices are never taken."""
    found, left = {start}, [start]
    while left:
        name = left.pop()
        for condition, following in steps(name, states):
            if (name, condition) not in without and following not in found:
                found.add(following)
                left.append(following)
    return found


def test_nothing_is_served_that_was_not_approved_but_features_alone() -> None:
    assert "ServeFeatures" in reached("Begin", {FEATURES_ALONE})
    assert not {"ServeFeatures", "PublishRelease"} & reached("Begin", {FEATURES_ALONE, APPROVED})


def test_features_are_served_before_the_pointer_moves_and_after_the_endpoint_was_tested() -> None:
    assert "PublishRelease" not in reached("Begin", {("CheckServed", "")})
    assert [following for _, following in steps("SmokeTest")] == ["ServeFeatures"]


def test_one_script_writes_to_the_online_store_and_one_to_the_offline_store() -> None:
    scripts = {
        name: state["Arguments"]["AppSpecification"]["ContainerEntrypoint"][1]
        for name, state in STATES.items()
        if "AppSpecification" in state.get("Arguments", {})
    }
    assert {name for name, script in scripts.items() if script.endswith("serve_features.py")} == {"ServeFeatures"}
    assert {name for name, script in scripts.items() if script.endswith("ingest_features.py")} == {"IngestFeatures"}


def test_nothing_is_taken_back_that_was_not_approved_and_tested() -> None:
    assert {"ServeFeatures", "TakeBack"} <= reached("Begin", set(), ROLL_BACK)
    assert not {"ServeFeatures", "TakeBack"} & reached("Begin", {APPROVED}, ROLL_BACK)
    has_models = ("CheckModels", "{% $count($models) > 0 %}")
    assert dict(steps("CheckModels", ROLL_BACK)) == {has_models[1]: "SmokeTest", "": "CheckFeatures"}
    assert [following for _, following in steps("ServeFeatures", ROLL_BACK)] == ["TakeBack"]


def test_both_machines_ask_in_the_same_way_and_end_by_the_same_names() -> None:
    for name in ("ReleaseRejected", "ReleaseSuperseded", "ReleaseWithdrawn", "ApprovalExpired"):
        assert ROLL_BACK[name] == STATES[name]
    same = ("Resource", "TimeoutSeconds", "Retry")
    assert all(ROLL_BACK["RequestApproval"][field] == STATES["RequestApproval"][field] for field in same)
