"""The broken ``features.sql`` of the contract where records have several rows, and where labels are later events.

What preview says is what the job says, and what preview lets pass ends in a model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tenant_experience.errors import TenantExperienceError
from tests.support.broken_sql import BROKEN, LABEL, select
from tests.support.written_use_case import events_of

SEVERAL: dict[str, Any] = {"examples": "several"}
LATER: dict[str, Any] = {
    "labels": {
        "from": "events",
        "column": "soon",
        "window": "30d",
        "classes": ["silent", "calls"],
        "positive": "calls",
    }
}
# With several rows, each needs a time; a label of later events is not in the result.
CHANGES = {"several": SEVERAL, "later": LATER}
OF_ROWS = {
    "several": lambda sql: sql.replace("SELECT tenant_id,", "SELECT tenant_id, max(opened_at) AS as_of,"),
    "later": lambda sql: sql.replace(f", {LABEL}", ""),
}
# A row for each event is what several rows are, and without a label to give, none is missing.
NOT_BROKEN = {
    "several": {select(f"tenant_id, count(*) AS calls, {LABEL}", "GROUP BY event_id, tenant_id")},
    "later": {select("tenant_id, count(*) AS calls")},
}
CASES = [(kind, sql) for kind in CHANGES for sql in BROKEN if sql not in NOT_BROKEN.get(kind, ())]


def verdict(run: Any) -> list[tuple[str, str]]:
    """Code and message of each refusal."""
    try:
        found = run()
    except TenantExperienceError as refusal:
        return [(refusal.code, refusal.message)]
    return list(getattr(found, "refusals", []))


def check(kind: str, sql: str, base: Path) -> None:
    case = events_of(base, OF_ROWS[kind](sql), **CHANGES[kind])
    shown, built = verdict(case.preview), verdict(case.release)
    assert shown
    assert built[:1] == shown[:1]
    assert "features.sql" in shown[0][1]


@pytest.mark.parametrize(("kind", "sql"), CASES[::7], ids=range(len(CASES[::7])))
def test_a_break_is_told_alike(kind: str, sql: str, tmp_path: Path) -> None:
    check(kind, sql, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "sql"), CASES, ids=range(len(CASES)))
def test_each_break_is_told_alike(kind: str, sql: str, tmp_path: Path) -> None:
    check(kind, sql, tmp_path)
