"""Take away one allowed action after another, and check that whatever needs it fails with AccessDenied.

    make iam-drill

A stack of its own (``.local/drill``) makes one release. A seeded sample of the permissions it used is then removed from
the live roles, one at a time; the smallest piece that needs the permission is run, and the policy is put back. One
execution tries the permissions of the state machine: it fails, is redriven with that permission restored and the next
one removed, and succeeds in the end.
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
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx

from checks.iam_report import Permission
from demo.generate_events import generate
from operations import laptop, releases
from operations.batch import USE_CASE, RawBatch
from operations.deploy import build_and_deploy, confirm_subscription
from operations.errors import OperationError
from operations.laptop import Laptop
from operations.mailbox import Form, Mailbox
from operations.stack import STACK_NAME, Stack

STATE = laptop.LOCAL / "drill"
_LIMIT_S = 600.0
_POLL_S = 0.1
# These are needed only once in a stack's life, for its first release.
_ONCE = ("CreateFeatureGroup", "CreateModelPackageGroup", "CreateEndpoint", "CreateEndpointConfig", "CreateModel")
# No caller sees these fail.
_UNSEEN = ("logs:", "sagemaker:List", "sagemaker:DescribeModelPackageGroup")
_BY_REQUEST = ("FeaturesRole", "PredictionsRole", "StartReleaseRole", "NotifyFailureRole")


@dataclass(frozen=True)
class Grant:
    """A permission in an inline policy of a deployed role."""

    role_name: str
    policy: str
    permission: Permission

    def __str__(self) -> str:
        return (
            f"{self.permission.role:20} {self.permission.action:32} {self.permission.resource.split(':', 2)[-1][:60]}"
        )


@dataclass(frozen=True)
class Result:
    """What happened without one permission.

    Attributes:
        grant: the permission that was removed.
        by: what was run without it.
        evidence: the words of the refusal; empty when nothing was refused.
        seconds: how long it took.
    """

    grant: Grant
    by: str
    evidence: str
    seconds: float

    @property
    def is_refused(self) -> bool:
        """Whether anything was refused."""
        return bool(self.evidence)


def grants() -> list[Grant]:
    """Every permission in the inline policies of the stack's roles."""
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
    """Remove the permission from its role while the block runs."""
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
    """A statement without one action on one resource; in two parts when it has other actions and other resources."""
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
    """The line of ``iam_actions.jsonl`` where the permission was first used, or first refused; None if it never was."""
    lines = (state / "iam_actions.jsonl").read_text().splitlines()
    for number, text in enumerate(lines):
        line = json.loads(text)
        same = line["principal"] == grant.role_name and line["allowed"] == allowed
        if same and grant.permission.covers(line["action"], line["resource"]):
            return number
    return None


