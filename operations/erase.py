"""Remove a tenant from everything the stack keeps, and prove it.

Searches every version of every object in the buckets (raw files, features, groups, splits, quarantine, reports,
predictions, what is scored, files of the queue, the offline store), the online store, the tables and the logs; on a
laptop also the whole state folder of its AWS. Messages of the queue cannot be searched, so none may wait. Afterwards
everything is searched again. The proof, ``erasures/<time>-<number>.json`` in the data bucket, lists what was found and
removed, without the tenant's id.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
from rich.console import Console
from rich.markup import escape

from operations import queue
from operations.batch import use_case_folder
from operations.erasure import laptop_folder
from operations.erasure.erasers import Erasers
from operations.erasure.findings import Findings
from operations.erasure.logs import erase_logs
from operations.erasure.objects import erase_objects
from operations.erasure.proof import write_proof
from operations.erasure.tables import erase_answer, erase_items, erase_record
from operations.errors import OperationError, interruption
from operations.stack import Stack
from operations.tenant_ids import checked_tenant_id, stored_ids
from tenant_experience import data_layout
from tenant_experience.aws.pseudonym_key import secret_key
from tenant_experience.erasure.id import ErasedId
from tenant_experience.pseudonyms import pseudonym
from tenant_experience.tenant_id import IdCase
from tenant_experience.use_case.schema import load_use_case

# A record reaches the offline store up to fifteen minutes after it was written (SageMaker developer guide).
_SETTLED_AFTER = 900
_SETTLED_AFTER_ON_LAPTOP = 8
_MOST_ROUNDS = 3
_POLL_SECONDS = 5


@dataclass(frozen=True)
class Erasure:
    """How an erasure ended.

    Attributes:
        found: how many places held the tenant; for a search without removal, how many do.
        left: how many places hold the tenant after the removal; None for a search without removal.
        proof: the proof's place; None for a search without removal.
        is_complete: whether everything could be read, nothing is left and no release began meanwhile.
    """

    found: int
    left: int | None
    proof: str | None
    is_complete: bool


def erase(stack: Stack, tenant: str, use_case: str, console: Console, *, dry_run: bool, waits: bool) -> Erasure:
    """Erase the tenant and write the proof.

    Args:
        stack: where to erase.
        tenant: the id, as a person wrote it.
        use_case: the tenant's use case.
        console: where to print.
        dry_run: only search.
        waits: wait until running releases have ended, instead of refusing.

    Raises:
        OperationError: a release runs, rows wait in the queue, the id is not valid, or there is no such use case.
        Interrupted: Ctrl-C was pressed.
    """
    folder = use_case_folder(use_case)
    checked_tenant_id(tenant, folder)
    case = load_use_case(folder).record_id_case
    if dry_run:
        text = "The search was interrupted. It changed nothing."
    else:
        text = "The erasure was interrupted and is not complete: run the same command again, which completes it."
    with interruption(text):
        return _erase(stack, stored_ids(tenant, case), case, use_case, console, dry_run=dry_run, waits=waits)


def _erase(
    stack: Stack, ids: Sequence[str], case: IdCase, use_case: str, console: Console, *, dry_run: bool, waits: bool
) -> Erasure:
    began = datetime.now(UTC)
    console.print(f"{'Searching' if dry_run else 'Erasing'} in {escape(stack.describe())}")
    _await_executions(stack, console, waits=waits)
    _await_queue(stack, console, waits=waits)
    if not dry_run:
        _await_offline_store(stack, console)
    secrets = stack.of_type("AWS::SecretsManager::Secret")
    erased = ErasedId.of(*ids, *(pseudonym(secret_key(secret), each) for secret in secrets for each in ids), case=case)
    with Erasers(stack.bucket, use_case, erased) as erasers:
        if dry_run:
            found = _look(stack, use_case, erasers, console, removes=False)
            console.print(found.table("Found", shows_removed=False))
            return Erasure(found.found, None, None, is_complete=True)
        removed = _look(stack, use_case, erasers, console, removes=True)
        left, rounds = removed, 1
        while left.found and rounds < _MOST_ROUNDS:
            left, rounds = _look(stack, use_case, erasers, console, removes=True), rounds + 1
    console.print(removed.table("Searched and removed", shows_removed=True))
    meanwhile = _executions(stack, since=began)
    proof = write_proof(stack, use_case, ids[0], began, removed, left)
    is_complete = _conclude(console, removed, left, meanwhile, proof)
    for file in queue.arrived_since(stack, use_case, began):
        console.print(f"[yellow]File {escape(file)} was scored during the erasure:[/yellow] erase again.")
        is_complete = False
    return Erasure(removed.found, left.found, proof, is_complete)


def _look(stack: Stack, use_case: str, erasers: Erasers, console: Console, *, removes: bool) -> Findings:
    """Search everything once. The online record goes first, because it is what the API serves."""
    findings, erased = Findings(), erasers.erased
    with console.status("searching everything"):
        findings.places.append(erase_record(stack, use_case, erased, removes=removes))
        findings.places.append(erase_answer(stack, use_case, erased, removes=removes))
        for bucket in stack.of_type("AWS::S3::Bucket"):
            of_bucket = erasers.for_key if bucket == stack.bucket else erasers.for_other
            findings.places.append(erase_objects(bucket, of_bucket, removes=removes))
        for table in stack.of_type("AWS::DynamoDB::Table"):
            findings.places.append(erase_items(table, erased, removes=removes))
        findings.places += erase_logs(stack, erased, removes=removes)
        if stack.laptop is not None:
            findings.places.append(laptop_folder.search(stack.laptop.state, erasers.for_other(""), waits=removes))
    return findings


def _conclude(console: Console, removed: Findings, left: Findings, meanwhile: list[str], proof: str) -> bool:
    if not removed.found:
        console.print("Nothing of this id was found: it is unknown here, or was erased before.")
    still = [change for place in left.places for change in place.changes]
    for change in still:
        console.print(f"[red]Found again:[/red] {escape(change)}", soft_wrap=True)
    console.print(f"[{'red' if left.found else 'green'}]Residues: {left.found}[/]. Proof: {proof}", soft_wrap=True)
    for name in left.unreadable:
        console.print(f"[yellow]Could not be read:[/yellow] {escape(name)}")
    for name in meanwhile:
        console.print(f"[yellow]Release {name} began during the erasure:[/yellow] erase again when it has ended.")
    return not (left.found or left.unreadable or meanwhile)


def _await_executions(stack: Stack, console: Console, *, waits: bool) -> None:
    """Make sure that no release runs, because it would write the id again.

    Raises:
        OperationError: one runs, and ``waits`` is false.
    """
    while running := _executions(stack):
        if not waits:
            raise OperationError(
                f"release {', '.join(running)} is running and would write the id again: erase when it has ended, or "
                "use --wait (WAIT=1)"
            )
        console.print(f"Waiting for release {', '.join(running)} to end")
        time.sleep(_POLL_SECONDS)


def _await_queue(stack: Stack, console: Console, *, waits: bool) -> None:
    """Make sure that no row waits to be scored, because its id is in the message and would be written again.

    Raises:
        OperationError: one waits, and ``waits`` is false; or it waits where nothing takes it from.
    """
    while sum(counts := queue.waiting(stack)):
        alive, dead = counts
        if dead:
            raise OperationError(
                f"{dead} messages with rows of files have failed three times, and may hold the id: send them to the "
                "queue again with tenx redrive FILE, or purge the queue of dead rows (output DeadRowsUrl)"
            )
        if not waits:
            raise OperationError(
                f"{alive} messages with rows of files wait in the queue, and would write the id again: erase when they "
                "have been scored (tenx queue), or use --wait (WAIT=1)"
            )
        console.print(f"Waiting for {alive} messages of the queue to be scored")
        time.sleep(_POLL_SECONDS)


def _executions(stack: Stack, since: datetime | None = None) -> list[str]:
    """The names of the executions that run, or of those that began since a time."""
    client = boto3.client("stepfunctions")
    only: dict[str, Any] = {} if since else {"statusFilter": "RUNNING"}
    listed = [
        execution
        for machine in (stack.state_machine, stack.outputs["ScoringStateMachineArn"])
        for execution in client.list_executions(stateMachineArn=machine, **only)["executions"]
    ]
    return [each["name"] for each in listed if since is None or each["startDate"] >= since]


def _await_offline_store(stack: Stack, console: Console) -> None:
    """Wait until the last ingestion must have reached the offline store."""
    pages = boto3.client("s3").get_paginator("list_objects_v2")
    written = [
        each["LastModified"]
        for page in pages.paginate(Bucket=stack.bucket, Prefix=f"{data_layout.INGESTION}/")
        for each in page.get("Contents", [])
    ]
    settled = _SETTLED_AFTER_ON_LAPTOP if stack.laptop is not None else _SETTLED_AFTER
    seconds = max((settled - (datetime.now(UTC) - last).total_seconds() for last in written), default=0.0)
    if seconds > 0:
        console.print(f"Waiting {seconds:.0f} s until the last ingestion has reached the offline store")
        time.sleep(seconds)
