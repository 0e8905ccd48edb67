"""Remove a tenant from everything the stack keeps, and prove it.

Searches every version of every object in the buckets (raw files, features, groups, quarantine, reports, predictions,
the offline store), the online store, the tables and the logs; on a laptop also the whole state folder of its AWS.
Afterwards everything is searched again. The proof, ``erasures/<time>-<number>.json`` in the data bucket, lists what was
found and removed, without the tenant's id.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from typing import Any

import boto3
from rich.console import Console
from rich.markup import escape

from operations.erasure import laptop_folder
from operations.erasure.erasers import Erasers
from operations.erasure.findings import Findings
from operations.erasure.logs import erase_logs
from operations.erasure.objects import erase_objects
from operations.erasure.proof import write_proof
from operations.erasure.tables import erase_items, erase_record
from operations.errors import OperationError
from operations.stack import Stack, add_stack_arguments, find_stack
from tenant_experience import data_layout
from tenant_experience.aws.pseudonym_key import secret_key
from tenant_experience.erasure.id import ErasedId
from tenant_experience.pseudonyms import pseudonym
from tenant_experience.tenant_id import RULE, tenant_id_of

# A record reaches the offline store up to fifteen minutes after it was written (SageMaker developer guide).
_SETTLED_AFTER = 900
_SETTLED_AFTER_ON_LAPTOP = 8
_MOST_ROUNDS = 3
_POLL_SECONDS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("tenant", help="id of the tenant, as in the API")
    parser.add_argument("--use-case", default="tenant_experience", help="use case of the tenant (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="only search, remove nothing")
    parser.add_argument(
        "--wait", action="store_true", help="wait until running releases have ended, instead of stopping"
    )
    add_stack_arguments(parser)


def run(options: argparse.Namespace, console: Console) -> int:
    """Erase the tenant and write the proof; 0 when nothing of the tenant is left."""
    tenant = tenant_id_of(options.tenant)
    if tenant is None:
        raise OperationError(f"the given tenant id is not valid: {RULE}")
    began = datetime.now(UTC)
    stack = find_stack(options)
    console.print(f"{'Searching' if options.dry_run else 'Erasing'} in {escape(stack.describe())}")
    _await_executions(stack, console, waits=options.wait)
    if not options.dry_run:
        _await_offline_store(stack, console)
    secrets = stack.of_type("AWS::SecretsManager::Secret")
    erased = ErasedId.of(tenant, *(pseudonym(secret_key(secret), tenant) for secret in secrets))
    with Erasers(stack.bucket, options.use_case, erased) as erasers:
        if options.dry_run:
            console.print(
                _look(stack, options.use_case, erasers, console, removes=False).table("Found", shows_removed=False)
            )
            return 0
        removed = _look(stack, options.use_case, erasers, console, removes=True)
        left, rounds = removed, 1
        while left.found and rounds < _MOST_ROUNDS:
            left, rounds = _look(stack, options.use_case, erasers, console, removes=True), rounds + 1
    console.print(removed.table("Searched and removed", shows_removed=True))
    meanwhile = _executions(stack, since=began)
    proof = write_proof(stack, options.use_case, tenant, began, removed, left)
    return _conclude(console, removed, left, meanwhile, proof)


def _look(stack: Stack, use_case: str, erasers: Erasers, console: Console, *, removes: bool) -> Findings:
    """Search everything once. The online record goes first, because it is what the API serves."""
    findings, erased = Findings(), erasers.erased
    with console.status("searching everything"):
        findings.places.append(erase_record(stack, use_case, erased, removes=removes))
        for bucket in stack.of_type("AWS::S3::Bucket"):
            of_bucket = erasers.for_key if bucket == stack.bucket else erasers.for_other
            findings.places.append(erase_objects(bucket, of_bucket, removes=removes))
        for table in stack.of_type("AWS::DynamoDB::Table"):
            findings.places.append(erase_items(table, erased, removes=removes))
        findings.places += erase_logs(stack, erased, removes=removes)
        if stack.laptop is not None:
            findings.places.append(laptop_folder.search(stack.laptop.state, erasers.for_other(""), waits=removes))
    return findings


def _conclude(console: Console, removed: Findings, left: Findings, meanwhile: list[str], proof: str) -> int:
    if not removed.found:
        console.print("Nothing of this tenant was found: the tenant is unknown here, or was erased before.")
    still = [change for place in left.places for change in place.changes]
    for change in still:
        console.print(f"[red]Found again:[/red] {escape(change)}", soft_wrap=True)
    console.print(f"[{'red' if left.found else 'green'}]Residues: {left.found}[/]. Proof: {proof}", soft_wrap=True)
    for name in left.unreadable:
        console.print(f"[yellow]Could not be read:[/yellow] {escape(name)}")
    for name in meanwhile:
        console.print(f"[yellow]Release {name} began during the erasure:[/yellow] erase again when it has ended.")
    return 1 if left.found or left.unreadable or meanwhile else 0


def _await_executions(stack: Stack, console: Console, *, waits: bool) -> None:
    """Make sure that no release runs, because it would write the tenant again.

    Raises:
        OperationError: one runs, and ``waits`` is false.
    """
    while running := _executions(stack):
        if not waits:
            raise OperationError(
                f"release {', '.join(running)} is running and would write the tenant again: erase when it has ended, "
                "or use --wait (WAIT=1)"
            )
        console.print(f"Waiting for release {', '.join(running)} to end")
        time.sleep(_POLL_SECONDS)


def _executions(stack: Stack, since: datetime | None = None) -> list[str]:
    """The names of the executions that run, or of those that began since a time."""
    client, machine = boto3.client("stepfunctions"), stack.state_machine
    only: dict[str, Any] = {} if since else {"statusFilter": "RUNNING"}
    listed = client.list_executions(stateMachineArn=machine, **only)["executions"]
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
