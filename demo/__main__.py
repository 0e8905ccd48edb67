"""``python -m demo``: the laptop's AWS, the stack on it, and one release through it."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from demo import batch, run, summary, watch
from demo.laptop import DemoError, Stack, build_and_deploy, confirm_subscription, read_stack, start
from demo.mailbox import Mailbox

STACK_NAME = "tenant-experience"
_REASONS = {"approve": "Reviewed the report on this laptop.", "reject": "To see that nothing changes."}


def main(arguments: list[str] | None = None) -> int:
    """Parse, run, and say in one place what went wrong."""
    options = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    try:
        if options.command == "up":
            up(console)
            return 0
        work = _batch(options)
        return demo(up(console), work, options, console)
    except (DemoError, TimeoutError) as error:
        console.print(f"[red]Stopped:[/red] {escape(str(error))}")
        return 1


def up(console: Console) -> Stack:
    """Start the laptop's AWS, build and deploy, and confirm the approver's subscription."""
    began = time.monotonic()
    with console.status("starting the laptop's AWS"):
        server = start()
    console.print(f"The laptop's AWS runs at {server['url']}  ({time.monotonic() - began:.1f} s)")
    began = time.monotonic()
    with console.status("sam build, sam deploy"):
        build_and_deploy()
    stack = read_stack(STACK_NAME, server)
    console.print(f"sam build and sam deploy: stack {STACK_NAME}  ({time.monotonic() - began:.1f} s)")
    if confirm_subscription(stack, Mailbox(stack.mailbox_url)):
        console.print("The approver confirmed the subscription e-mail")
    return stack


def demo(stack: Stack, work: batch.Batch, options: argparse.Namespace, console: Console) -> int:
    """One release from raw input to answers over HTTP; 0 when it ended as the decision says."""
    choice = run.Choice(options.decision, reason=_REASONS[options.decision])
    done = run.release(stack, work, console, lambda mail: run.decide(mail, choice, console))
    status = done.execution["status"]
    colour = "green" if status == "SUCCEEDED" else "yellow"
    console.print(f"\n[{colour}]{status}[/{colour}] after {done.seconds:.1f} s")
    prediction = None
    if status == "SUCCEEDED":
        if work.use_case == batch.USE_CASE:
            prediction = run.ask(stack, done, options.tenant, console)
        else:
            summary.show(stack, done, console)
    else:
        console.print(escape(watch.reason(done.execution)))
    summary.write(stack, done, choice, prediction)
    _farewell(stack, console)
    rejected = options.decision == "reject" and done.execution.get("error") == "ReleaseRejected"
    return 0 if status == "SUCCEEDED" or rejected else 1


def _batch(options: argparse.Namespace) -> batch.Batch:
    """What to release.

    Raises:
        DemoError: a file is missing, or what it is for is unknown.
    """
    if options.input:
        return batch.of_file(Path(options.input), options.source, options.use_case)
    if options.use_case != batch.USE_CASE:
        raise DemoError(f"USE_CASE={options.use_case} needs INPUT: messages are generated for {batch.USE_CASE} only")
    return batch.generated(options.seed)


def _farewell(stack: Stack, console: Console) -> None:
    console.print(f"\nWritten down in {summary.relative(summary.PATH)}. These stay up:")
    console.print(f"  API      {stack.api_url}   (x-api-key: {stack.api_key})", soft_wrap=True)
    console.print(f"  mailbox  {stack.mailbox_url}", soft_wrap=True)
    console.print("Stop them with [bold]make down[/bold]; remove everything with [bold]make clean[/bold].")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start the laptop's AWS and deploy the stack to it")
    command = commands.add_parser("run", help="the whole path: up, then one release from raw input to answers")
    command.add_argument("--input", help="a file or folder of raw input; generated messages when left out")
    command.add_argument(
        "--source", help="how to read it: a file of the use case's sources/ (default: its default_source)"
    )
    command.add_argument("--use-case", default=batch.USE_CASE, help="a folder of use_cases/ (%(default)s)")
    command.add_argument(
        "--decision", choices=["approve", "reject"], default="approve", help="what the approver chooses"
    )
    command.add_argument("--tenant", help="whose prediction to show in full")
    command.add_argument("--seed", type=int, default=0, help="of the generated messages")
    return parser


if __name__ == "__main__":
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    sys.exit(main())
