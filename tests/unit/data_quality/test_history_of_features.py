"""Thresholds of history are told only where ``features.sql`` asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.preview_tables import _history
from tenant_experience.data_quality.describe import describe_history
from tenant_experience.use_case.source import load_source
from tests.support.generated_tenants import shipped_use_case
from tests.support.places import USE_CASE_FOLDER, USE_CASES


@pytest.mark.parametrize(
    ("sql", "is_told"),
    [
        ("SELECT client FROM events WHERE at < $as_of", False),
        ("SELECT client FROM events WHERE at >= $window_start", True),
        ("SELECT client, $AS_OF AS as_of, 1 AS Exposure_Days FROM events", True),
        ("SELECT client, CASE WHEN n < $minimum_days THEN 'insufficient' END AS history FROM events", True),
    ],
)
def test_thresholds_are_told_where_they_are_asked_for(sql: str, is_told: bool) -> None:
    use_case = shipped_use_case()
    source = load_source(USE_CASE_FOLDER, use_case.default_source, use_case)
    assert (describe_history(use_case, source, sql) is not None) is is_told


def test_of_the_shipped_use_cases_those_with_exposure_tell_them() -> None:
    told = [
        path.parent.name
        for path in sorted(Path(USE_CASES).glob("*/features.sql"))
        if describe_history(
            shipped_use_case(), load_source(USE_CASE_FOLDER, "events", shipped_use_case()), path.read_text()
        )
    ]
    assert told == ["next_purchase", "tenant_experience"]


def test_the_preview_says_why_every_history_is_enough() -> None:
    assert _history({"events": 3}).startswith("features.sql asks for no length of history, so every record's")
    assert _history({}).startswith("a ready-made table, so every record's")
