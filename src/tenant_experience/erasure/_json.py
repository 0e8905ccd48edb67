"""Erases a tenant from JSON documents by their structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tenant_experience.erasure.id import ErasedId


class _Gone:
    """Stands in for a value that was the tenant's."""


_GONE: Final = _Gone()


@dataclass(frozen=True)
class ErasedDocument:
    """A document without the tenant.

    Attributes:
        content: None when the whole document was about the tenant.
        entries: how many entries were removed or redacted.
    """

    content: Any
    entries: int


def erase_document(document: object, erased: ErasedId, id_keys: frozenset[str]) -> ErasedDocument:
    """Removes the tenant from a decoded JSON document.

    The innermost list element or named entry that holds the id is removed as a whole: an object in a list of tenants,
    or an entry whose key is the id. A longer text that mentions the id stays, with the id redacted.

    Args:
        document: is not changed.
        erased: the tenant whose entries are removed.
        id_keys: the keys whose values are ids, also when they are numbers.
    """
    walk = _Walk(erased, id_keys)
    content = walk.without(document, "")
    if isinstance(content, _Gone):
        return ErasedDocument(None, walk.entries + 1)
    return ErasedDocument(content, walk.entries)


class _Walk:
    def __init__(self, erased: ErasedId, id_keys: frozenset[str]) -> None:
        self._erased = erased
        self._id_keys = id_keys
        self.entries = 0

    def without(self, value: Any, key: str) -> Any:
        """The value without the tenant, or _GONE when it is about the tenant."""
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, list):
            kept = [self.without(item, key) for item in value]
            self.entries += sum(isinstance(item, _Gone) for item in kept)
            return [item for item in kept if not isinstance(item, _Gone)]
        is_id = key in self._id_keys or (isinstance(value, str) and self._erased.is_distinctive)
        if is_id and self._erased.is_value(value):
            return _GONE
        if isinstance(value, str) and self._erased.is_in_line(value):
            self.entries += 1
            return self._erased.blot_out(value)
        return value

    def _object(self, value: dict[str, Any]) -> Any:
        kept = {}
        for key, item in value.items():
            if self._erased.is_named_by(key):
                self.entries += 1
                continue
            inner = self.without(item, key)
            if isinstance(inner, _Gone):
                return _GONE
            kept[key] = inner
        return kept
