"""The laptop's AWS and the stack on it: started, built and deployed by the tools that deploy to an account."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3

from demo.mailbox import Mailbox
from operations.account import use_laptop

ROOT = Path(__file__).resolve().parents[1]
LOCAL = ROOT / ".local"
_LOCAL_AWS = LOCAL / "venvs" / "local_aws" / "bin" / "python"
_SAM = LOCAL / "venvs" / "sam" / "bin" / "sam"


class DemoError(Exception):
    """The demo cannot go on; the text says why and what to do."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack.

    Attributes:
        outputs: of the template.
        api_url: where the API answers on this machine.
        api_key: of the first client.
        mailbox_url: the page that shows the e-mails.
    """

    outputs: dict[str, str]
    api_url: str
    api_key: str
    mailbox_url: str


def start(state: Path = LOCAL / "aws", *extra: str) -> dict[str, Any]:
    """Start the laptop's AWS unless it runs, and point this process's AWS clients at it.

    Args:
        state: where it keeps everything.
        extra: further words of ``local_aws up``.
    """
    _run(
        [str(_LOCAL_AWS), "-m", "local_aws", "up", "--state", str(state), *extra],
        "the laptop's AWS did not start",
        state / "server.log",
    )
    use_laptop(state)
    server: dict[str, Any] = json.loads((state / "server.json").read_text())
    return server


def stop(state: Path) -> None:
    """Stop a laptop's AWS and everything it started."""
    _run([str(_LOCAL_AWS), "-m", "local_aws", "down", "--state", str(state)], "it did not stop", state / "server.log")


def build_and_deploy() -> None:
    """``sam build`` and ``sam deploy``, as they come."""
    log = LOCAL / "sam.log"
    log.write_text("")
    _run([str(_SAM), "build", "--config-env", "local"], "sam build failed", log, keep=True)
    _run([str(_SAM), "deploy", "--config-env", "local"], "sam deploy failed", log, keep=True)


def read_stack(name: str, server: dict[str, Any]) -> Stack:
    """The stack's outputs, and the key of its first client."""
    described = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    key = boto3.client("apigateway").get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)["value"]
    stage = outputs["ApiUrl"].rsplit("/", 1)[1]
    return Stack(
        outputs=outputs,
        api_url=f"{server['url']}/_aws/execute-api/{outputs['ApiId']}/{stage}",
        api_key=key,
        mailbox_url=server["mailbox_url"],
    )


def confirm_subscription(stack: Stack, mailbox: Mailbox) -> bool:
    """Confirm the approver's subscription with the token of its e-mail. False when it was confirmed before.

    Signed, with AuthenticateOnUnsubscribe: otherwise every e-mail carries a link that unsubscribes whoever, or whatever
    mail scanner, opens it.
    """
    sns, topic = boto3.client("sns"), stack.outputs["TopicArn"]
    subscriptions = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    if all(subscription["SubscriptionArn"].startswith("arn:") for subscription in subscriptions):
        return False
    link = mailbox.wait_for("Subscription Confirmation", seconds=20)["links"][0]
    token = parse_qs(urlsplit(link).query)["token"][0]
    sns.confirm_subscription(TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true")
    return True


def _run(command: list[str], failure: str, log: Path, *, keep: bool = False) -> None:
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if keep:
        with log.open("a") as stream:
            stream.write(f"$ {' '.join(command)}  ({time.monotonic() - started:.1f} s)\n{done.stdout}{done.stderr}\n")
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise DemoError(f"{failure} (exit {done.returncode}); the whole log: {log.relative_to(ROOT)}\n{tail}")
