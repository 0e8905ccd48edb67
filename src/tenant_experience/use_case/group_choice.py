"""Whether a release keeps the groups of the live one, finds new ones, or takes those of another release or file.

This module needs only the standard library, so that a Lambda function can use it too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

from tenant_experience.errors import UserError

Kind = Literal["keep", "new", "from"]
_ORIGIN = re.compile(r"[a-z0-9-]{1,16}|[A-Za-z0-9_-]{1,64}\.json")


@dataclass(frozen=True)
class GroupChoice:
    """Where the groups of a release come from.

    Attributes:
        kind: ``keep`` the groups of the live release, find ``new`` ones, or take them ``from`` somewhere else.
        origin: with ``from``: a release, or a file in the folder of the use case whose name ends in .json.
    """

    kind: Kind
    origin: str | None = None


FIND_NEW = GroupChoice("new")
KEEP = GroupChoice("keep")


def parse_group_choice(value: object, where: str) -> GroupChoice:
    """Reads ``"keep"``, ``"new"`` or ``{"from": "<release or file>"}``.

    Args:
        value: the decoded JSON.
        where: what the message calls it.

    Raises:
        UserError: ``invalid_manifest``.
    """
    if value == "keep":
        return KEEP
    if value == "new":
        return FIND_NEW
    origin = value.get("from") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(origin, str) or not _ORIGIN.fullmatch(origin):
        raise UserError(
            f'{where} must be "keep", "new", or {{"from": "..."}} with a release or a file like grouping.json in the '
            f"folder of the use case, not {json.dumps(value, ensure_ascii=False):.200}",
            code="invalid_manifest",
        )
    return GroupChoice("from", origin)
