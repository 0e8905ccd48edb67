"""What is kept of an answer, and in which order records need attention."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tenant_experience.api.kept_answer import answer_row, attention
from tenant_experience.api.prediction import describe_prediction
from tenant_experience.api.route_family import RECORD_ROUTES
from tests.support.kept_answers import PREDICTION, SCORED_AT, USE_CASE, row_of, tenant


def test_a_row_says_what_the_api_says() -> None:
    row = answer_row(tenant(), PREDICTION, USE_CASE, scored_at=SCORED_AT, batch="b1", run="run-1")
    now, never = datetime(2026, 11, 2, tzinfo=UTC), timedelta(days=35)
    said = describe_prediction(tenant(), PREDICTION, USE_CASE, routes=RECORD_ROUTES, now=now, stale_after=never)
    for name in ("status", "probability", "model_probability", "label_basis", "model_version", "scale", "as_of"):
        assert row[name] == said[name]
    assert row["answer"] == said["label"] == "bad"
    assert row["reasons"] == [reason["text"] for reason in said["reasons"]]
    assert row["counter_reasons"] == [reason["text"] for reason in said["counter_reasons"]]
    assert (row["open_items"], row["oldest_open_hr"]) == (2.0, 30.0)
    assert (row["batch"], row["run"], row["scored_at"]) == ("b1", "run-1", SCORED_AT)


def test_a_record_with_too_little_history_has_no_probability() -> None:
    row = answer_row(tenant("insufficient"), None, USE_CASE, scored_at=SCORED_AT, batch="b1", run="run-1")
    assert (row["status"], row["answer"], row["probability"], row["reasons"]) == (
        "insufficient_history",
        None,
        None,
        [],
    )


@pytest.mark.parametrize(
    "in_order",
    [
        [row_of("bad", 0.2), row_of("good", 0.9, answer="good"), row_of("none", None)],
        [row_of("a", 0.9), row_of("b", 0.90000001 - 1e-7), row_of("c", 1e-9), row_of("d", 0.0)],
        [row_of("older", 0.5, oldest_open_hr=40.0), row_of("newer", 0.5), row_of("no", 0.5, oldest_open_hr=None)],
        [row_of(str(n), None, value=n, value_of=None) for n in (1e9, 3.5, 0.0, -0.25, -7.0)],
        [row_of(str(n), None, value=n, value_of="days until") for n in (-1.0, 0.0, 2.0, 1e6)],
    ],
    ids=["labels", "probabilities", "open items", "numbers", "days"],
)
def test_who_needs_attention_comes_first(in_order: list[dict[str, Any]]) -> None:
    keys = [attention(row, "bad") for row in in_order]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
