"""What a use case declares about its events and features decides what the engine takes, without a change of code."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tenant_experience.errors import UserError
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.pipeline.batch import Folders
from tenant_experience.pipeline.build_features import build_features
from tenant_experience.use_case.schema import load_use_case
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
    with pytest.raises(
        UserError, match=r"line 11: .* unknown sentiment; allowed: tenant_id, opened_at, channel.*declares"
    ):
        load_source(tmp_path, "log", SMALL)


def test_a_source_of_events_needs_a_use_case_that_declares_them():
    with pytest.raises(UserError, match="has no key 'events': declare there which columns") as caught:
        load_source(SMALL_USE_CASE, "log", SMALL.model_copy(update={"events": None}))
    assert caught.value.code == "invalid_source"


KINDS = "kind: channel, columns: {channel: {values: [call]}"
HOSTILE = ("Order Date", "a.b", '"x"', "a;b", "prix_é", "Channel", "9lives", "_x", "x-y", "", "x" * 64, "order\n")
TAKEN = (
    "event_id",
    "recorded_at",
    "repeated",
    "event_hash",
    "file",
    "broken_rule",
    "newlines",
    "where",
    "malformed",
    "repeats_key",
)
TAKEN += ("swallows_rows",)


def refusal(tmp_path: Path, events: str) -> str:
    text = (SMALL_USE_CASE / "use_case.yaml").read_text()
    head, rest = text.split("events:\n")
    tail = rest[rest.index("features:") :]
    (tmp_path / "use_case.yaml").write_text(f"{head}events: {events}\n\n{tail}")
    with pytest.raises(UserError) as caught:
        load_use_case(tmp_path)
    assert caught.value.code == "invalid_use_case"
    assert caught.value.message.startswith("use_case.yaml: line 8: "), caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ("{columns: {x: {values: []}}}", "at least 1 entries"),
        (
            "{columns: {x: {values: [yes, no]}}}",
            "YAML reads yes, on or true without quotes as true: write it in quotes, such as 'yes'",
        ),
        ("{columns: {x: {values: [1, 2]}}}", "write it in quotes, '1'"),
        ("{columns: {x: {values: [call, Call]}}}", "values lists 'call' more than once"),
        ("{columns: {x: {type: text, values: [a]}}}", "values belong to type: category, and not to type: text"),
        ("{columns: {x: {type: money}}}", "'text', 'category', 'number', 'integer', 'boolean' or 'time'"),
        ("{columns: {x: {minimum: 1}}}", "belong to numbers, integers and times, and not to category"),
        ("{columns: {x: {type: time, minimum: 1}}}", "minimum and maximum of type: time must be times"),
        ("{columns: {x: {type: number, minimum: 2026-01-01}}}", "minimum and maximum of type: number must be numbers"),
        ("{columns: {x: {type: number, minimum: 2, maximum: 1}}}", "minimum must not exceed maximum"),
        ("{columns: {x: {type: number, maximum: .inf}}}", "finite"),
        ("{columns: {x: {type: number, follows_event: true}}}", "follows_event belongs to type: time"),
        ("{columns: {x: {required: true, optional: true}}}", "cannot be both optional and required"),
        ("{columns: {x: {required_for: [call]}}}", "columns.x.required_for needs the key 'kind'"),
        ("{kind: x}", "kind names 'x', which must be one of columns, with its values"),
        ("{kind: x, columns: {x: {}}}", "kind names 'x', which must be one of columns, with its values"),
        ("{kind: x, columns: {x: {values: [a], optional: true}}}", "every event has one"),
        (f"{{{KINDS}, way: {{required_for: [fax]}}}}}}", "columns.way.required_for names 'fax', which is not one of"),
        (f"{{{KINDS}, way: {{required: true, required_for: [call]}}}}}}", "required_for must be left out"),
        ("{columns: {x: {kind: text}}}", "unknown key 'events.columns.x.kind'; allowed here: type, values"),
        ("{time: Opened At}", "the name of an event column begins with a letter"),
        ("{columns: {tenant_id: {}}}", "'events.columns.tenant_id': record_id is 'tenant_id' too: choose another name"),
        ("{columns: {portfolio_id: {}}}", "partition_column is 'portfolio_id' too"),
        ("{columns: {event_time: {type: time}}}", "events.time is 'event_time' too"),
        ("{columns: {price: {}, raw_price: {}}}", "'events.columns.raw_price': the engine calls a value 'raw_price'"),
        *((f"{{columns: {{{json.dumps(name)}: {{}}}}}}", "the name of an event column begins") for name in HOSTILE),
        *((f"{{columns: {{{name}: {{}}}}}}", "has a column of this name already") for name in TAKEN),
    ],
)
def test_declarations_that_cannot_be_meant_are_named_with_their_line(tmp_path: Path, events: str, words: str):
    assert words in refusal(tmp_path, events)


@pytest.mark.parametrize("record_id", ["event_id", "recorded_at", "file"])
def test_the_id_of_a_record_is_no_column_of_the_engine(tmp_path: Path, record_id: str):
    text = (SMALL_USE_CASE / "use_case.yaml").read_text()
    (tmp_path / "use_case.yaml").write_text(text.replace("record_id: tenant_id", f"record_id: {record_id}"))
    with pytest.raises(UserError, match="line 3: key 'record_id': every row of events has a column"):
        load_use_case(tmp_path)


WORDS_OF_SQL = (
    *("order", "group", "default", "to", "select", "from", "where_", "table", "user", "check", "end", "case", "all"),
    *("release", "slug", "partition", "event_time", "line", "lines", "reason", "note", "content", "place", "breaks"),
    *(
        "history",
        "as_of",
        "may_train",
        "staged",
        "events",
        "quarantine",
        "kind",
        "copies",
        "failed_logins",
        "x_is_plain",
    ),
)


def test_words_of_sql_and_of_the_engine_are_names_like_others(folders: Folders, tmp_path: Path):
    shutil.copytree(SMALL_USE_CASE, tmp_path / "use_case")
    use_case = tmp_path / "use_case/use_case.yaml"
    declared = "".join(f"    {name}: {{type: text}}\n" for name in WORDS_OF_SQL)
    use_case.write_text(use_case.read_text().replace("    channel: {", f"{declared}    channel: {{"))
    source = tmp_path / "use_case/sources/log.yaml"
    source.write_text(source.read_text() + "".join(f"  {name}: c{n}\n" for n, name in enumerate(WORDS_OF_SQL)))
    sql = tmp_path / "use_case/features.sql"
    given = " OR ".join(f"events.\"{name}\" <> 'v{n}'" for n, name in enumerate(WORDS_OF_SQL))
    sql.write_text(sql.read_text().replace("channel = 'visit' THEN 1", f"channel = 'visit' AND NOT ({given}) THEN 1"))
    values = ",".join(f"v{n}" for n in range(len(WORDS_OF_SQL)))
    lines = [f"E{n % 5},T{n % 4},h,visit,,2026-01-01T10:00:00Z,,{values}" for n in range(4)] * 2
    lines.append(f"E9,T0,h,fax,,2026-01-01,,{values}")
    header = ",".join([LOG_HEADER, *(f"c{n}" for n in range(len(WORDS_OF_SQL)))])
    outcome = build(replace(folders, use_case=tmp_path / "use_case"), [header, *lines], "log")
    assert (outcome.status, outcome.figures["quarantined"]) == ("ok", 1)
    assert [row["visit_count"] for row in features(folders).values()] == [2] * 4
