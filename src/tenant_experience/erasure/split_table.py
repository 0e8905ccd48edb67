"""Erases a tenant from a CSV of the split, which names nobody: the file beside it says whose its rows are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tenant_experience.erasure.file import Erasure
from tenant_experience.erasure.id import ErasedId


@dataclass(frozen=True)
class SplitTableEraser:
    """Erases one tenant from one CSV of the split.

    Attributes:
        erased: the tenant.
        whose: reads the tenant of each row of the file; None when the file that says so is missing.
    """

    erased: ErasedId
    whose: Callable[[], list[str] | None]

    def erase(self, source: Path, name: str, target: Path) -> Erasure:
        """Erases the tenant's lines; all others stay byte for byte.

        Args:
            source: the file, which is not changed.
            name: its name where it comes from.
            target: written when the answer is ``rewritten``.
        """
        tenants = self.whose()
        if tenants is None:
            return Erasure(unreadable=(f"{name}: the file that says whose its rows are is missing",))
        hits = [self.erased.is_value(tenant) for tenant in tenants]
        removed, lines = sum(hits), source.read_bytes().splitlines(keepends=True)
        # The lines go before the names. With the names still there, an erasure was interrupted between the two.
        if not removed or len(lines) == len(tenants) - removed:
            return Erasure()
        if len(lines) != len(tenants):
            return Erasure(unreadable=(f"{name}: it has {len(lines)} rows, but names for {len(tenants)}",))
        target.write_bytes(b"".join(line for line, hit in zip(lines, hits, strict=True) if not hit))
        return Erasure(removed, "rewritten")
