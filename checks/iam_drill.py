"""Take away one allowed action after another, and see what needs it fail with AccessDenied.

    make iam-drill

A stack of its own (``.local/drill``) makes one release; of the permissions it used, a seeded choice is removed from the
live roles one at a time, the smallest piece that needs each is run, and the policy is put back. What belongs to the
flow is walked through by one execution that fails, is redriven with the permission back and the next one gone, and
succeeds in the end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
from rich.console import Console

from checks.iam_report import Permission
from demo import batch, laptop, run
from demo.generate_events import generate
from demo.mailbox import Form, Mailbox

STATE = laptop.LOCAL / "drill"
STACK_NAME = "tenant-experience"
_LIMIT_S = 120.0
# Needed once in a stack's life, which the first release was; or by nothing whose failure a caller sees.
_ONCE = ("CreateFeatureGroup", "CreateModelPackageGroup", "CreateEndpoint", "CreateEndpointConfig", "CreateModel")
_UNSEEN = ("logs:", "sagemaker:List", "sagemaker:DescribeModelPackageGroup")
_BY_REQUEST = ("FeaturesRole", "PredictionsRole", "StartReleaseRole", "NotifyFailureRole")


@dataclass(frozen=True)
class Grant:
    """A permission where it stands: in an inline policy of a deployed role."""

    role_name: str
    policy: str
    permission: Permission

    def __str__(self) -> str:
        return (
            f"{self.permission.role:20} {self.permission.action:32} {self.permission.resource.split(':', 2)[-1][:60]}"
        )


@dataclass(frozen=True)
class Result:
    """What one removal led to."""

    grant: Grant
    by: str
    evidence: str
    seconds: float

    @property
    def is_refused(self) -> bool:
        """Whether anything says so."""
        return bool(self.evidence)


def grants() -> list[Grant]:
    """Every permission of the stack's inline policies."""
    iam = boto3.client("iam")
    found = []
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        if not name.startswith(f"{STACK_NAME}-"):
            continue
        logical = name.removeprefix(f"{STACK_NAME}-").partition("-")[0]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document: Any = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for statement in document["Statement"]:
                found += [
                    Grant(name, policy, Permission(logical, action, resource))
                    for action in _as_list(statement["Action"])
                    for resource in _as_list(statement["Resource"])
                ]
    return found


@contextmanager
def removed(grant: Grant) -> Iterator[None]:
    """The role without this permission, for as long as the block runs."""
    iam = boto3.client("iam")
    whole: Any = iam.get_role_policy(RoleName=grant.role_name, PolicyName=grant.policy)["PolicyDocument"]
    without = {**whole, "Statement": [part for each in whole["Statement"] for part in _parts(each, grant.permission)]}
    if without["Statement"]:
        put = {"RoleName": grant.role_name, "PolicyName": grant.policy}
        iam.put_role_policy(**put, PolicyDocument=json.dumps(without))
    else:
        iam.delete_role_policy(RoleName=grant.role_name, PolicyName=grant.policy)
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=grant.role_name, PolicyName=grant.policy, PolicyDocument=json.dumps(whole))


def _parts(statement: dict[str, Any], gone: Permission) -> list[dict[str, Any]]:
    """A statement without one action on one resource: in two pieces, where both have others beside them."""
    actions, resources = _as_list(statement["Action"]), _as_list(statement["Resource"])
    if gone.action not in actions or gone.resource not in resources:
        return [statement]
    others = [action for action in actions if action != gone.action]
    elsewhere = [resource for resource in resources if resource != gone.resource]
    parts = []
    if others:
        parts.append({**statement, "Action": others})
    if elsewhere:
        parts.append({**statement, "Action": gone.action, "Resource": elsewhere})
    return parts


def noted(state: Path, grant: Grant, *, allowed: bool) -> int | None:
    """The line of ``iam_actions.jsonl`` where the permission was first used, or first missed; None when never."""
    lines = (state / "iam_actions.jsonl").read_text().splitlines()
    for number, text in enumerate(lines):
        line = json.loads(text)
        same = line["principal"] == grant.role_name and line["allowed"] == allowed
        if same and grant.permission.covers(line["action"], line["resource"]):
            return number
    return None


def candidates(state: Path) -> list[Grant]:
    """What was used and can be missed again, in the order of its first use."""
    used = {}
    for grant in grants():
        action = grant.permission.action
        once = action.partition(":")[2] in _ONCE or (action == "iam:PassRole" and "Train" not in grant.role_name)
        if once or action.startswith(_UNSEEN) or grant.permission.role == "OfflineStoreRole":
            continue
        first = noted(state, grant, allowed=True)
        if first is not None:
            used[grant] = first
    return sorted(used, key=lambda grant: used[grant])


