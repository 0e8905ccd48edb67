"""A thousand forms of three approvers at once, half of which approve and half reject: one of them decides."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from operations.mailbox import Form
from tests.support.flow import Flow
from tests.support.waiting import until
from tests.support.waiting_request import more_approvers, open_waiting, settings, told

ADA, BEN, CAT = "approver@example.com", "bea@example.com", "col@example.com"
POSTS = 1_000
AT_ONCE = 50
_LOG = logging.getLogger(__name__)


@pytest.mark.slow
@pytest.mark.parametrize("quorum", [1, 2])
def test_a_thousand_forms_make_one_decision_and_the_execution_goes_on_once(flow: Flow, quorum: int) -> None:
    with settings(flow), more_approvers(flow, BEN, CAT):
        asked = open_waiting(flow, f"thousand-{quorum}", (ADA, BEN, CAT), quorum=quorum)
        approving = [asked.second_form(each, "approve") for each in (ADA, CAT)]
        rejecting = asked.second_form(BEN, "reject")
        forms = [rejecting if number % 2 else approving[number // 2 % 2] for number in range(POSTS)]
        throttled: list[int] = []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(lambda form: _send(flow, form, throttled), forms))
        statuses = Counter(answer.status_code for answer in answers)
        _LOG.info("quorum %d: %s, throttled %s", quorum, dict(statuses), dict(Counter(throttled)))
        stored = asked.stored()
        assert stored.status in ("approved", "rejected")
        assert sum(statuses.values()) == POSTS
        assert set(statuses) <= {303, 400, 409, 429, 503}
        assert statuses[303] >= 1
        until(lambda: asked.status() == "SUCCEEDED", "the execution did not go on")
        assert len(asked.history("TaskSucceeded")) == len(asked.history("TaskScheduled")) == 1
        events = Counter(row["event"] for row in asked.audited())
        assert (events["decided"], events["voted"]) == (1, len(stored.votes))
        assert 1 <= len(stored.votes) <= 3
        decided_by = {vote.address for vote in stored.votes}
        for address in {ADA, BEN, CAT} - decided_by:  # the others are told, and by whom
            page = flow.http.get(asked.link(address))
            assert f"Release {asked.release} was {stored.status}" in told(page)
            assert all(vote.address in page.text for vote in stored.votes)
        refused = next(answer for answer in answers if answer.status_code == 409)
        assert "Your answer was not recorded" in told(refused)
        assert f"this release was already {stored.status}" in told(refused).lower()


def _send(flow: Flow, form: Form, throttled: list[int]) -> httpx.Response:
    """Sends a form until a function takes it; of a function that is throttled, the gateway says so."""
    while True:
        answer = flow.http.post(form.action, data=form.fields)
        if answer.status_code not in (429, 500) or "Retry-After" not in answer.headers:
            return answer
        throttled.append(answer.status_code)
        time.sleep(random.uniform(0.1, 1))
