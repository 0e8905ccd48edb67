"""Activity logs: many rows about a case give the features of one row about it."""

from __future__ import annotations

import json
import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenant_experience.errors import UserError
from tenant_experience.pipeline.batch import Folders
from tenant_experience.pipeline.build_features import build_features
from tenant_experience.use_case.schema import load_use_case
from tenant_experience.use_case.source import load_source
from tests.support.places import USE_CASE_FOLDER
from tests.support.raw_reading import Read

ACTIVITIES = """kind: activities
columns:
  event_id: case_id
  recorded_at: happened
  tenant_id: who
  portfolio_id: place
  channel: kind
  opened_at: happened
  first_response_at: CASE WHEN activity = 'reply' THEN happened END
  resolved_at: CASE WHEN activity = 'solve' THEN happened END
  escalated: activity = 'escalate'
  sentiment: tone
combine: {first_response_at: first}
"""
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
HEADER = "case_id,who,place,kind,activity,happened,tone"
CASES = "event_id,tenant_id,portfolio_id,channel,opened_at,first_response_at,resolved_at,escalated,sentiment"


@pytest.fixture
def use_case(tmp_path: Path) -> Path:
    folder = shutil.copytree(USE_CASE_FOLDER, tmp_path / "tenant_experience")
    (folder / "sources/activities.yaml").write_text(ACTIVITIES)
    text = (folder / "use_case.yaml").read_text()
    (folder / "use_case.yaml").write_text(text.replace("pooled_tenants: 500 ", "pooled_tenants: 1 "))
    return folder


def moment(hours: float) -> str:
    return f"{AS_OF - timedelta(days=700) + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"


def generated_cases() -> tuple[list[str], list[str]]:
    """Rows of activities, and the same cases as one row each."""
    rng = random.Random(7)
    activities, cases = [], []
    for number in range(600):
        opened = rng.uniform(0, 16_000)
        who, kind = f"T{number % 23}", rng.choice(["ticket", "maintenance_request", "work_order"])
        tone = rng.choice(["", "positive", "negative"])
        times = sorted(opened + rng.uniform(0.1, 500) for _ in range(5))
        steps = [("open", opened)]
        steps += [("reply", times[0]), ("reply", times[1])] if rng.random() < 0.8 else []
        steps += [("escalate", times[2])] if rng.random() < 0.3 else []
        steps += [("solve", times[3])] if rng.random() < 0.7 else []
        steps += [("solve", times[4])] if rng.random() < 0.2 else []
        steps = [step for step in steps if step[1] < 16_790]
        last = len(steps) - 1
        activities += [
            f"C{number},{who},p{number % 3},{kind},{name},{moment(at)},{tone if place == last else ''}"
            for place, (name, at) in enumerate(steps)
        ]
        replies, solved = ([moment(at) for name, at in steps if name == wanted] for wanted in ("reply", "solve"))
        escalated = str(any(name == "escalate" for name, _ in steps)).lower()
        response, resolution = replies[0] if replies else "", solved[-1] if solved else ""
        cases.append(
            f"C{number},{who},p{number % 3},{kind},{moment(opened)},{response},{resolution},{escalated},{tone}"
        )
    return activities, cases


def build(
    base: Path, use_case: Path, source: str, files: dict[str, str], requested_at: datetime = AS_OF
) -> tuple[Folders, dict]:
    made = {name: base / name for name in ("raw", "features", "quarantine", "reports")}
    for folder in made.values():
        folder.mkdir(parents=True)
    for name, text in files.items():
        (made["raw"] / name).write_text(text)
    (made["raw"] / "manifest.json").write_text(json.dumps({"source": source, "as_of": f"{AS_OF:%Y-%m-%dT%H:%M:%SZ}"}))
    folders = Folders(use_case=use_case, previous=base / "previous", **made)
    build_features(folders, release="r1", use_case_name="tenant_experience", requested_at=requested_at)
    return folders, json.loads((folders.reports / "data_quality.json").read_text())


def features(folders: Folders) -> pa.Table:
    return pq.read_table(folders.features / "features.parquet")


def test_an_activity_log_has_the_features_of_its_cases(tmp_path: Path, use_case: Path):
    activities, cases = generated_cases()
    expected, _ = build(tmp_path / "cases", use_case, "events", {"cases.csv": "\n".join([CASES, *cases])})
    rng = random.Random(3)
    shuffled = [*activities, *rng.sample(activities, 300)]
    rng.shuffle(shuffled)
    halves = {"a.csv": shuffled[::2], "b.csv": shuffled[1::2]}
    files = {name: "\n".join([HEADER, *rows]) for name, rows in halves.items()}
    found, quality = build(tmp_path / "activities", use_case, "activities", files)
    assert features(found).equals(features(expected))
    assert features(found).num_rows == 23
    assert (quality["events"], quality["updates"]) == (600, len(shuffled) - 600)
    assert (quality["quarantined"], quality["conflicting_ids"]) == (0, 0)
    assert quality["warnings"] == [
        "answer rate is null for every tenant: source activities has no column for answered, which it is computed from"
    ]


