"""Decisions by several people, by the rules, and about several releases at once, through the real state machine.

All tests of this folder are slow, so that a run of the others does not deploy a stack for it.
"""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as parquet
import pytest
import yaml

from operations import approvers, decisions, releases
from operations.batch import RawBatch
from operations.deploy import confirm_subscription
from operations.releases import Decision
from tenant_experience import data_layout
from tests.support.churn_export import write_churn
from tests.support.churn_release import USE_CASE
from tests.support.drives import Drive
from tests.support.flow import Flow
from tests.support.follow_up import follow_up
from tests.support.waiting import until

pytestmark = pytest.mark.slow
FIRST, BEN, CAT = "approver@example.com", "ben@example.com", "cat@example.com"
DAY = 86400
CUSTOMERS = 2_500


class Releases:
    """Releases of generated customers, each by rules of its own.

    Args:
        flow: the stack.
        folder: for the files.
    """

    def __init__(self, flow: Flow, folder: Path) -> None:
        self.flow = flow
        self._folder = folder
        self._made = 0
        self.first = ""
        for number in (1, 2, 3):
            write_churn(folder, f"DummyDim{number}", CUSTOMERS, seed=number)

    def start(self, *dimensions: str, **rules: Any) -> Drive:
        """A release of some dimensions, or of all, which waits for nobody but its approvers."""
        self._made += 1
        files = [path for path in sorted(self._folder.iterdir()) if not dimensions or path.stem in dimensions]
        drive = Drive(self.flow, decide=lambda _mail: None)
        drive.start(RawBatch(f"decided-{self._made}", tuple(files), {}, USE_CASE))
        s3, key = boto3.client("s3"), data_layout.use_case_snapshot(drive.release) + "use_case.yaml"
        document = yaml.safe_load(s3.get_object(Bucket=self.flow.bucket, Key=key)["Body"].read())
        s3.put_object(
            Bucket=self.flow.bucket, Key=key, Body=yaml.safe_dump(document | {"approval": rules}, sort_keys=False)
        )
        return drive

    def mail(self, drive: Drive, to: str) -> dict[str, Any]:
        """The request to one approver."""
        return self.flow.mailbox.wait_for(f"Decision needed: release {drive.release}", to=to, seconds=600)

    def decide(self, drive: Drive, by: str, *, choice: str = "approve", rejected: tuple[str, ...] = ()) -> None:
        """Both forms of one approver."""
        said = Decision(choice, "", f"{choice}, says {by.partition('@')[0]}", rejected)
        releases.decide(self.flow.stack, self.mail(drive, by), said)

    def request(self, drive: Drive) -> dict[str, Any]:
        """As GET /approvals tells it."""
        listed = decisions.listed(self.flow.stack, USE_CASE, None, 50)
        return next(each for each in listed if each["id"] == drive.release)

    def live(self) -> dict[str, str]:
        """Partition -> version."""
        live = self.flow.live(USE_CASE)
        assert live is not None
        models: dict[str, str] = live["models"]
        return models

    def answered_by(self, dimension: str) -> str:
        """The version that answers for a customer of a dimension."""
        key = f"features/{self.first}/features.parquet"
        body = boto3.client("s3").get_object(Bucket=self.flow.bucket, Key=key)["Body"].read()
        rows = parquet.read_table(io.BytesIO(body), columns=["customer_id", "dimension"]).to_pylist()
        customer = next(row["customer_id"] for row in rows if row["dimension"] == dimension)
        answer = self.flow.ask_predictions(USE_CASE, json={"ids": [customer]})
        return str(answer.json()["predictions"][0]["model_version"])


