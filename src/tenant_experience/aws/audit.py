"""The audit of decisions: rows that are only ever added, in a table of their own.

Our roles may put rows and nothing else, and the table's own policy refuses to change or delete one, whoever asks
(docs/decisions/0049-audit-that-is-appended-to.md says what that leaves). ``functions/export_audit`` copies each row to
S3.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from botocore.exceptions import ClientError

from tenant_experience.aws.release_table import dynamodb
from tenant_experience.environment import setting
from tenant_experience.log_redaction import redacted_json

Event = Literal[
    "asked",
    "opened",
    "code_sent",
    "voted",
    "refused",
    "decided",
    "delivered",
    "reminded",
    "expired",
    "superseded",
    "withdrawn",
    "published",
    "taken_back",
]
# The arguments of one PutItem.
Row = dict[str, Any]
MAX_TEXT = 1000
# What people type; the request keeps the texts, where they can be erased.
_TYPED = ("reason", "name")
_ATTEMPTS = 3


def append(
    release: str,
    event: Event,
    *,
    use_case: str,
    address: str | None = None,
    network: str | None = None,
    **details: object,
) -> None:
    """Adds one row. A call that AWS answered too late may leave the same event twice, but never none.

    Args:
        release: the release, or the run id of a roll-back.
        event: what happened.
        use_case: of the release.
        address: the e-mail address of whoever did it, or to whom it was done.
        network: the address in the network that the request came from.
        details: see ``row``.
    """
    for attempt in range(_ATTEMPTS):
        try:
            dynamodb().put_item(**row(release, event, use_case=use_case, address=address, network=network, **details))
        except ClientError as error:
            taken = error.response["Error"]["Code"] == "ConditionalCheckFailedException"
            if not taken or attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def row(
    release: str,
    event: Event,
    *,
    use_case: str,
    address: str | None = None,
    network: str | None = None,
    **details: object,
) -> Row:
    """One row as it is put, so that a transaction can write it with what it tells of.

    Args:
        release: the release, or the run id of a roll-back.
        event: what happened.
        use_case: of the release.
        address: the e-mail address of whoever did it, or to whom it was done.
        network: the address in the network that the request came from.
        details: anything that JSON can hold. Of ``decided`` and ``published``, ``models`` names the version and the
            digest of each partition's model. Values under the names of secrets are left out, as they are of logs.
            Names and reasons that somebody typed are replaced by their fingerprints, and texts end after 1,000
            characters.
    """
    content = {
        "release": release,
        "event": event,
        "use_case": use_case,
        "address": address or "",
        "network": network or "",
        "details": redacted_json(_kept(details)),
    }
    texts = {name: {"S": value[:MAX_TEXT] if name != "details" else value} for name, value in content.items() if value}
    return {
        "TableName": setting("AUDIT_TABLE"),
        "Item": {**texts, "at": {"S": moment(datetime.now(UTC))}},
        "ConditionExpression": "attribute_not_exists(#release)",
        "ExpressionAttributeNames": {"#release": "release"},
    }


def moment(now: datetime) -> str:
    """The second half of a row's key: the time to the microsecond, and something that nobody can foresee."""
    return f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}#{secrets.token_hex(4)}"


def document(image: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A row of the table's stream as the JSON object that is exported."""
    row: dict[str, Any] = {name: value["S"] for name, value in image.items() if "S" in value}
    return {**row, "details": json.loads(row.get("details", "{}"))}


def fingerprint(text: str) -> str:
    """What stands for a text that somebody typed: a row is never changed, and a text may name a tenant."""
    return f"sha256:{hashlib.sha256(text.encode(errors='replace')).hexdigest()}" if text else ""


def _kept(value: Any, name: str = "") -> Any:
    """A value as it stands in a row."""
    if isinstance(value, Mapping):
        typed_keys = name == "rejected"  # reason -> slugs
        return {fingerprint(key) if typed_keys else key[:MAX_TEXT]: _kept(inner, key) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_kept(each) for each in value]
    if not isinstance(value, str):
        return value
    return fingerprint(value) if name in _TYPED else value[:MAX_TEXT]
