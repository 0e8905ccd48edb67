"""Who may decide: the addresses that are asked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Approver:
    """Somebody whose address is confirmed.

    Attributes:
        address: as it was subscribed.
        subscription_arn: of the subscription that brings the requests.
    """

    address: str
    subscription_arn: str = ""

    @property
    def id(self) -> str:
        """What links call the approver."""
        return approver_id(self.address)


def approver_id(address: str) -> str:
    """The first 16 hex digits of the SHA-256 of the address, in lower case: links do not show the address itself."""
    return hashlib.sha256(address.lower().encode()).hexdigest()[:16]


def is_approver_id(text: str) -> bool:
    """Whether a text can be one."""
    return _ID.fullmatch(text) is not None


def without_maker(approvers: Iterable[Approver], requested_by: str) -> list[Approver]:
    """The approvers other than the one who uploaded the batch."""
    return [each for each in approvers if each.id != approver_id(requested_by)]
