"""One release of a laptop's stack, from the upload of its batch to its end, and what it left behind."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import httpx

from operations.batch import RawBatch, upload
from operations.errors import OperationError, interruption
from operations.mailbox import Form, Mailbox
from operations.stack import Stack
from operations.watch import Step, follow, listed_executions, new_execution
from tenant_experience.aws.model_registry import DIGEST
from tenant_experience.data_layout import RELEASE_ID
from tenant_experience.release.take_back import PREFIX

Mail = dict[str, Any]
_START_SECONDS = 300
_PAGE_SECONDS = 120
_CODE = re.compile(r"\b[0-9]{4} [0-9]{4}\b")


@dataclass(frozen=True)
class Decision:
    """What the approver enters in the form.

    Attributes:
        choice: ``approve`` or ``reject``.
        approver: the name of a person.
        reason: at least one word.
        rejected: the slugs of models that are rejected although the release is approved; ``reason`` is theirs too.
    """

    choice: str
    approver: str
    reason: str
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True)
class FinishedRelease:
    """A release that has ended.

    Attributes:
        release: its id, which is also the execution's name.
        execution: as Step Functions describes it.
        visited: the states in the order they were entered first.
        seconds: from the upload to the end.
    """

    release: str
    execution: dict[str, Any]
    visited: list[str]
    seconds: float


@dataclass
class Listener:
    """Is told how a release goes; this one does nothing.

    Attributes:
        uploading: given how many files were uploaded before, and the name of the next one.
        started: given the release's id, once its execution has started.
        stepped: given each state that was entered or left.
        polled: given the states that run and the seconds since the upload, at every look.
    """

    uploading: Callable[[int, str], None] = lambda _count, _name: None
    started: Callable[[str], None] = lambda _release: None
    stepped: Callable[[Step], None] = lambda _step: None
    polled: Callable[[list[str], float], None] = lambda _running, _seconds: None


def executions(stack: Stack, **only: Any) -> set[str]:
    """The ARNs of the executions that make releases, newest thousand at most."""
    return listed_executions(stack.state_machine, **only)


def start(stack: Stack, batch: RawBatch, on_file: Callable[[int, str], None] = lambda _count, _name: None) -> str:
    """Upload a batch; the ARN of the execution that its arrival starts.

    Raises:
        OperationError: none starts.
    """
    before = executions(stack)
    upload(batch, stack.bucket, on_file)
    with interruption(
        f"Batch {batch.name} is uploaded, and its release starts without this command: `tenx status` shows it."
    ):
        return wait_for_new_execution(stack, batch, before)


def wait_for_new_execution(stack: Stack, batch: RawBatch, before: set[str]) -> str:
    """The ARN of an execution that was not there before and releases this batch.

    Somebody else's upload, or the recording of history, may start another one at the same time.

    Raises:
        OperationError: none starts.
    """
    found = new_execution(stack.state_machine, before, lambda given: _releases(given, batch), _START_SECONDS)
    if found is None:
        raise OperationError(
            f"no release of batch {batch.name} started within {_START_SECONDS} s of the upload of manifest.json: see "
            "the log of StartRelease"
        )
    return found


def _releases(given: dict[str, Any], batch: RawBatch) -> bool:
    """Whether the input of an execution names this batch."""
    named = (given.get("use_case"), given.get("batch"), given.get("history_only", False))
    return named == (batch.use_case, batch.name, False)


def make_release(
    stack: Stack, batch: RawBatch, decide: Callable[[Mail], None], listener: Listener | None = None
) -> FinishedRelease:
    """Upload a batch and follow its release to the end.

    Args:
        stack: on a laptop; its mailbox is read.
        batch: what is uploaded.
        decide: given the e-mail that asks for a decision, once.
        listener: is told how it goes.

    Raises:
        OperationError: no execution starts.
    """
    listener = listener or Listener()
    started = time.monotonic()
    arn = start(stack, batch, listener.uploading)
    name = arn.rpartition(":")[2]
    listener.started(name)
    mailbox, decided = Mailbox(stack.mailbox_url), False

    def polled(running: list[str], seconds: float) -> None:
        nonlocal decided
        listener.polled(running, seconds)
        if decided or "RequestApproval" not in running:
            return
        if mail := mailbox.find(f"Decision needed: release {name}"):
            decided = True
            decide(mail)

    return follow_release(stack, name, Listener(stepped=listener.stepped, polled=polled), started)


def follow_release(stack: Stack, name: str, listener: Listener, began: float | None = None) -> FinishedRelease:
    """Follow a release to its end.

    Args:
        stack: where it runs.
        name: the release's id.
        listener: is told how it goes.
        began: the monotonic time from which its seconds count; by default now.

    Raises:
        OperationError: there is no such release.
        Interrupted: Ctrl-C was pressed; the release goes on.
    """
    check_release(stack, name)
    began = time.monotonic() if began is None else began
    with interruption(
        f"Release {name} goes on without this command. `tenx follow {name}` follows it again, and "
        f"`tenx stop {name}` stops it."
    ):
        execution, visited = follow(
            boto3.client("stepfunctions"),
            execution_arn(stack, name),
            on_step=listener.stepped,
            on_poll=lambda running: listener.polled(running, time.monotonic() - began),
        )
    return FinishedRelease(name, execution, visited, time.monotonic() - began)


def served_by(done: FinishedRelease) -> list[str]:
    """Sentences about a batch that was answered without training; none about any other."""
    output = json.loads(done.execution.get("output") or "{}")
    if "answered_by" not in output:
        return []
    return [
        f"nothing was trained, and release {output['answered_by']} answers for these records as of {output['as_of']}.",
        f"Their features carry the id {done.release}, and reports/{done.release}/data_quality.html describes them.",
    ]


def execution_arn(stack: Stack, name: str) -> str:
    """The ARN of the execution of a release, or of a roll-back."""
    machine = stack.outputs["RollBackStateMachineArn"] if name.startswith(PREFIX) else stack.state_machine
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


def check_release(stack: Stack, name: str) -> dict[str, Any]:
    """The release's execution as Step Functions describes it.

    Raises:
        OperationError: there is none of this name; the newest ones are named.
    """
    client = boto3.client("stepfunctions")
    if RELEASE_ID.fullmatch(name):
        try:
            return dict(client.describe_execution(executionArn=execution_arn(stack, name)))
        except client.exceptions.ExecutionDoesNotExist:
            pass
    newest = client.list_executions(stateMachineArn=stack.state_machine, maxResults=5)["executions"]
    raise OperationError(no_release(name, [each["name"] for each in newest]))


def no_release(name: str, newest: list[str]) -> str:
    """The sentence about a release that does not exist."""
    known = f"the newest are {', '.join(newest)}" if newest else "there is none yet; `tenx upload` starts one"
    return f"there is no release {name!r} here: {known}"


def running_releases(stack: Stack) -> list[str]:
    """The ids of the releases that run, newest first."""
    found = boto3.client("stepfunctions").list_executions(stateMachineArn=stack.state_machine, statusFilter="RUNNING")
    return [each["name"] for each in found["executions"]]


def stop_release(stack: Stack, name: str) -> bool:
    """Stop a release; False when it had ended before.

    Raises:
        OperationError: there is no such release.
    """
    if check_release(stack, name)["status"] != "RUNNING":
        return False
    boto3.client("stepfunctions").stop_execution(
        executionArn=execution_arn(stack, name), error="Stopped", cause="An operator stopped this release."
    )
    return True


def withdraw(stack: Stack, name: str, reason: str) -> None:
    """Withdraw the request for a decision about a release. The release then ends, and what is served stays as it is.

    Raises:
        OperationError: there is no such release, or nobody is asked about it any more.
    """
    check_release(stack, name)
    by = boto3.client("sts").get_caller_identity()["Arn"]
    request = {"withdraw": name, "by": by, "reason": reason}
    answer = boto3.client("lambda").invoke(
        FunctionName=stack.physical_id("RequestApproval"), Payload=json.dumps(request).encode()
    )
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise OperationError(f"release {name} was not withdrawn: {result.get('errorMessage', 'see the log')}")
    if not result["withdrawn"]:
        raise OperationError(f"release {name} was not withdrawn: {result['message']}")


def decide(stack: Stack, mail: Mail, decision: Decision) -> None:
    """Open the link of the e-mail, answer, and confirm the answer by the code that is mailed.

    Raises:
        OperationError: the page refuses the decision.
    """
    page = httpx.get(mail["links"][0], timeout=_PAGE_SECONDS)
    if page.status_code != httpx.codes.OK:
        raise OperationError(f"the approval page {page.url} answered {page.status_code}")
    typed: dict[str, str | list[str]] = {
        "decision": decision.choice,
        "approver": decision.approver,
        "reason": decision.reason,
    }
    if decision.rejected:
        ticked = Form.of(page).fields["partition"]
        typed["partition"] = [slug for slug in ticked if slug not in decision.rejected]
        typed["reject_reason"] = decision.reason
    answer = confirm(stack, mail, Form.of(page).submit(typed))
    if answer.status_code != httpx.codes.OK:
        raise OperationError(f"the decision was refused with {answer.status_code}: see {page.url}")


def confirm(stack: Stack, mail: Mail, page: httpx.Response) -> httpx.Response:
    """Confirm the answer that a page shows; a page that asks for no confirmation is given back.

    Args:
        stack: on a laptop; its mailbox is read.
        mail: the one that asked for the decision.
        page: what the first form was answered with.
    """
    if page.status_code != httpx.codes.OK or 'name="code"' not in page.text:
        return page
    release = Form.of(page).action.partition("?")[0].rpartition("/")[2]
    code = release
    if "one-time-code" in page.text:
        subject = f"Your code to decide about release {release}"
        found = _CODE.search(Mailbox(stack.mailbox_url).wait_for(subject, to=mail["to"])["text"])
        if found is None:
            raise OperationError(f"the e-mail {subject!r} has no code")
        code = found[0]
    return Form.of(page).submit({"code": code})


def some_records(stack: Stack, release: str, record_id: str, count: int) -> list[str]:
    """Some ids of a release, in their order, of records whose history is sufficient or provisional.

    Half of them are the first ids, and the others are spread over all, so that they are not all of one partition.

    Args:
        stack: where it was made.
        release: its id.
        record_id: the name of the id's column.
        count: how many at most.
    """
    import pyarrow.parquet as parquet  # slow to import, and only needed here

    body = boto3.client("s3").get_object(Bucket=stack.bucket, Key=f"features/{release}/features.parquet")["Body"]
    rows = parquet.read_table(io.BytesIO(body.read()), columns=[record_id, "history"]).to_pylist()
    return spread(sorted(str(row[record_id]) for row in rows if row["history"] != "insufficient"), count)


def spread(ids: list[str], count: int) -> list[str]:
    """The first half of ``count`` ids, and the other half evenly from the rest."""
    first, others = ids[: count // 2], ids[count // 2 :]
    wanted = count - len(first)
    return first + others[:: max(1, -(-len(others) // wanted))]


def model_packages(stack: Stack, release: str) -> list[dict[str, Any]]:
    """The model packages that a release registered: arn, status, reason, metrics."""
    sagemaker = boto3.client("sagemaker")
    prefix = stack.outputs["ModelPackageGroupPrefix"]
    found = []
    groups = sagemaker.get_paginator("list_model_package_groups").paginate(NameContains=prefix)
    for group in (group for page in groups for group in page["ModelPackageGroupSummaryList"]):
        packages = sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group["ModelPackageGroupName"]
        )
        for listed in (package for page in packages for package in page["ModelPackageSummaryList"]):
            package = sagemaker.describe_model_package(ModelPackageName=listed["ModelPackageArn"])
            metadata = package.get("CustomerMetadataProperties", {})
            if metadata.get("release") == release:
                found.append(
                    {
                        "arn": package["ModelPackageArn"],
                        "status": package["ModelApprovalStatus"],
                        "reason": package.get("ApprovalDescription"),
                        "metrics": {name: _number(text) for name, text in metadata.items() if _is_number(name, text)},
                    }
                )
    return found


def _is_number(name: str, text: str) -> bool:
    return name not in ("release", "tenants", DIGEST) and _number(text) is not None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
