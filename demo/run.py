"""The whole path once: upload a batch, follow its release, decide as the approver, ask as a client."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from demo import batch, watch
from demo.client import Client
from demo.laptop import DemoError, Stack
from demo.mailbox import Form, Mailbox

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_START_SECONDS = 60
_SAMPLE = 5


@dataclass(frozen=True)
class Choice:
    """What the approver will decide."""

    decision: str
    approver: str = "Ada Approver"
    reason: str = "as the demo was told"


@dataclass(frozen=True)
class Release:
    """A release that ended."""

    release: str
    execution: dict[str, Any]
    visited: list[str]
    seconds: float


def release(stack: Stack, work: batch.Batch, console: Console, decide: Callable[[dict[str, Any]], None]) -> Release:
    """Upload, follow to the end; ``decide`` is given the e-mail that asks for a decision."""
    client: SFNClient = boto3.client("stepfunctions")
    machine = stack.outputs["StateMachineArn"]
    before = {execution["executionArn"] for execution in client.list_executions(stateMachineArn=machine)["executions"]}
    started = time.monotonic()
    batch.upload(work, stack.outputs["DataBucket"])
    console.print(f"Uploaded {len(work.files)} file(s) and manifest.json as batch [bold]{escape(work.name)}[/bold]")
    arn = _new_execution(client, machine, before)
    name = arn.rsplit(":", 1)[1]
    console.print(f"Its arrival started release [bold]{name}[/bold]\n")
    mailbox = Mailbox(stack.mailbox_url)
    decided = False
    with console.status("starting") as status:

        def on_step(step: watch.Step) -> None:
            if step.seconds is not None:
                label = f"{step.state} [dim]{escape(step.label)}[/dim]" if step.label else f"[bold]{step.state}[/bold]"
                console.print(f"  [green]done[/green] {step.seconds:7.1f} s  {'  ' if step.label else ''}{label}")

        def on_poll(running: list[str]) -> None:
            nonlocal decided
            status.update(f"{', '.join(running) or 'between states'}  {time.monotonic() - started:.0f} s")
            if (
                not decided
                and "RequestApproval" in running
                and (mail := mailbox.find(f"Decision needed: release {name}"))
            ):
                decided = True
                decide(mail)

        execution, visited = watch.follow(client, arn, on_step=on_step, on_poll=on_poll)
    return Release(name, execution, visited, time.monotonic() - started)


def decide(mail: dict[str, Any], choice: Choice, console: Console) -> None:
    """Show the e-mail, open its link, fill in the form and send it.

    Raises:
        DemoError: when the page refuses the decision.
    """
    console.print(Panel(escape(mail["text"]), title=escape(f"E-mail: {mail['subject']}"), border_style="cyan"))
    page = httpx.get(mail["links"][0], timeout=30)
    if page.status_code != httpx.codes.OK:
        raise DemoError(f"the approval page answered {page.status_code}")
    answer = Form.of(page).submit({"decision": choice.decision, "approver": choice.approver, "reason": choice.reason})
    if answer.status_code != httpx.codes.OK:
        raise DemoError(f"the decision was refused with {answer.status_code}: see {page.url}")
    console.print(f"  [cyan]{choice.approver} opened the page and chose to {choice.decision}: {choice.reason}[/cyan]")


def ask(stack: Stack, done: Release, tenant: str | None, console: Console) -> dict[str, Any]:
    """Ask the API as a client would, and show it.

    Returns:
        the prediction of ``tenant``, or of the busiest of the first few tenants of the release.
    """
    client = Client(stack.api_url, stack.api_key, console)
    sample = first_tenants(stack.outputs["DataBucket"], done.release)
    rows = client.predictions([row["tenant_id"] for row in sample])
    table = Table("tenant", "portfolio", "status", "experience", "P(bad)", "version", title="POST /predictions")
    for row in rows:
        shown = "-" if row["probability"] is None else f"{row['probability']:.3f}"
        told = (row["status"], row["experience"] or "-", shown, row["model_version"] or "-")
        table.add_row(row["tenant_id"], row["portfolio_id"], *told)
    console.print(table)
    busiest = max(sample, key=lambda row: sum(row[name] or 0 for name in ("work_order_count", "outbound_call_count")))
    chosen = tenant or str(busiest["tenant_id"])
    client.get(f"/tenants/{chosen}/features")
    answer = client.get(f"/tenants/{chosen}/prediction")
    client.get("/tenants/NOBODY-0/prediction")
    Client(stack.api_url, None, console).get(f"/tenants/{chosen}/prediction")
    prediction: dict[str, Any] = answer.json()
    if answer.status_code != httpx.codes.OK:
        raise DemoError(f"no prediction for {chosen}: {prediction}")
    return prediction


def first_tenants(bucket: str, release_id: str, count: int = _SAMPLE) -> list[dict[str, Any]]:
    """The first tenants of a release that have history enough, by id."""
    import pyarrow.parquet as parquet  # slow to import, and only here

    path = Path(".local") / "demo_features.parquet"
    boto3.client("s3").download_file(bucket, f"features/{release_id}/features.parquet", str(path))
    columns = ["tenant_id", "history", "work_order_count", "outbound_call_count"]
    rows = sorted(parquet.read_table(path, columns=columns).to_pylist(), key=lambda row: str(row["tenant_id"]))
    return [row for row in rows if row["history"] != "insufficient"][:count]


def _new_execution(client: SFNClient, machine: str, before: set[str]) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        for execution in client.list_executions(stateMachineArn=machine)["executions"]:
            if execution["executionArn"] not in before:
                return execution["executionArn"]
        time.sleep(0.2)
    raise DemoError(
        f"the manifest's arrival started no execution within {_START_SECONDS} s: see the log of StartRelease"
    )
