"""The whole demo: one release from raw input to answers over HTTP, and where to go on."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape

from demo import run, summary
from operations import releases
from operations.batch import RawBatch, use_case_folder
from operations.laptop import relative
from operations.releases import Decision
from operations.stack import Stack
from operations.status import describe, show_addresses
from operations.watch import reason

_REASONS = {"approve": "Reviewed the report on this laptop.", "reject": "To see that nothing changes."}


def demo(stack: Stack, batch: RawBatch, choice: str, tenant: str | None, console: Console) -> dict[str, Any] | None:
    """One release from raw input to answers over HTTP.

    Args:
        stack: the laptop's.
        batch: what to release.
        choice: ``approve`` or ``reject``.
        tenant: whose prediction to show in full; by default the likeliest of a few.
        console: where to print.

    Returns:
        the figures that were written to ``.local/demo.json``; None when the release did not end as the choice says.
    """
    decision = Decision(choice, "Ada Approver", _REASONS[choice])
    done = run.release(stack, batch, decision, console)
    status, error = done.execution["status"], done.execution.get("error")
    as_decided = status == "SUCCEEDED" or (choice == "reject" and error == "ReleaseRejected")
    prediction = None
    if status == "SUCCEEDED":
        console.print(f"\n[green]SUCCEEDED[/green] after {done.seconds:.1f} s")
        if told := releases.served_by(done):
            console.print(" ".join(told))
        else:
            prediction = run.ask(stack, done, use_case_folder(batch.use_case), tenant, console)
    elif as_decided:
        console.print(
            f"\n[green]Rejected as decided[/green] after {done.seconds:.1f} s: nothing of release {done.release} was "
            "deployed, and what was served before is served still."
        )
    else:
        console.print(f"\n[red]{status}[/red] after {done.seconds:.1f} s")
        console.print(escape(reason(done.execution)))
    figures = summary.write(stack, done, decision, prediction)
    console.print(f"\nThe figures are in {relative(summary.PATH)}. These stay up:")
    show_addresses(describe(stack), console)
    console.print("Stop them with [bold]tenx down[/bold]; remove everything with [bold]make clean[/bold].")
    return figures if as_decided else None
