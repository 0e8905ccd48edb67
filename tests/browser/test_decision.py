"""A person decides about a release in Chromium, from the mailbox to the outcome, and takes it back.

Runs with the tests of the flow, in their stack (see tests/conftest.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from operations.batch import RawBatch
from operations.releases import FinishedRelease, Listener, follow_release, make_release
from tests.support.churn_export import write_churn
from tests.support.churn_release import USE_CASE
from tests.support.flow import Flow
from tests.support.person import person
from tests.support.requirements import chromium

pytestmark = pytest.mark.timeout(3600)
ADDRESS = "approver@example.com"
NAMES = ("DummyDim1", "DummyDim2", "DummyDim3")
WHY = "Too few of these customers were asked."


def versions(flow: Flow) -> dict[str, str]:
    """Dimension -> the version of the model that answers for its customers."""
    # As write_churn numbers them.
    asked = {name: f"{name} " for name in NAMES}
    return asked


def test_two_models_are_approved_one_is_rejected_and_all_is_taken_back(
    flow: Flow, churn: FinishedRelease, tmp_path: Path
) -> None:
    chromium()  # or this is skipped before anything is released
    for number, name in enumerate(NAMES, 1):
        write_churn(tmp_path, name, 2_500, seed=number)
    batch = RawBatch("in-chromium", tuple(sorted(tmp_path.iterdir())), {}, USE_CASE)
    with person(flow.stack.mailbox_url, ADDRESS) as tess:

        def decide(mail: dict[str, Any]) -> None:
            tess.open_mail(mail["subject"])
            tess.follow("/approvals/")
            tess.look("Warning")
            page = tess.page
            page.get_by_label("DummyDim3", exact=True).uncheck()
            page.get_by_label("Why you reject those without a tick").fill(WHY)
            page.get_by_label("Approve: the models with a tick go live").check()
            page.get_by_label("Your reason").fill("The other two look right.")
            page.get_by_role("button", name="Go on").click()
            tess.look("Check your answer")
            release = mail["subject"].split("release ")[1].split(" ")[0]
            page.get_by_label("The code from the e-mail").fill(tess.code_of(f"decide about release {release}"))
            page.get_by_role("button", name="Record my decision").click()
            tess.look(f"Release {release} was approved")

        done = make_release(flow.stack, batch, decide)
        assert done.execution["status"] == "SUCCEEDED", done.execution.get("cause")
        tess.open_mail(f"Released: {done.release}")
        for name, text in tess.seen.items():
            Path(f"/tmp/seen-{name.split()[0]}.txt").write_text(text)
