"""The proof of an erasure: what was searched, found and removed, with only a hash of the tenant's id."""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import UTC, datetime

import boto3

from operations.erasure.findings import Findings
from operations.stack import Stack
from tenant_experience import data_layout


def write_proof(stack: Stack, use_case: str, tenant_id: str, began: datetime, removed: Findings, left: Findings) -> str:
    """Write the proof into the data bucket.

    Args:
        stack: the stack that was searched.
        use_case: the tenant's use case.
        tenant_id: the tenant; only a hash of the id is written.
        began: when the erasure began, UTC.
        removed: what the first search found and removed.
        left: what the last search found.

    Returns:
        the proof's address, ``s3://...``.
    """
    ended = datetime.now(UTC)
    document = {
        "tenant": describe_id(tenant_id, secrets.token_bytes(16)),
        "stack": stack.name,
        "use_case": use_case,
        "by": boto3.client("sts").get_caller_identity()["Arn"],
        "began_at": f"{began:%Y-%m-%dT%H:%M:%SZ}",
        "ended_at": f"{ended:%Y-%m-%dT%H:%M:%SZ}",
        "found": removed.found,
        "residues": left.found,
        "could_not_be_looked_into": left.unreadable,
        "removed": removed.document(),
        "looked_through_again": left.document(),
    }
    key = data_layout.erasure(f"{ended:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}")
    content = json.dumps(document, indent=1).encode() + b"\n"
    boto3.client("s3").put_object(Bucket=stack.bucket, Key=key, Body=content, ContentType="application/json")
    return f"s3://{stack.bucket}/{key}"


def describe_id(tenant_id: str, salt: bytes) -> dict[str, object]:
    """A salted, slow hash of an id. Anybody who knows the id can check that the proof is about it."""
    # Slow on purpose, about 50 ms per guess: ids are easy to guess, so a salt alone would not hide them.
    digest = hashlib.scrypt(tenant_id.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32).hex()
    return {"hash": "scrypt", "n": 2**14, "r": 8, "p": 1, "salt": salt.hex(), "digest": digest}
