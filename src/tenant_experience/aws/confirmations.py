"""Drafts of votes with their codes, in the table of releases: ``code#<request>#<approver>``.

A code itself is stored nowhere: the draft keeps its MAC, made by the key that never leaves KMS.
"""

from __future__ import annotations

from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from tenant_experience.aws import link_signature
from tenant_experience.aws.release_table import dynamodb, key_of, update_if
from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError, UserError
from tenant_experience.release import confirmation
from tenant_experience.release.approval import Approval, Asked
from tenant_experience.release.confirmation import Draft
from tenant_experience.release.vote import Vote

_ATTEMPTS = 12
# Drafts are removed after this time; until then they keep how many codes were sent.
_KEPT_SECONDS = 24 * 3600


def keep(request: Approval, vote: Vote, now: int) -> tuple[Draft, str]:
    """Keeps a vote as the draft of its approver, in place of an earlier one.

    Returns:
        The draft, and the code that is good for it; empty where the use case asks for none.

    Raises:
        UserError: ``too_many_codes``.
        PlatformError: ``approval_busy``.
    """
    code = confirmation.new_code() if request.rules.confirm == "code" else ""
    mac = link_signature.sign(confirmation.signed_text(request, vote, code)) if code else ""
    for _ in range(_ATTEMPTS):
        earlier, revision = _read(request, Asked(vote.address))
        draft = confirmation.next_draft(earlier, vote, now, mac=mac)
        if _write(request, draft, revision):
            return draft, code
    raise _too_busy(request)


def find(request: Approval, asked: Asked) -> Draft | None:
    """The draft that an approver was shown last; None where there is none of this very request."""
    return _read(request, asked)[0]


def check(request: Approval, asked: Asked, digest: str, typed: str, now: int) -> Vote:
    """The vote of a draft, after what was typed has confirmed it.

    A try is counted before the code is looked at, so that no number of forms at once can try more.

    Args:
        request: what is decided.
        asked: who decides.
        digest: of the draft that the form's page showed.
        typed: the code, or the id of the release.
        now: Unix seconds.

    Raises:
        UserError: ``no_draft``, ``another_draft``, ``code_expired``, ``no_attempts`` or ``wrong_code``.
        PlatformError: ``approval_busy``.
    """
    for _ in range(_ATTEMPTS):
        draft, revision = _read(request, asked)
        if draft is None:
            raise UserError("your answer is not known any more; give it again", code="no_draft")
        tried = confirmation.attempt(draft, digest, now)
        if _write(request, tried, revision):
            break
    else:
        raise _too_busy(request)
    if not _confirms(request, draft, typed):
        left = tried.attempts
        wanted = f"the code of the newest e-mail has {confirmation.DIGITS} digits" if draft.mac else "type the id"
        raise UserError(
            f"this is not right: {wanted}, and {left} {'try is' if left == 1 else 'tries are'} left", code="wrong_code"
        )
    return draft.vote


def _confirms(request: Approval, draft: Draft, typed: str) -> bool:
    if not draft.mac:
        return typed.strip() == request.approval_id
    code = confirmation.normal(typed)
    if not code:
        return False
    try:
        link_signature.check(confirmation.signed_text(request, draft.vote, code), draft.mac)
    except UserError:
        return False
    return True


def _key(request: Approval, asked: Asked) -> dict[str, Any]:
    return key_of("code", f"{request.approval_id}#{asked.id}")


def _read(request: Approval, asked: Asked) -> tuple[Draft | None, int]:
    """The draft and its revision. One of an earlier request of this release counts for nothing."""
    answer = dynamodb().get_item(TableName=setting("RELEASE_TABLE"), Key=_key(request, asked), ConsistentRead=True)
    item = {name: TypeDeserializer().deserialize(value) for name, value in answer.get("Item", {}).items()}
    revision = int(item.get("revision", 0))
    return (confirmation.read(item) if item.get("request") == _of(request) else None), revision


def _of(request: Approval) -> str:
    return f"{request.execution_arn} {request.expires_at}"


def _write(request: Approval, draft: Draft, revision: int) -> bool:
    """Writes a draft if nobody has since it was read."""
    values = {
        **confirmation.document(draft),
        "request": _of(request),
        "revision": revision + 1,
        "remove_at": draft.expires_at + _KEPT_SECONDS,
    }
    written: dict[str, Any] = {f":{name}": TypeSerializer().serialize(value) for name, value in values.items()}
    condition = "attribute_not_exists(id)"
    if revision:
        condition, written[":read"] = "#revision = :read", {"N": str(revision)}
    return update_if(
        Key=_key(request, Asked(draft.vote.address)),
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ConditionExpression=condition,
        ExpressionAttributeNames={f"#{name}": name for name in values},
        ExpressionAttributeValues=written,
    )


def _too_busy(request: Approval) -> PlatformError:
    return PlatformError(f"the draft about {request.approval_id} is being changed; try again", code="approval_busy")
