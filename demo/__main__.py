"""The whole path on this machine: the laptop's AWS, the stack on it, and one release from raw input to answers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import httpx
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape

from demo import run, summary
from demo.batch import generated
from operations.batch import USE_CASE, RawBatch, of_path
from operations.errors import OperationError
from operations.laptop import relative
from operations.releases import Decision
from operations.stack import Stack
from operations.up import up
from operations.watch import reason

_REASONS = {"approve": "Reviewed the report on this laptop.", "reject": "To see that nothing changes."}


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments, run the demo, and report errors in one place."""
    options = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    try:
        batch = _batch(options)
        return demo(up(console), batch, options, console)
    except (OperationError, ClientError, BotoCoreError, httpx.HTTPError) as error:
        console.print(f"[red]Stopped:[/red] {escape(str(error))}", soft_wrap=True)
        return 1


def demo(stack: Stack, batch: RawBatch, options: argparse.Namespace, console: Console) -> int:
    """One release from raw input to answers over HTTP; 0 when it ended as the decision says."""
    decision = Decision(options.decision, "Ada Approver", _REASONS[options.decision])
    done = run.release(stack, batch, decision, console)
    status = done.execution["status"]
    colour = "green" if status == "SUCCEEDED" else "yellow"
    console.print(f"\n[{colour}]{status}[/{colour}] after {done.seconds:.1f} s")
    prediction = None
    if status != "SUCCEEDED":
        console.print(escape(reason(done.execution)))
    elif batch.use_case == USE_CASE:
        prediction = run.ask(stack, done, options.tenant, console)
    else:
        summary.show(stack, done, console)
    summary.write(stack, done, decision, prediction)
    _farewell(stack, console)
    rejected = options.decision == "reject" and done.execution.get("error") == "ReleaseRejected"
    return 0 if status == "SUCCEEDED" or rejected else 1


def _batch(options: argparse.Namespace) -> RawBatch:
    """What to release.

    Raises:
        OperationError: the input is missing, or the use case is unknown.
    """
    if options.input:
        return of_path(options.input, options.source, options.use_case)
    if options.use_case != USE_CASE:
        raise OperationError(
            f"USE_CASE={options.use_case} needs INPUT=<file>, because messages are generated for {USE_CASE} only"
        )
    return generated(options.seed)


def _farewell(stack: Stack, console: Console) -> None:
    console.print(f"\nThe figures are in {relative(summary.PATH)}. These stay up:")
    console.print(f"  API      {stack.api_url}   (x-api-key: {stack.api_key})", soft_wrap=True)
    console.print(f"  mailbox  {stack.mailbox_url}", soft_wrap=True)
    console.print("Stop them with [bold]make down[/bold]; remove everything with [bold]make clean[/bold].")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--input", type=Path, help="raw input: a file or folder (default: generated messages)")
    parser.add_argument(
        "--source",
        help="how to read it: a file of the use case's sources/, without .yaml (default: its default_source)",
    )
    parser.add_argument("--use-case", default=USE_CASE, help="a folder of use_cases/ (default: %(default)s)")
    parser.add_argument(
        "--decision", choices=["approve", "reject"], default="approve", help="the approver's (default: %(default)s)"
    )
    parser.add_argument("--tenant", help="tenant whose prediction to show in full (default: a busy one)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the generated messages (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
