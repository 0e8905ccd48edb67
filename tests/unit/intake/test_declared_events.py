"""What a use case declares about its events and features decides what the engine takes, without a change of code."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tenant_experience.errors import UserError
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.pipeline.build_features import Folders, build_features
from tenant_experience.use_case.schema import UseCase, load_use_case
from tenant_experience.use_case.source import load_source
from tests.support.engine_use_cases import SMALL as SMALL_USE_CASE

SMALL = load_use_case(SMALL_USE_CASE)
REQUESTED_AT = datetime(2026, 1, 31, tzinfo=UTC)
LOG_HEADER = "id,tenant,house,kind,way,opened,answered"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    made = {name: tmp_path / name for name in ("raw", "features", "quarantine", "reports")}
    for folder in made.values():
        folder.mkdir()
    return Folders(use_case=SMALL_USE_CASE, previous=tmp_path / "previous", **made)


def build(folders: Folders, lines: list[str], source: str) -> Outcome:
    (folders.raw / "batch.csv").write_text("\n".join(lines) + "\n")
    (folders.raw / "manifest.json").write_text(json.dumps({"source": source}))
    return build_features(folders, release="r1", use_case_name="small", requested_at=REQUESTED_AT)


def features(folders: Folders) -> dict[str, dict]:
    return {row["tenant_id"]: row for row in pq.read_table(folders.features / "features.parquet").to_pylist()}


def test_only_the_declared_channels_are_taken(folders: Folders):
    good = [f"E{n},T{n},h,visit,,2026-01-01T10:00:00Z,2026-01-01T12:00:00Z" for n in range(4)]
    other = ["A,T0,h,Chat,IN,2026-01-02,", "B,T0,h,chat,out,2026-01-02,", "C,T1,h,call,in,2026-01-02,"]
    other += ["D,T1,h,chat,,2026-01-02,", "E,T1,h,chat,inbound,2026-01-02,"]
    outcome = build(folders, [LOG_HEADER, *good, *other], "log")
    quarantine = pq.read_table(folders.quarantine / "quarantine.parquet").to_pylist()
    assert [(row["reason"], row["column_name"], row["raw_event_id"]) for row in quarantine] == [
        ("unknown_channel", "channel", "C"),
        ("missing_value", "direction", "D"),
        ("unknown_direction", "direction", "E"),
    ]
    assert (outcome.status, outcome.figures["tenants"], outcome.figures["quarantined"]) == ("ok", 4, 3)
    row = features(folders)["T0"]
    assert (row["visit_count"], row["mean_wait_hr"], row["chat_in_share"]) == (1, 2, 0.5)


def test_an_optional_feature_that_a_table_lacks_is_null_and_said(folders: Folders):
    outcome = build(folders, ["tenant,visits,wait", *(f"T{n},{n},{n}.5" for n in range(4))], "table")
    said = "chat in share is null for every tenant: source table has no column for it"
    assert outcome.figures["data_quality"]["warnings"] == [said]
    assert said.replace("_", " ") in (folders.reports / "data_quality.html").read_text()
    rows = features(folders)
    assert (rows["T2"]["visit_count"], rows["T2"]["mean_wait_hr"]) == (2, 2.5)
    assert [row["chat_in_share"] for row in rows.values()] == [None] * 4


def test_a_table_that_lacks_another_feature_is_refused(tmp_path: Path):
    (tmp_path / "sources").mkdir()
    text = (SMALL_USE_CASE / "sources/table.yaml").read_text()
    (tmp_path / "sources/table.yaml").write_text(text.replace("  mean_wait_hr: wait\n", "  chat_in_share: share\n"))
    with pytest.raises(UserError, match=r"table\.yaml: line 3: key 'columns' lacks mean_wait_hr$"):
        load_source(tmp_path, "table", SMALL)


def test_a_source_cannot_map_a_column_that_the_use_case_does_not_declare(tmp_path: Path):
    (tmp_path / "sources").mkdir()
    text = (SMALL_USE_CASE / "sources/log.yaml").read_text()
    (tmp_path / "sources/log.yaml").write_text(text + "  sentiment: mood\n")
    with pytest.raises(UserError, match="key 'columns' has unknown sentiment; allowed: event_id, "):
        load_source(tmp_path, "log", SMALL)


def test_a_source_of_events_needs_a_use_case_that_declares_them():
    with pytest.raises(UserError, match="has no key 'events': declare there which channels") as caught:
        load_source(SMALL_USE_CASE, "log", SMALL.model_copy(update={"events": None}))
    assert caught.value.code == "invalid_source"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, "Field required"),
        ({"channel": {"values": []}}, "at least 1 item"),
        ({"channel": {"values": ["Call"]}}, "should match pattern"),
        ({"channel": {"values": ["call", "call"]}}, "values lists 'call' more than once"),
        ({"channel": {"values": ["call"], "required_for": ["call"]}}, "every event has a channel"),
        (
            {"channel": {"values": ["call"]}, "direction": {"values": ["in"], "required_for": ["fax"]}},
            "direction.required_for names 'fax', which is not one of channel.values: call",
        ),
        ({"channel": {"values": ["call"]}, "mood": {"values": ["good"]}}, "Extra inputs are not permitted"),
    ],
)
def test_declarations_that_contradict_themselves_are_named(columns: dict, words: str):
    document = SMALL.model_dump(by_alias=True, exclude_unset=True) | {"events": {"columns": columns}}
    with pytest.raises(ValueError, match=words):
        UseCase.model_validate(document)
