"""What the state machine hands to the functions that write e-mails, and the e-mail that it writes itself."""

from __future__ import annotations

import json

from tests.support.places import ROOT, STATE_MACHINE

STATES = json.loads(STATE_MACHINE.read_text())["States"]


def test_the_request_for_a_decision_gets_what_its_sample_event_has() -> None:
    sample = json.loads((ROOT / "events" / "request_approval.json").read_text())
    payload = STATES["RequestApproval"]["Arguments"]["Payload"]
    assert set(payload) == set(sample)
    assert payload["batch"] == "{% $batch %}"


def test_the_message_about_a_released_batch_names_it() -> None:
    lines = STATES["PublishRelease"]["Assign"]["message"]
    assert "{% 'Batch: raw/' & $useCase & '/' & $batch & '/' %}" in lines