def candidates(state: Path) -> list[Grant]:
    """The permissions that were used and are needed again, in the order of their first use."""
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
    """A stack with one finished release, and the execution that tries the state machine's permissions."""

    def __init__(self, stack: Stack, state: Path, batch: RawBatch, tenant: str) -> None:
        self._stack = stack
        self._state = state
        self._batch = batch
        self._tenant = tenant
        self._states = boto3.client("stepfunctions")
        self._arn = ""

    def try_without(self, grant: Grant) -> Result:
        """Remove the permission, run what needs it, and put it back."""
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
        """Let the execution end with every permission in place; its status."""
        if not self._arn:
            return "no execution was needed"
        return self._go_on()[:300] or str(self._describe()["status"])

    def _update_machine(self) -> str:
        machine = self._states.describe_state_machine(stateMachineArn=self._stack.state_machine)
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
        bucket = self._stack.bucket
        key = f"raw/{USE_CASE}/drill/manifest.json"
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        event: dict[str, Any] = {"id": "drill", "time": now, "source": "aws.s3", "detail-type": "Object Created"}
        event["detail"] = {"bucket": {"name": bucket}, "object": {"key": key, "sequencer": f"{time.time_ns():X}"}}
        if action == "sns:Publish" and role == "StartReleaseRole":
            event["detail"]["object"]["key"] = (
                "raw/unknown/drill/manifest.json"  # a refused batch is reported by e-mail
            )
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
        function = self._stack.physical_id(logical)
        answer = boto3.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
        return answer["Payload"].read().decode() if "FunctionError" in answer else ""

    def _approval(self, action: str) -> str:
        mail = Mailbox(self._stack.mailbox_url).wait_for(f"Decision needed: release {self._release}")
        page = httpx.get(mail["links"][0], timeout=60)
        if page.status_code != httpx.codes.OK or action in ("dynamodb:GetItem", "kms:VerifyMac"):
            return _said(page)
        fields = {"decision": "approve", "approver": "Drill", "reason": "every permission is in its place"}
        form = Form.of(page)  # it has no fields when a decision was recorded but not delivered yet
        answer = form.submit({name: value for name, value in fields.items() if name in form.names})
        return _said(releases.confirm(self._stack, mail, answer))

    @property
    def _release(self) -> str:
        return self._arn.rpartition(":")[2]

    def _go_on(self, *, decides: bool = True) -> str:
        """Start or redrive the execution, wait for its end or only for the approval e-mail, and say why it failed."""
        if not self._arn:
            self._arn = releases.start(self._stack, self._batch)
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
        while self._describe()["status"] == "RUNNING":
            if until_decision and self._waits_for_decision():
                return
            if time.monotonic() > deadline:
                raise OperationError(
                    f"release {self._release} has not ended within {_LIMIT_S:.0f} s: see {self._state}"
                )
            time.sleep(_POLL_S)

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploy, release once, try without each chosen permission; exit code 1 when one was not missed."""
    parser = argparse.ArgumentParser(prog="python -m checks.iam_drill", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=24, help="how many permissions to remove (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the choice (default: %(default)s)")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    os.environ["SFN_WAIT_SCALE"] = "0.02"  # there is no use in waiting before a retry of what stays refused
    server = laptop.start(STATE, "--fresh")
    try:
        drill = _prepare(server)
        found = candidates(STATE)
        chosen = sorted(random.Random(options.seed).sample(found, min(options.count, len(found))), key=found.index)  # noqa: S311
        print(f"{len(found)} permissions can be tried; seed {options.seed} chose {len(chosen)}.", flush=True)
        # First the permissions that need no execution, then the others in the order of the state machine.
        results = [_tried(drill, grant) for grant in sorted(chosen, key=lambda grant: not _is_alone(grant))]
        print(f"The execution, with every permission restored: {drill.finish()}")
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


def _prepare(server: Laptop) -> Drill:
    stack = build_and_deploy(server)
    confirm_subscription(stack)
    as_of = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    manifest: dict[str, object] = {"source": "events", "as_of": as_of.strftime("%Y-%m-%dT%H:%M:%SZ")}
    batches = []
    # Other messages each time: features that have not changed are not written, and would need no permission.
    for seed, name in enumerate(("first", "second")):
        generate(STATE / name, as_of=as_of, tenants=1000, portfolios=3, seed=seed, margin="wide")
        batches.append(RawBatch(name, tuple(sorted((STATE / name).iterdir())), manifest))
    decision = releases.Decision("approve", "Drill", "first release")
    done = releases.make_release(stack, batches[0], lambda mail: releases.decide(stack, mail, decision))
    if done.execution["status"] != "SUCCEEDED":
        raise OperationError(f"the first release failed: {done.execution.get('cause')}")
    (tenant,) = releases.some_records(stack, done.release, "tenant_id", 1)
    drill = Drill(stack, STATE, batches[1], tenant)
    for role in ("FeaturesRole", "PredictionsRole"):
        for action in ("sagemaker:GetRecord", "sagemaker:BatchGetRecord"):
            drill._request(role, action)
    print(f"One release after {done.seconds:.0f} s.", flush=True)
    return drill


def _evidence(text: str, grant: Grant) -> str:
    """The words of the refusal; empty when the text has none."""
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
