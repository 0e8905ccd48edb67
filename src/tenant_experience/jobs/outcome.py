"""The result of a job, ``outcome.json``, which the state machine's Choices and the Lambda functions read.

Only the standard library.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tenant_experience.data_layout import OUTCOME
from tenant_experience.errors import TenantExperienceError

MESSAGE_LIMIT = 2_000
_OWN_KEYS = ("status", "fault", "code", "message")


@dataclass(frozen=True)
class Outcome:
    """The end of one job.

    Attributes:
        status: ``ok`` or ``refused``.
        fault: ``user`` or ``algorithm`` when refused, else None.
        code: the stable code of the error that refused, else None.
        message: the sentence of that error, cut to 2,000 characters, else None.
        figures: the job's own results, JSON-able, written beside the four keys above.
    """

    status: str = "ok"
    fault: str | None = None
    code: str | None = None
    message: str | None = None
    figures: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def ok(cls, **figures: Any) -> Outcome:
        """The job did its work."""
        return cls(figures=figures)

    @classmethod
    def refused(cls, error: TenantExperienceError, **figures: Any) -> Outcome:
        """The job refused its input; the job itself succeeded."""
        return cls("refused", error.fault, error.code, error.message[:MESSAGE_LIMIT], figures)

    def as_dict(self) -> dict[str, Any]:
        """The document: the four fixed keys, then the figures."""
        clash = set(self.figures) & set(_OWN_KEYS)
        if clash:
            raise ValueError(f"figures may not be called {sorted(clash)}: outcome.json uses these names itself")
        return {key: getattr(self, key) for key in _OWN_KEYS} | self.figures

    def write(self, folder: Path) -> Path:
        """Writes ``outcome.json`` into ``folder``, which it creates. NaN is refused, because JSON has no NaN."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / OUTCOME
        path.write_text(json.dumps(self.as_dict(), indent=2, allow_nan=False) + "\n")
        return path

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Outcome:
        """The reverse of :meth:`as_dict`."""
        figures = {key: value for key, value in document.items() if key not in _OWN_KEYS}
        return cls(document["status"], document.get("fault"), document.get("code"), document.get("message"), figures)

    @classmethod
    def read(cls, folder: Path) -> Outcome:
        """Reads ``outcome.json`` from ``folder``."""
        return cls.from_dict(json.loads((folder / OUTCOME).read_text()))
