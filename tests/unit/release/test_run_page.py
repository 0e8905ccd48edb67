"""What the page of a run says, in every state in which a run can be."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tenant_experience.release import run_page
from tenant_experience.release.decision_record import Asked, DecisionRecord, Vote, read
from tenant_experience.release.failure import Failure
from tenant_experience.release.run_history import Run, Shards, Stage, StageStatus
from tests.support.places import ROOT

START = datetime(2026, 11, 29, 10, 3, tzinfo=UTC)
GIVEN = {"use_case": "tenant_experience", "batch": "november"}
RECORD = DecisionRecord(
    approval_id="20261129-abcdef0",
    kind="release",
    use_case="tenant_experience",
    execution_arn="arn",
    expires_at=1796551320,
    asked=(Asked("ada@example.com", "a"), Asked("ben@example.com", "b")),
    votes=(),
    quorum=1,
    rejected={},
)


def stage(name: str, status: StageStatus = "done", kind: str = "Task") -> Stage:
    ended = None if status in ("running", "waiting") else START + timedelta(seconds=200)
    return Stage(name, kind, status, START, ended)


def run(status: str, *stages: Stage, error: str = "", cause: str = "") -> Run:
    ended = None if status == "RUNNING" else START + timedelta(hours=2)
    return Run("20261129-abcdef0", status, START, ended, GIVEN, error, cause, stages)


def page(of: Run, record: DecisionRecord | None = None, *shards: Failure) -> run_page.RunPage:
    return run_page.describe(of, record, shards, START + timedelta(minutes=5))


def test_a_run_says_what_it_does_and_loads_itself_again() -> None:
    found = page(
        run("RUNNING", stage("Begin", kind="Pass"), stage("BuildFeatures"), stage("IngestFeatures", "running"))
    )
    assert (found.title, found.heading, found.tone) == ("Release 20261129-abcdef0", "is running", "running")
    assert found.lines == ("What it does now: Store the features.",)
    assert found.refreshes
    assert found.has_data_quality
    assert [(row.words, row.status, row.started, row.took) for row in found.stages] == [
        ("Compute the features", "done", "10:03 UTC", "3 min"),
        ("Store the features", "running", "10:03 UTC", "5 min"),
    ]
    assert dict(found.facts) == {
        "Use case": "tenant experience",
        "Batch": "raw/tenant_experience/november/",
        "Started": "29 November 2026, 10:03 UTC",
        "Runs for": "5 min",
    }


def test_a_run_that_waits_says_for_whom_and_until_when() -> None:
    waiting = run("RUNNING", stage("RequestApproval", "waiting"))
    found = page(waiting, RECORD)
    assert (found.heading, found.tone) == ("waits for a decision", "waiting")
    assert found.lines[:2] == (
        "Asked: ada@example.com, ben@example.com.",
        "It waits until 6 December 2026, 10:02 UTC. If nobody decides by then, nothing changes.",
    )
    voted = replace(RECORD, quorum=2, votes=(Vote("Ada", "good"),))
    assert page(waiting, voted).lines[1] == "1 answered; 2 have to approve."
    assert page(waiting).lines == ("The request for a decision is being sent.",)


def test_a_release_that_went_live_says_who_decided() -> None:
    record = replace(RECORD, votes=(Vote("Ada", "looks right"),), rejected={"rents": "too few"})
    found = page(run("SUCCEEDED", stage("PublishRelease"), stage("Released", kind="Succeed")), record)
    assert (found.heading, found.tone, found.refreshes) == ("went live", "good", False)
    assert found.lines[1:] == ("Decided by Ada: looks right", "Not approved: rents: too few")
    assert [row.words for row in found.stages] == ["Make the release live"]


@pytest.mark.parametrize("end", ["Served", "HistoryRecorded"])
def test_a_run_that_trained_nothing_is_not_called_live(end: str) -> None:
    assert "live" not in page(run("SUCCEEDED", stage(end, kind="Succeed"))).heading


def test_a_failure_is_a_sentence_with_a_next_step() -> None:
    cause = json.dumps({"ProcessingJobName": "te-r-build-features-0-0", "ProcessingJobStatus": "Failed"})
    found = page(run("FAILED", stage("BuildFeatures", "failed"), error="States.TaskFailed", cause=cause))
    assert (found.heading, found.tone) == ("did not go live: a job failed", "bad")
    assert found.lines == ("The job that computes the features failed.",)
    assert "redrives" in found.advice
    assert not found.has_data_quality
    rejected = page(run("FAILED", error="ReleaseRejected", cause="Rejected by Ada: no"))
    assert (rejected.heading, rejected.tone) == ("did not go live: it was rejected", "over")


def test_three_of_many_failed_parts_are_told() -> None:
    failures = [Failure("States.TaskFailed", "{}", shard) for shard in range(5)]
    found = page(run("FAILED", error="States.ExceedToleratedFailureThreshold"), None, *failures)
    assert len(found.lines) == 4
    assert found.lines[-1] == "2 more of its models failed too."


def test_the_parts_of_a_map_are_counted() -> None:
    mapped = replace(stage("TrainModels", "running", "Map"), shards=Shards(9, 3, 1, 2))
    assert page(run("RUNNING", mapped)).stages[0].shards == "3 of 9 parts done, 1 failed"


def test_a_roll_back_is_called_so() -> None:
    found = page(replace(run("FAILED", error="States.Timeout"), name="rb-20261129-abc"))
    assert (found.title, found.heading) == ("Roll-back rb-20261129-abc", "was not taken: a step took too long")


def test_every_task_of_the_machines_has_words() -> None:
    for machine in ("train_and_release", "roll_back"):
        path = ROOT / "statemachine" / f"{machine}.asl.json"
        states = json.loads(path.read_text())["States"] if path.exists() else {}
        tasks = {name for name, state in states.items() if state["Type"] in ("Task", "Map", "Parallel")}
        assert tasks <= set(run_page.STAGES), f"give {tasks - set(run_page.STAGES)} words in release/run_page.py"
    assert run_page.words("ServeSomethingElse") == "Serve something else"


def test_a_stage_of_another_day_says_which() -> None:
    later = replace(stage("SmokeTest"), started=START + timedelta(days=2))
    assert page(run("RUNNING", later)).stages[0].started == "1 December, 10:03 UTC"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3600, "1 h"), (7800, "2 h 10 min"), (3 * 86400, "3 days")],
)
def test_a_duration_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert run_page.duration(seconds) == said


def test_a_request_of_an_earlier_version_is_read_too() -> None:
    record = read({"id": "approval#r1", "status": "approved", "approver": "Ada", "reason": "good", "expires_at": 7})
    assert (record.approval_id, record.expires_at, record.asked) == ("r1", 7, ())
    assert record.votes == (Vote("Ada", "good"),)


def test_a_request_of_now_is_read_with_its_votes() -> None:
    vote = {"address": "ada@example.com", "name": "Ada", "approved": "all", "reason": "good"}
    record = read(
        {
            "id": "approval#r1",
            "asked": [{"address": "ada@example.com", "id": "a"}, {"id": "b"}],
            "votes": {"a": vote},
            "rules": '{"quorum": 2}',
            "outcome": '{"approved": ["all"], "rejected": {"too few": ["rents-1"]}}',
            "partitions": '{"rents-1": "rents"}',
        }
    )
    assert record.asked == (Asked("ada@example.com", "a"),)
    assert record.votes == (Vote("ada@example.com (Ada)", "good"),)
    assert (record.quorum, dict(record.rejected)) == (2, {"rents": "too few"})
