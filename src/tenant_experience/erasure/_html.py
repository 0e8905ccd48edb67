"""Erases a tenant from our own pages: table rows that name the tenant are removed, and the page stays."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tenant_experience.erasure.id import ErasedId

# A table row with its lines. Our pages do not nest tables.
_ROW = re.compile(r"[ \t]*<tr\b(?:(?!</?tr\b).)*</tr>\n?", re.DOTALL)


@dataclass(frozen=True)
class ErasedPage:
    """A page without the tenant's rows, and how many rows were removed."""

    content: str
    rows: int


def erase_rows_of_page(page: str, erased: ErasedId) -> ErasedPage:
    """Removes every table row that contains the id, in any spelling.

    Args:
        page: HTML.
        erased: the tenant whose rows are removed.
    """
    removed = 0

    def without(row: re.Match[str]) -> str:
        nonlocal removed
        is_tenants = erased.is_in_line(row[0])
        removed += is_tenants
        return "" if is_tenants else row[0]

    return ErasedPage(_ROW.sub(without, page), removed)
