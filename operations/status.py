"""What a stack is and does at the moment: its addresses, its live release, and the releases that run."""

from __future__ import annotations

from typing import Any

import boto3
from rich.console import Console
from rich.markup import escape

from operations.releases import running_releases
from operations.stack import Stack


def describe(stack: Stack) -> dict[str, Any]:
    """The addresses of a stack, and its releases.

    In an account the API key and the mailbox are None: the key is shown only to who may read it, by the command that
    :func:`show_addresses` names, and e-mails are in the approver's own mailbox.
    """
    on_laptop = stack.laptop is not None
    return {
        "stack": stack.name,
        "where": stack.describe(),
        "api_url": stack.api_url,
        "api_key_id": stack.outputs["ApiKeyId"],
        "api_key": stack.api_key if on_laptop else None,
        "bucket": stack.bucket,
        "mailbox_url": stack.mailbox_url if on_laptop else None,
        "live": _live(stack),
        "running": running_releases(stack),
    }


def show_addresses(found: dict[str, Any], console: Console) -> None:
    """Print where the API, the bucket and the mailbox are."""
    key = found["api_key"] or f"aws apigateway get-api-key --include-value --api-key {found['api_key_id']}"
    mailbox = found["mailbox_url"] or "the approver's own (the stack is in an account)"
    for name, value in (("API", found["api_url"]), ("API key", key), ("bucket", found["bucket"]), ("mailbox", mailbox)):
        console.print(f"  {name:8} {escape(value)}", soft_wrap=True)


def show(found: dict[str, Any], console: Console) -> None:
    """Print everything about a stack."""
    console.print(f"{escape(found['where'][:1].upper() + found['where'][1:])}")
    show_addresses(found, console)
    live = ", ".join(f"{release} ({use_case})" for use_case, release in found["live"].items())
    console.print(
        f"  live     {escape(live) or 'no release yet: upload a batch with tenx upload INPUT, or run tenx demo'}"
    )
    for release in found["running"]:
        console.print(f"  running  {release}: follow it with tenx follow {release}, stop it with tenx stop {release}")


def _live(stack: Stack) -> dict[str, str]:
    """The live release of each use case."""
    scanned = (
        boto3.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=stack.outputs["ReleaseTableName"],
            FilterExpression="begins_with(id, :live)",
            ExpressionAttributeValues={":live": {"S": "live#"}},
        )
    )
    items = [item for page in scanned for item in page["Items"]]
    found = {item["id"]["S"].removeprefix("live#"): item["release"]["S"] for item in items if "release" in item}
    return dict(sorted(found.items()))
