"""A person decides about a release in Chromium, from the mailbox to the outcome, and takes it back.

Runs with the tests of the flow, in their stack (see tests/conftest.py).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from operations.batch import RawBatch
from operations.releases import FinishedRelease, Listener, follow_release, make_release, some_records
from tests.support.churn_export import write_churn
from tests.support.churn_release import USE_CASE
from tests.support.flow import Flow
from tests.support.person import Person, person
from tests.support.requirements import chromium

pytestmark = pytest.mark.timeout(3600)
ADDRESS = "approver@example.com"
NAMES = ("DummyDim1", "DummyDim2", "DummyDim3")
REJECTED = NAMES[2]
WHY_NOT = "Too few of these customers were asked."
WRONG_FILE = "It was the file of last year."


def some_customers(flow: Flow, release: str) -> list[str]:
    """A customer of each dimension."""
    ids = some_records(flow.stack, release, "customer_id", 7_500)
    return [next(each for each in ids if each.startswith(f"{name} ")) for name in NAMES]


def versions(flow: Flow, customers: list[str]) -> list[str]:
    """Which release's model answers for each."""
    answers = [flow.get(f"/use-cases/{USE_CASE}/records/{quote(each, safe='')}/prediction") for each in customers]
    assert {each.status_code for each in answers} == {200}
    return [each.json()["model_version"] for each in answers]


def decided_by(tess: Person, release: str) -> None:
    """Approves two models, and rejects the third."""
    page = tess.page
    tess.follow(f"/approvals/{release}")
    tess.look("The models: a tick approves")
    page.get_by_label(REJECTED, exact=True).uncheck()
    page.get_by_label("Why you reject those without a tick").fill(WHY_NOT)
    page.get_by_label("Approve: the models with a tick go live").check()
    page.get_by_label("Your reason").fill("The other two look right.")
    page.get_by_role("button", name="Go on").click()
    tess.look("Check your answer about release")
    assert f"{REJECTED}: {WHY_NOT}" in tess.text()
    confirm(tess, f"decide about release {release}")
    tess.look(f"Release {release} was approved")
    assert f"{REJECTED}: {WHY_NOT}" in tess.text()


def confirm(tess: Person, subject: str) -> None:
    """Types the code that was mailed."""
    tess.page.get_by_label("The code from the e-mail").fill(tess.code_of(subject))
    tess.page.get_by_role("button", name="Record my decision").click()


def taken_back_by(tess: Person, release: str) -> str:
    """Asks for the earlier models by the link of the outcome's e-mail; the id of the roll-back."""
    page = tess.page
    tess.open_mail(f"Released: {release}")
    tess.follow("/take-back")
    tess.look(f"Take back release {release}")
    page.get_by_label("Your reason").fill(WRONG_FILE)
    page.get_by_role("button", name="Go on").click()
    tess.look("Check your answer about taking back")
    confirm(tess, "Your code to decide about release rb-")
    run = re.search(r"rb-[0-9a-f]+", tess.subject)
    assert run is not None
    tess.look(re.compile("Your answer is recorded|Taking back was approved"))
    return run[0]


def test_two_models_are_approved_one_is_rejected_and_all_is_taken_back(
    flow: Flow, churn: FinishedRelease, tmp_path: Path
) -> None:
    chromium()  # or this is skipped before anything is released
    customers = some_customers(flow, churn.release)
    before = versions(flow, customers)
    assert set(before) == {churn.release}
    for number, name in enumerate(NAMES, 11):
        write_churn(tmp_path, name, 2_500, seed=number)
    batch = RawBatch("in-chromium", tuple(sorted(tmp_path.iterdir())), {}, USE_CASE)
    with person(flow.stack.mailbox_url, ADDRESS) as tess:

        def decide(mail: dict[str, Any]) -> None:
            tess.open_mail(mail["subject"])
            tess.look(mail["subject"])
            decided_by(tess, mail["subject"].split()[3])

        done = make_release(flow.stack, batch, decide)
        assert done.execution["status"] == "SUCCEEDED", done.execution.get("cause")
        assert versions(flow, customers) == [done.release, done.release, churn.release]
        told = tess.open_mail(f"Released: {done.release}")
        assert WHY_NOT in told
        tess.follow("/runs/")
        tess.look(f"Release {done.release} went live")

        run = taken_back_by(tess, done.release)
        back = follow_release(flow.stack, run, Listener())
        assert back.execution["status"] == "SUCCEEDED", back.execution.get("cause")
        assert WRONG_FILE in tess.open_mail(f"Roll-back {run}: it was taken back")
        assert versions(flow, customers) == before
        tess.open_mail(f"Released: {done.release}")
        tess.follow("/take-back")
        tess.look("This is not possible")
        assert f"Release {done.release} does not answer any more" in tess.text()
        assert sorted(each["status"] for each in flow.packages(churn.release)) == ["Approved"] * 3
        assert {each["status"] for each in flow.packages(done.release)} == {"Rejected"}
