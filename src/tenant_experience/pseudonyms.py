"""Pseudonyms of tenants: a keyed hash of the id, which nobody can reverse or guess without the key.

Only the standard library, because the Lambda functions need it to find a tenant by its id.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from tenant_experience.tenant_id import IdCase, normal_id

_BYTES = 16


def pseudonym(key: bytes, tenant_id: str) -> str:
    """32 hexadecimal characters of HMAC-SHA256 (RFC 2104), cut to half its length as RFC 2104, section 5, allows."""
    return hmac.digest(key, tenant_id.encode(), hashlib.sha256)[:_BYTES].hex()


@dataclass(frozen=True)
class Pseudonyms:
    """How the ids of a batch are replaced by pseudonyms.

    Attributes:
        key: the secret; it must never appear in SQL, a log or a message.
        column: our column that holds the ids.
        case: whether ids that differ only in case are different ids.
    """

    key: bytes = field(repr=False)
    column: str
    case: IdCase

    def of(self, text: str) -> str:
        """The pseudonym of the tenant whose id somebody has written as ``text``."""
        return pseudonym(self.key, normal_id(text, self.case))
