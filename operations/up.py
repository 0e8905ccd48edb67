"""Start the laptop's AWS and deploy the stack to it.

A laptop's AWS that runs is left running, and what it holds is kept.
"""

from __future__ import annotations

import time

from rich.console import Console

from operations import laptop
from operations.deploy import build_and_deploy, confirm_subscription
from operations.errors import interruption
from operations.stack import Stack


def up(console: Console) -> Stack:
    """Start the laptop's AWS, build and deploy, and confirm the approver's subscription.

    Raises:
        OperationError: one of the steps failed.
    """
    with interruption(
        "Interrupted while the laptop's AWS was started or the stack deployed. `tenx up` goes on from there, and "
        "`tenx down` stops what has been started."
    ):
        return _up(console)


def _up(console: Console) -> Stack:
    began = time.monotonic()
    with console.status("starting the laptop's AWS"):
        server = laptop.start()
    console.print(f"The laptop's AWS runs at {server.url}  ({time.monotonic() - began:.1f} s)")
    began = time.monotonic()
    with console.status("sam build, sam deploy"):
        stack = build_and_deploy(server)
    console.print(f"sam build and sam deploy: stack {stack.name}  ({time.monotonic() - began:.1f} s)")
    if confirm_subscription(stack):
        console.print("The first approver and the operators' subscription are confirmed")
    return stack
