"""How far a file is on its way through the queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """The states of a file; all but the first two are last."""

    SPLITTING = "splitting"
    """Its rows are being sent."""

    SCORING = "scoring"
    """All rows have been sent, and some are not kept yet."""

    COMPLETE = "complete"
    """Every row is kept, with an answer or the reason why there is none."""

    HANDED_OVER = "handed_over"
    """It is not for the queue, and score_batch has it."""

    REFUSED = "refused"
    """It cannot be read."""


@dataclass(frozen=True)
class FileProgress:
    """The progress item of a file.

    Attributes:
        file: the name that its items are kept under.
        use_case: the use case.
        state: how far it is.
        created_at: when it arrived, ISO 8601 UTC.
        rows: how many rows it has; None until all have been sent.
        sent: rows that have been sent.
        scored: rows with an answer.
        failed: rows with a reason why they have none.
        truths: rows with an answer and the truth.
        reason: why the state is ``handed_over`` or ``refused``, in words.
        completed_at: when the last row was kept, in Unix seconds; None before.
        told_at: when that was told, in Unix seconds; None before.
    """

    file: str
    use_case: str
    state: State
    created_at: str
    rows: int | None
    sent: int
    scored: int
    failed: int
    truths: int
    reason: str = ""
    completed_at: int | None = None
    told_at: int | None = None

    @classmethod
    def read(cls, item: Mapping[str, Mapping[str, Any]]) -> FileProgress:
        """Read an item of the table."""

        def text(name: str) -> str:
            return str(item.get(name, {}).get("S", ""))

        def number(name: str) -> int | None:
            return int(item[name]["N"]) if name in item else None

        return cls(
            text("file"),
            text("use_case"),
            State(text("state")),
            text("created_at"),
            rows=number("rows"),
            sent=number("sent") or 0,
            scored=number("scored") or 0,
            failed=number("failed") or 0,
            truths=number("truths") or 0,
            reason=text("reason"),
            completed_at=number("completed_at"),
            told_at=number("told_at"),
        )

    @property
    def path(self) -> str:
        """The file below ``inference/<use case>/``."""
        return self.file.removeprefix(f"{self.use_case}/").rpartition("#")[0]

    @property
    def version(self) -> str:
        """The version of the object."""
        return self.file.rpartition("#")[2]

    @property
    def counts(self) -> dict[str, Any]:
        """What the event about a complete file says."""
        return {
            "use_case": self.use_case,
            "file": self.path,
            "version_id": self.version,
            "rows": self.rows,
            "scored": self.scored,
            "failed": self.failed,
            "truths": self.truths,
            "completed_at": self.completed_at,
        }

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is on its way any more."""
        return self.state not in (State.SPLITTING, State.SCORING)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)