@pytest.fixture(scope="module")
def made(flow: Flow, tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """Three approvers, of whom two were added on the command line, and a first release, which people decided about."""
    for address in (BEN, CAT):
        approvers.add(flow.stack, address)
        flow.mailbox.wait_for("Subscription Confirmation", to=address)
    assert confirm_subscription(flow.stack)
    assert {each.address for each in approvers.listed(flow.stack) if each.approver} == {FIRST, BEN, CAT}
    made = Releases(flow, tmp_path_factory.mktemp("decided"))
    first = made.start(mode="automatic")
    made.first = first.release
    assert "It is the first release of its use case" in made.mail(first, CAT)["text"]
    made.decide(first, CAT)
    stop = first.follow()
    assert (stop.status, stop.error, stop.cause) == ("SUCCEEDED", "", "")
    assert set(made.live().values()) == {first.release}
    return made


def test_the_rules_approve_what_nothing_speaks_against_and_nobody_is_asked(made: Releases) -> None:
    drive = made.start(mode="automatic", quorum=3)
    stop = drive.follow()
    assert not drive.mails(f"Decision needed: release {drive.release}"), made.mail(drive, CAT)["text"]
    assert (stop.status, stop.error) == ("SUCCEEDED", "")
    reasons = {reason for _, reason in stop.packages}
    assert len(reasons) == 1
    assert "approved by the rules of the use case: approved automatically: " in next(iter(reasons))
    assert made.request(drive)["votes"][0]["name"] == "the rules of the use case"
    assert set(made.live().values()) == {drive.release}
    told = made.flow.mailbox.wait_for(f"Released: {drive.release}", to=BEN)["text"]
    assert "no warning stands" in told


def test_two_must_approve_and_what_one_rejects_keeps_its_answers(made: Releases) -> None:
    before = made.live()
    kept = sorted(before)[0]
    drive = made.start(quorum=2)
    made.decide(drive, BEN, rejected=(kept,))
    first = made.request(drive)
    assert (first["status"], [each["address"] for each in first["votes"]]) == ("pending", [BEN])
    assert made.live() == before

    # Half of the time is over: those who have not answered are reminded once, with a link that works.
    now = int(time.time())
    assert follow_up(made.flow, now + 4 * DAY) == {"reminded": 2}
    assert follow_up(made.flow, now + 4 * DAY) == {}
    reminder = made.flow.mailbox.wait_for("Reminder: decision needed", to=CAT)
    assert made.flow.http.get(reminder["links"][0]).status_code == 200
    assert made.flow.mailbox.find("Reminder: decision needed", to=BEN) is None

    made.decide(drive, CAT)
    stop = drive.follow()
    assert (stop.status, stop.error) == ("SUCCEEDED", "")
    assert sorted(status for status, _ in stop.packages) == ["Approved", "Approved", "Rejected"]
    assert made.live() == {slug: before[slug] if slug == kept else drive.release for slug in before}
    by_dimension = {name: made.answered_by(name) for name in ("DummyDim1", "DummyDim2", "DummyDim3")}
    assert sorted(by_dimension.values()) == sorted([before[kept], drive.release, drive.release])
    late = made.flow.http.get(made.mail(drive, FIRST)["links"][0])
    assert "was approved" in late.text
    assert "<form" not in late.text


def test_a_newer_request_takes_the_place_of_the_older_and_is_withdrawn(made: Releases) -> None:
    before = made.live()
    older = made.start("DummyDim2", "DummyDim3")
    mail = made.mail(older, BEN)
    newer = made.start("DummyDim2", "DummyDim3")
    stop = older.follow()
    assert (stop.status, stop.error) == ("FAILED", "ReleaseSuperseded")
    page = made.flow.http.get(mail["links"][0]).text
    assert newer.release in page
    assert "<form" not in page

    until(lambda: made.mail(newer, CAT), "nobody was asked about the newer release")
    releases.withdraw(made.flow.stack, newer.release, "the wrong file")
    stop = newer.follow()
    assert (stop.status, stop.error) == ("FAILED", "ReleaseWithdrawn")
    assert "the wrong file" in made.flow.mailbox.wait_for(f"Release {newer.release}: it was withdrawn", to=CAT)["text"]
    assert made.live() == before
