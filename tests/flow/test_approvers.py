"""Who is asked, reminded and told, and what is kept about it, on the deployed stack."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from operations import approvers, decisions
from operations.batch import USE_CASE
from operations.deploy import confirm_subscription
from operations.releases import FinishedRelease
from tests.support.flow import Flow
from tests.support.follow_up import follow_up
from tests.support.waiting import until

APPROVER = "approver@example.com"
DAY = 86400


def exported(flow: Flow, release: str) -> dict[str, dict[str, Any]]:
    """The audit of a release in S3, by key."""
    s3, bucket = boto3.client("s3"), flow.stack.outputs["AuditBucket"]
    found = s3.list_objects_v2(Bucket=bucket, Prefix=f"audit/{USE_CASE}/{release}/").get("Contents", [])
    return {each["Key"]: json.loads(s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()) for each in found}


def pending_copy(flow: Flow, release: str, name: str, expires_at: int) -> None:
    """A request that waits, made from one that was decided; no execution waits for it."""
    table, client = flow.stack.outputs["ReleaseTableName"], boto3.client("dynamodb")
    item = client.get_item(TableName=table, Key={"id": {"S": f"approval#{release}"}})["Item"]
    for past in ("votes", "outcome", "decided_at", "delivering", "delivered", "approver", "reason"):
        item.pop(past, None)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    changed = {"id": {"S": f"approval#{name}"}, "status": {"S": "pending"}, "requested_at": {"S": now}}
    client.put_item(TableName=table, Item={**item, **changed, "expires_at": {"N": str(expires_at)}})


def test_a_decision_is_listed_and_audited_and_a_reminder_is_sent_once(flow: Flow, first: FinishedRelease) -> None:
    (told,) = [each for each in decisions.listed(flow.stack, USE_CASE, "approved", 50) if each["id"] == first.release]
    assert [vote["address"] for vote in told["votes"]] == [APPROVER]
    assert flow.get("/approvals").status_code == 403  # an API key is not enough

    wanted = {"asked", "decided", "delivered"}
    until(
        lambda: wanted <= {row["event"] for row in exported(flow, first.release).values()}, "the audit was not exported"
    )
    rows = exported(flow, first.release)
    assert {row["address"] for row in rows.values() if row["event"] == "asked"} == {APPROVER}
    with pytest.raises(ClientError, match="AccessDenied"):
        boto3.client("s3").delete_object(Bucket=flow.stack.outputs["AuditBucket"], Key=next(iter(rows)))
    key = {"release": {"S": first.release}, "at": {"S": next(iter(rows.values()))["at"]}}
    with pytest.raises(ClientError, match="AccessDenied"):
        boto3.client("dynamodb").delete_item(TableName=flow.stack.outputs["AuditTableName"], Key=key)

    now = int(time.time())
    pending_copy(flow, first.release, "reminded-1", now + 7 * DAY)
    assert follow_up(flow, now + 3 * DAY) == {}
    assert follow_up(flow, now + 4 * DAY) == {"reminded": 1}
    assert follow_up(flow, now + 4 * DAY) == {}
    mail = flow.mailbox.wait_for("Reminder: decision needed")
    assert mail["to"] == APPROVER
    assert flow.http.get(mail["links"][0]).status_code == 200
    assert follow_up(flow, now + 7 * DAY) == {"expired": 1, "delivered": 1}
    assert "reminded-1" in [each["id"] for each in decisions.listed(flow.stack, None, "expired", 50)]


@pytest.mark.slow
def test_without_an_approver_a_release_ends_before_its_first_job_and_a_redrive_resumes(flow: Flow) -> None:
    approvers.remove(flow.stack, APPROVER)
    try:
        done = flow.release(flow.events(seed=77))
        assert (done.execution["status"], done.execution["error"]) == ("FAILED", "ApproverNotSubscribedError")
        names = [
            each["ProcessingJobName"]
            for each in boto3.client("sagemaker").list_processing_jobs()["ProcessingJobSummaries"]
        ]
        assert not [name for name in names if done.release in name]
        told = flow.mailbox.wait_for(f"Release {done.release}: nobody can be asked to approve it")["text"]
        assert "tenx approvers add ADDRESS" in told
    finally:
        approvers.add(flow.stack, APPROVER)
        assert confirm_subscription(flow.stack)
    client, arn = boto3.client("stepfunctions"), done.execution["executionArn"]
    client.redrive_execution(executionArn=arn)
    mail = flow.mailbox.wait_for(f"Decision needed: release {done.release}")
    flow.decide(mail)
    until(
        lambda: client.describe_execution(executionArn=arn)["status"] == "SUCCEEDED", "the redriven release did not end"
    )