def test_what_happened_later_is_not_known_in_an_earlier_period(tmp_path: Path, use_case: Path):
    text = (use_case / "use_case.yaml").read_text()
    (use_case / "use_case.yaml").write_text(text.replace("window_days: 365", "window_days: 300"))
    late = AS_OF - timedelta(days=300)
    lines = [f"A{n},T1,p,ticket,open,{moment(24 * n)}," for n in range(1, 690)]
    lines += [
        f"late,T1,p,ticket,{name},{late + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ},{tone}"
        for name, hours, tone in (("open", -20, ""), ("reply", -10, "positive"), ("escalate", 5, "negative"))
    ]
    folders, _ = build(tmp_path / "b", use_case, "activities", {"a.csv": "\n".join([HEADER, *lines])})
    (then,) = pq.read_table(folders.features / "past/300/features.parquet").to_pylist()
    assert (then["escalation_count"], then["negative_rate"]) == (0, 0)
    assert then["positive_rate"] > 0


def test_values_of_a_case_are_combined_as_the_source_says(tmp_path: Path, use_case: Path):
    source = use_case / "sources/activities.yaml"
    source.write_text(ACTIVITIES.replace("{first_response_at: first}", "{sentiment: first, escalated: last}"))
    lines = ["1,T1,p,ticket,open,2026-01-01,positive", "1,T1,p,ticket,escalate,2026-01-02,"]
    lines += [
        "1,T1,q,ticket,reply,2026-01-03,negative",
        "1,T1,q,call,solve,2026-01-04,",
        "2,T1,p,ticket,open,2026-01-01,",
    ]
    lines += ["2,T2,p,ticket,solve,2026-01-05,", "3,T3,p,ticket,open,soon,"]
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.csv").write_text("\n".join([HEADER, *lines]))
    found = Read(tmp_path / "raw", use_case, "activities")
    assert found.reasons == [("missing_value", "direction", 5), ("unreadable_time", "opened_at", 8)]
    one, two = found.events
    assert (one["opened_at"], one["portfolio_id"], one["channel"]) == (datetime(2026, 1, 1), "q", "ticket")
    assert (one["sentiment"], one["escalated"], one["resolved_at"]) == ("positive", False, None)
    assert (two["tenant_id"], two["resolved_at"]) == ("T2", datetime(2026, 1, 5))
    assert (found.counts.conflicting_ids, found.counts.updates) == (1, 3)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("  recorded_at: happened\n", "", "line 2: key 'columns' lacks recorded_at"),
        ("{first", "{tenancy_end_at: last, first", "line 13: key 'combine' names tenancy_end_at"),
        ("{first", "{opened_at: last, first", "line 13: key 'combine' names opened_at"),
        ("{first", "{sentiment: any, first", "line 13: key 'combine' says any of sentiment"),
        ("at: first}", "at: middle}", "'first', 'last' or 'any'"),
        ("kind: activities", "kind: events", "belongs to kind: activities, and not to kind: events"),
    ],
)
def test_a_source_of_activities_that_cannot_be_meant_is_refused(use_case: Path, before: str, after: str, words: str):
    (use_case / "sources/activities.yaml").write_text(ACTIVITIES.replace(before, after))
    with pytest.raises(UserError) as caught:
        load_source(use_case, "activities", load_use_case(use_case))
    assert words in caught.value.message


def test_cases_of_which_nothing_was_recorded_by_then_are_said_to_be_so(tmp_path: Path, use_case: Path):
    """They began before as_of, so it is not their own time that is too late."""
    (use_case / "sources/activities.yaml").write_text(ACTIVITIES.replace("opened_at: happened", "opened_at: tone"))
    source = use_case / "sources/activities.yaml"
    source.write_text(source.read_text().replace("  sentiment: tone\n", ""))
    lines = [f"C{n},T{n},p,ticket,open,2026-11-{n + 1:02}T00:00:00Z,2026-10-01T00:00:00Z" for n in range(1, 9)]
    files = {"a.csv": "\n".join([HEADER, *lines])}
    with pytest.raises(UserError) as caught:
        build(tmp_path / "b", use_case, "activities", files, AS_OF + timedelta(days=30))
    assert caught.value.code == "no_events_before_as_of"
    assert caught.value.message == (
        "no activity happened before as_of 2026-11-01 00:00 UTC (column recorded_at); the first is of 2026-11-02 "
        "00:00:00: set as_of in manifest.json to the day after the export"
    )


def test_the_range_of_times_is_that_of_the_cases(tmp_path: Path, use_case: Path):
    activities, _ = generated_cases()
    _, quality = build(tmp_path / "b", use_case, "activities", {"a.csv": "\n".join([HEADER, *activities])})
    opened = [row.split(",")[5] for row in activities if row.split(",")[4] == "open"]
    found = (quality["first_event_at"], quality["last_event_at"])
    assert [f"{each[:10]}T{each[11:19]}Z" for each in found] == [min(opened), max(opened)]
    assert max(row.split(",")[5] for row in activities) > max(opened)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [],
            "a.csv: a header but no rows; expected rows with the columns case_id, happened, who, place, kind, activity",
        ),
        (
            [f"C{n},T1,p,ticket,open,{moment(n)}," for n in range(9)],
            "missing_value, column opened_at (read from activity, happened by the source), 9 times, first in a.csv",
        ),
    ],
)
def test_a_refusal_names_columns_of_the_file_and_no_expressions(
    tmp_path: Path, use_case: Path, rows: list[str], words: str
):
    source = use_case / "sources/activities.yaml"
    if rows:  # no activity ever begins so, so that the expression is empty in every row
        empty = "opened_at: CASE WHEN activity = 'begin' THEN happened END"
        source.write_text(ACTIVITIES.replace("opened_at: happened", empty))
    with pytest.raises(UserError) as caught:
        build(tmp_path / "b", use_case, "activities", {"a.csv": "\n".join([HEADER, *rows])})
    assert words in caught.value.message
    assert "CASE" not in caught.value.message
