"""What `tenx approvals` prints: texts that people typed stay as they are."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from operations import decisions
from operations.stack import Stack


@pytest.mark.parametrize("reason", ["see [/docs]", "[red]a typo[/red]", "[link=https://evil.example]here", "[bold"])
def test_a_reason_with_brackets_is_printed_as_it_was_typed(reason: str) -> None:
    withdrawn = {
        "id": "r1",
        "use_case": "tenant_experience",
        "status": "withdrawn",
        "requested_at": "2026-11-29T10:00:00Z",
        "expires_at": "2026-12-06T10:00:00Z",
        "decided_at": "2026-11-29T11:00:00Z",
        "votes": [],
        "asked": [],
        "reason": reason,
    }
    printed = io.StringIO()
    decisions.show(Stack("s", {}, (), None), [withdrawn], Console(file=printed, width=200))
    assert reason in printed.getvalue()
