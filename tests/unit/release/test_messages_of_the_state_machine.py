"""What the state machine hands to the functions that write e-mails, and the e-mail that it writes itself."""

from __future__ import annotations

import json

import pytest

from tenant_experience.release.failure import DECIDED
from tests.support.places import ROOT, STATE_MACHINE

STATES = json.loads(STATE_MACHINE.read_text())["States"]


def test_the_request_for_a_decision_gets_what_its_sample_event_has() -> None:
    sample = json.loads((ROOT / "events" / "request_approval.json").read_text())
    payload = STATES["RequestApproval"]["Arguments"]["Payload"]
    assert set(payload) == set(sample)
    assert payload["batch"] == "{% $batch %}"


@pytest.mark.parametrize("state", ["NotifyOutcome", "NotifyReleased"])
def test_what_is_told_of_an_outcome_is_what_its_sample_event_has(state: str) -> None:
    sample = json.loads((ROOT / "events" / "notify_outcome.json").read_text())
    payload = STATES[state]["Arguments"]["Payload"]
    assert set(payload) == set(sample)
    assert payload["batch"] == "{% 'raw/' & $useCase & '/' & $batch & '/' %}"


def test_no_release_ends_by_a_decision_before_everyone_is_told() -> None:
    """Whoever was asked is told first; the failure e-mails leave these ends out."""
    before = {state["Next"]: name for name, state in STATES.items() if "Next" in state}
    choices = {choice["Next"] for choice in STATES["CheckOutcome"]["Choices"]} | {STATES["CheckOutcome"]["Default"]}
    assert choices == set(DECIDED)
    assert before["CheckOutcome"] == "NotifyOutcome"
    others = [state for name, state in STATES.items() if name != "CheckOutcome"]
    assert not [end for end in DECIDED for state in others if f'"{end}"' in json.dumps(state.get("Choices", []))]
    assert not [end for end in DECIDED for state in others if end in (state.get("Next"), state.get("Default"))]