class Drill:
    """A stack, one finished release of it, and one that is being walked through."""

    def __init__(self, stack: laptop.Stack, state: Path, work: batch.Batch, tenant: str) -> None:
        self._stack = stack
        self._state = state
        self._work = work
        self._tenant = tenant
        self._states = boto3.client("stepfunctions")
        self._arn = ""

    def try_without(self, grant: Grant) -> Result:
        """Remove, run what needs it, put back."""
        started = time.monotonic()
        role, action = grant.permission.role, grant.permission.action
        if action.startswith("events:"):
            by, piece = "UpdateStateMachine", self._update_machine
        elif role in _BY_REQUEST:
            by, piece = f"one call of {role.removesuffix('Role')}", lambda: self._request(role, action)
        elif role == "ApprovalsRole":
            by, piece = "the approval page", lambda: self._approval(action)
        else:
            by, piece = "the execution", self._go_on
        if role == "ApprovalsRole":
            self._go_on(decides=False)
        with removed(grant):
            text = piece()
            evidence = _evidence(text, grant)
            if not evidence and noted(self._state, grant, allowed=False) is not None:
                evidence = f"{text[:40]} (the server noted the refusal)"
        return Result(grant, by, evidence, time.monotonic() - started)

    def finish(self) -> str:
        """Let the walked execution end with every permission in place; its status."""
        if not self._arn:
            return "none was needed"
        return self._go_on()[:300] or str(self._describe()["status"])

    def _update_machine(self) -> str:
        machine = self._states.describe_state_machine(stateMachineArn=self._stack.outputs["StateMachineArn"])
        try:
            self._states.update_state_machine(
                stateMachineArn=machine["stateMachineArn"], definition=machine["definition"]
            )
        except self._states.exceptions.ClientError as refused:
            return str(refused)
        return ""

    def _request(self, role: str, action: str) -> str:
        if role in ("FeaturesRole", "PredictionsRole"):
            headers = {"x-api-key": self._stack.api_key}
            if action == "sagemaker:BatchGetRecord":
                url, ids = f"{self._stack.api_url}/predictions", {"tenant_ids": [self._tenant]}
                return _said(httpx.post(url, json=ids, headers=headers, timeout=60))
            last = "features" if role == "FeaturesRole" else "prediction"
            url = f"{self._stack.api_url}/tenants/{self._tenant}/{last}"
            return _said(httpx.get(url, headers=headers, timeout=60))
        bucket = self._stack.outputs["DataBucket"]
        key = f"raw/{batch.USE_CASE}/drill/manifest.json"
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        event: dict[str, Any] = {"id": "drill", "time": now, "source": "aws.s3", "detail-type": "Object Created"}
        event["detail"] = {"bucket": {"name": bucket}, "object": {"key": key, "sequencer": f"{time.time_ns():X}"}}
        if action == "sns:Publish" and role == "StartReleaseRole":
            event["detail"]["object"]["key"] = "raw/unknown/drill/manifest.json"  # a refused batch is told by e-mail
        if role == "NotifyFailureRole":
            event["detail"] = {
                "name": "drill",
                "status": "FAILED",
                "error": "E",
                "cause": "c",
                "executionArn": "a:b:c:d:e:f:g:drill",
            }
        return self._invoke(role.removesuffix("Role"), event)

    def _invoke(self, logical: str, event: dict[str, Any]) -> str:
        function = boto3.client("cloudformation").describe_stack_resource(
            StackName=STACK_NAME, LogicalResourceId=logical
        )["StackResourceDetail"]["PhysicalResourceId"]
        answer = boto3.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
        return answer["Payload"].read().decode() if "FunctionError" in answer else ""

    def _approval(self, action: str) -> str:
        mail = Mailbox(self._stack.mailbox_url).wait_for(f"Decision needed: release {self._release}", seconds=30)
        page = httpx.get(mail["links"][0], timeout=60)
        if page.status_code != httpx.codes.OK or action in ("dynamodb:GetItem", "kms:VerifyMac"):
            return _said(page)
        fields = {"decision": "approve", "approver": "Drill", "reason": "every permission is in its place"}
        form = Form.of(page)  # without fields where a decision was recorded and has yet to be delivered
        return _said(form.submit({name: value for name, value in fields.items() if name in form.names}))

    @property
    def _release(self) -> str:
        return self._arn.rpartition(":")[2]

    def _go_on(self, *, decides: bool = True) -> str:
        """Start, or redrive, until it ends (or waits for a decision, unless it ``decides``); why it failed."""
        if not self._arn:
            machine = self._stack.outputs["StateMachineArn"]
            before = self._executions(machine)
            batch.upload(self._work, self._stack.outputs["DataBucket"])
            while not (new := self._executions(machine) - before):
                time.sleep(0.1)
            (self._arn,) = new
        elif self._describe()["status"] != "RUNNING":
            if self._describe()["status"] == "SUCCEEDED":
                return ""
            self._states.redrive_execution(executionArn=self._arn)
        self._wait()
        if decides and self._describe()["status"] == "RUNNING":
            self._approval("")
            self._wait(until_decision=False)
        ended = self._describe()
        if ended["status"] != "FAILED":
            return ""
        causes = [f"{each.get('error', '')}: {each.get('cause', '')}" for each in (ended, *self._failed_children())]
        return "\n".join(causes)

    def _failed_children(self) -> Iterator[Any]:
        for map_run in self._states.list_map_runs(executionArn=self._arn)["mapRuns"]:
            children = self._states.list_executions(mapRunArn=map_run["mapRunArn"], statusFilter="FAILED")
            for child in children["executions"]:
                yield self._states.describe_execution(executionArn=child["executionArn"])

    def _wait(self, *, until_decision: bool = True) -> None:
        deadline = time.monotonic() + _LIMIT_S
        while self._describe()["status"] == "RUNNING" and time.monotonic() < deadline:
            if until_decision and self._waits_for_decision():
                return
            time.sleep(0.1)

    def _waits_for_decision(self) -> bool:
        events = self._states.get_execution_history(executionArn=self._arn, reverseOrder=True, maxResults=3)["events"]
        last = events[0]
        is_approval = last["type"] == "TaskStarted" and any(
            "waitForTaskToken" in event.get("taskScheduledEventDetails", {}).get("resource", "") for event in events
        )
        mailed = Mailbox(self._stack.mailbox_url).find(f"Decision needed: release {self._release}")
        return is_approval and mailed is not None

    def _describe(self) -> Any:
        return self._states.describe_execution(executionArn=self._arn)

    def _executions(self, machine: str) -> set[str]:
        return {each["executionArn"] for each in self._states.list_executions(stateMachineArn=machine)["executions"]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploy, release once, choose, drill, and print the table; exit code 1 when something did not fail."""
    parser = argparse.ArgumentParser(prog="python -m checks.iam_drill", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=24, help="how many permissions (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice (%(default)s)")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    os.environ["SFN_WAIT_SCALE"] = "0.02"  # retries of what stays refused are not waited for
    server = laptop.start(STATE, "--fresh")
    try:
        drill = _prepare(server)
        found = candidates(STATE)
        chosen = sorted(random.Random(options.seed).sample(found, min(options.count, len(found))), key=found.index)  # noqa: S311
        print(f"{len(found)} permissions can be missed; {len(chosen)} chosen with seed {options.seed}.", flush=True)
        # What needs no execution first, then the flow in its order.
        results = [_tried(drill, grant) for grant in sorted(chosen, key=lambda grant: not _is_alone(grant))]
        print(f"The walked execution, with everything back: {drill.finish()}")
    finally:
        laptop.stop(STATE)
    failed = [result for result in results if not result.is_refused]
    print(f"{len(results) - len(failed)} of {len(results)} refused, in {time.monotonic() - began:.0f} s.")
    return 1 if failed else 0


def _is_alone(grant: Grant) -> bool:
    return grant.permission.role in _BY_REQUEST or grant.permission.action.startswith("events:")


def _tried(drill: Drill, grant: Grant) -> Result:
    result = drill.try_without(grant)
    verdict = "refused" if result.is_refused else "NOT REFUSED"
    print(f"{verdict:11} {grant}  by {result.by}, {result.seconds:.1f} s\n            {result.evidence}", flush=True)
    return result


def _prepare(server: dict[str, Any]) -> Drill:
    laptop.build_and_deploy()
    stack = laptop.read_stack(STACK_NAME, server)
    laptop.confirm_subscription(stack, Mailbox(stack.mailbox_url))
    as_of = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    folder = STATE / "input"
    generate(folder, as_of=as_of, tenants=1000, portfolios=3)
    manifest: dict[str, object] = {"source": "events", "as_of": as_of.strftime("%Y-%m-%dT%H:%M:%SZ")}
    work = batch.Batch("first", tuple(sorted(folder.iterdir())), manifest)
    console = Console(file=Path(os.devnull).open("w"))  # noqa: SIM115
    choice = run.Choice("approve", "Drill", "first release")
    done = run.release(stack, work, console, lambda mail: run.decide(mail, choice, console))
    if done.execution["status"] != "SUCCEEDED":
        raise laptop.DemoError(f"the first release failed: {done.execution.get('cause')}")
    tenant = str(run.first_tenants(stack.outputs["DataBucket"], done.release, 1)[0]["tenant_id"])
    drill = Drill(stack, STATE, replace(work, name="second"), tenant)
    for role in ("FeaturesRole", "PredictionsRole"):
        for action in ("sagemaker:GetRecord", "sagemaker:BatchGetRecord"):
            drill._request(role, action)
    print(f"One release after {done.seconds:.0f} s.", flush=True)
    return drill


def _evidence(text: str, grant: Grant) -> str:
    """The words of the refusal, when the text has them."""
    for sign in (f"not authorized to perform: {grant.permission.action}", "not authorized to create managed-rule"):
        at = text.lower().find(sign.lower())
        if at >= 0:
            return text[max(0, at - 4) : at + 130].replace("\n", " ")
    return "AccessDenied" if "AccessDenied" in text else ""


def _said(answer: httpx.Response) -> str:
    return f"HTTP {answer.status_code}" if answer.status_code >= httpx.codes.BAD_REQUEST else ""


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


if __name__ == "__main__":
    sys.exit(main())
