"""A request for a decision on the deployed stack, and a small execution that waits for it: no model is trained."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import boto3
import httpx
import pytest

from operations import approvers
from operations.mailbox import Form
from operations.releases import _CODE as CODE
from tenant_experience.aws import approval_mail, approvals, link_signature, notifications, release_table
from tenant_experience.release.approval import Approval, Asked
from tenant_experience.release.release import iso_time
from tests.support.flow import Flow
from tests.support.requests_for_decision import request
from tests.support.waiting import until

_CLIENTS = (release_table.dynamodb, link_signature.kms, notifications.sns)
_MACHINE = "waits-for-a-decision"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@dataclass(frozen=True)
class WaitingRequest:
    """A request, the execution that waits for it, and the links that were mailed.

    Attributes:
        flow: the stack.
        approval: the request as it was opened.
        arn: of the execution.
        mails: address -> the e-mail with the link.
    """

    flow: Flow
    approval: Approval
    arn: str
    mails: dict[str, dict[str, Any]]

    @property
    def release(self) -> str:
        return self.approval.approval_id

    def link(self, address: str) -> str:
        return str(self.mails[address]["links"][0])

    def stored(self) -> Approval:
        """The request as it is now."""
        return approvals.read_approval(self.release)[0]

    def history(self, kind: str = "") -> list[dict[str, Any]]:
        """The events of the execution whose type contains this."""
        found = boto3.client("stepfunctions").get_execution_history(executionArn=self.arn)["events"]
        return [dict(event) for event in found if kind in event["type"]]

    def status(self) -> str:
        """Of the execution."""
        return boto3.client("stepfunctions").describe_execution(executionArn=self.arn)["status"]

    def audited(self) -> list[dict[str, Any]]:
        """The rows of the audit, without their details."""
        table = self.flow.stack.outputs["AuditTableName"]
        found = boto3.client("dynamodb").query(
            TableName=table,
            KeyConditionExpression="#release = :release",
            ExpressionAttributeNames={"#release": "release"},
            ExpressionAttributeValues={":release": {"S": self.release}},
        )
        return [{name: value["S"] for name, value in item.items()} for item in found["Items"]]

    def first_form(self, address: str, **fields: Any) -> Form:
        """The first form of an approver's page, filled in."""
        form = Form.of(self.flow.http.get(self.link(address)))
        return replace(form, fields={**form.fields, **{name: [value] for name, value in fields.items()}})

    def second_form(self, address: str, decision: str) -> Form:
        """The form that records an answer, with its code."""
        page = self.first_form(address, decision=decision, reason="looks right").submit({})
        assert page.status_code == 200, page.text
        told = self.flow.mailbox.wait_for(f"Your code to decide about release {self.release}", to=address)
        found = CODE.search(told["text"])
        assert found is not None
        form = Form.of(page)
        return replace(form, fields={**form.fields, "code": [found[0]]})


@contextmanager
def settings(flow: Flow) -> Iterator[None]:
    """What the functions of a decision read from their environment, for this process."""
    outputs = flow.stack.outputs
    given = {
        "RELEASE_TABLE": outputs["ReleaseTableName"],
        "AUDIT_TABLE": outputs["AuditTableName"],
        "APPROVAL_TOPIC": outputs["ApprovalTopicArn"],
        "LINK_KEY": flow.stack.physical_id("LinkKey"),
        "API_URL": outputs["ApiUrl"].rstrip("/"),
    }
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        for client in _CLIENTS:
            client.cache_clear()
        yield
        for client in _CLIENTS:
            client.cache_clear()


@contextmanager
def more_approvers(flow: Flow, *addresses: str) -> Iterator[None]:
    """Subscribe addresses, confirm them as an operator does, and end that afterwards: others use the stack as well."""
    try:
        for address in addresses:
            approvers.add(flow.stack, address)
            approvers.confirm(flow.stack, flow.mailbox.wait_for("Subscription Confirmation", to=address)["links"][0])
        yield
    finally:
        for each in approvers.listed(flow.stack):
            if each.address in addresses:
                approvers.remove(flow.stack, each.address)


def open_waiting(flow: Flow, approval_id: str, addresses: Sequence[str], **changes: Any) -> WaitingRequest:
    """Within ``settings``: start the execution, open the request, and send the links."""
    arn = boto3.client("stepfunctions").start_execution(stateMachineArn=_machine(flow))["executionArn"]
    now = int(time.time())
    made = request(
        approval_id,
        execution_arn=arn,
        expires_at=now + 3600,
        requested_at=iso_time(now),
        started_at=iso_time(now),
        asked=tuple(Asked(each) for each in addresses),
        **changes,
    )
    opened = approvals.open_approval(made, _token(approval_id), now=now)
    for asked in opened.asked:
        approval_mail.ask(opened, asked, iso_time(now))
    subject = f"Decision needed: release {approval_id} "
    mails = {each: flow.mailbox.wait_for(subject, to=each) for each in addresses}
    return WaitingRequest(flow, opened, arn, mails)


def _queue() -> str:
    return boto3.client("sqs").create_queue(QueueName=_MACHINE)["QueueUrl"]


def _token(approval_id: str) -> str:
    client, url = boto3.client("sqs"), _queue()
    found: list[str] = []

    def received() -> bool:
        for message in client.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(json.loads(message["Body"])["token"])
        return bool(found)

    until(received, f"no execution waits for {approval_id}")
    return found[0]


def _machine(flow: Flow) -> str:
    """A state machine that waits once, and goes on; whoever delivers decisions may answer it."""
    iam, states = boto3.client("iam"), boto3.client("stepfunctions")
    known = [each for each in states.list_state_machines()["stateMachines"] if each["name"] == _MACHINE]
    if known:
        return known[0]["stateMachineArn"]
    role = iam.create_role(RoleName=_MACHINE, AssumeRolePolicyDocument=json.dumps(_TRUST))["Role"]["Arn"]
    _allow(_MACHINE, "sqs:SendMessage", "*")
    definition = {
        "StartAt": "Wait",
        "States": {
            "Wait": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "Parameters": {"QueueUrl": _queue(), "MessageBody": {"token.$": "$$.Task.Token"}},
                "Next": "GoOn",
            },
            "GoOn": {"Type": "Pass", "End": True},
        },
    }
    made = states.create_state_machine(name=_MACHINE, roleArn=role, definition=json.dumps(definition))
    for logical_id in ("Approvals", "FollowUpApprovals"):
        name = flow.stack.physical_id(logical_id)
        arn = boto3.client("lambda").get_function_configuration(FunctionName=name)["Role"]
        _allow(arn.rpartition("/")[2], "states:SendTaskSuccess", made["stateMachineArn"])
    return made["stateMachineArn"]


def _allow(role: str, action: str, resource: str) -> None:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    boto3.client("iam").put_role_policy(RoleName=role, PolicyName=_MACHINE, PolicyDocument=json.dumps(document))


def told(page: httpx.Response) -> str:
    """The text of a page on one line."""
    return " ".join(page.text.split())
