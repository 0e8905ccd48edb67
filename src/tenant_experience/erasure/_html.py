"""Erasing a tenant from our own pages: the rows of tables that name the tenant go, the page stays."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tenant_experience.erasure.id import ErasedId

# A row of a table, alone on its lines: tables do not hold tables here.
_ROW = re.compile(r"[ \t]*<tr\b(?:(?!</?tr\b).)*</tr>\n?", re.DOTALL)


@dataclass(frozen=True)
class ErasedPage:
    """A page without the tenant's rows, and how many there were."""

    content: str
    rows: int


def erase_rows_of_page(page: str, erased: ErasedId) -> ErasedPage:
    """Takes out every table row that says the id, in any spelling.

    Args:
        page: HTML.
        erased: whose rows.
    """
    removed = 0

    def without(row: re.Match[str]) -> str:
        nonlocal removed
        is_tenants = erased.is_in_line(row[0])
        removed += is_tenants
        return "" if is_tenants else row[0]

    return ErasedPage(_ROW.sub(without, page), removed)
