"""A feature is null, and not 0, where the source maps nothing that it could be computed from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from tenant_experience.data_quality.gates import unmapped_warnings
from tenant_experience.errors import UserError
from tenant_experience.use_case.schema import load_use_case
from tenant_experience.use_case.source import Source, load_source
from tests.support.feature_job import FeatureJob
from tests.support.places import USE_CASE_FOLDER

USE_CASE = load_use_case(USE_CASE_FOLDER)
OPTIONAL = {
    "escalated": {"escalation_count"},
    "answered": {"answer_rate"},
    "sentiment": {"positive_rate", "negative_rate"},
}
HEADER = "event_id,tenant_id,channel,direction,opened_at,first_response_at,resolved_at,answered,escalated,sentiment"
ROWS = [
    "{n},T{t},ticket,,2026-0{m}-01T10:00:00Z,2026-0{m}-01T11:00:00Z,,,true,positive",
    "{n},T{t},call,inbound,2026-0{m}-02T10:00:00Z,2026-0{m}-02T10:01:00Z,,true,false,",
]


def written_source(folder: Path, left_out: dict[str, str | None]) -> Path:
    """A copy of the use case whose source maps columns to something else, or not at all."""
    copy = folder / "use_cases" / USE_CASE.name
    (copy / "sources").mkdir(parents=True)
    for name in ("use_case.yaml", "features.sql"):
        (copy / name).write_text((USE_CASE_FOLDER / name).read_text())
    document = yaml.safe_load((USE_CASE_FOLDER / "sources/events.yaml").read_text())
    document["columns"] |= left_out
    document["columns"] = {name: column for name, column in document["columns"].items() if column is not None}
    (copy / "sources/events.yaml").write_text(yaml.safe_dump(document))
    return copy


def events() -> str:
    rows = [
        row.format(n=f"{tenant}-{month}-{place}", t=tenant, m=month)
        for tenant in range(600)
        for month in range(1, 10)
        for place, row in enumerate(ROWS)
    ]
    return "\n".join([HEADER, *rows, ""])


@pytest.mark.parametrize("expression", [None, "'NULL'", "'null'"])
def test_features_are_unknown_where_the_source_maps_nothing(expression: str | None) -> None:
    source = load_source(USE_CASE_FOLDER, "events", USE_CASE)
    for column, features in OPTIONAL.items():
        columns = {name: mapped for name, mapped in source.columns.items() if name != column}
        columns |= {} if expression is None else {column: expression.strip("'")}
        found = source.model_copy(update={"columns": columns}).unmapped(USE_CASE)
        assert found == {feature: [column] for feature in features}
    assert source.unmapped(USE_CASE) == {}


def test_every_optional_column_that_a_feature_is_computed_from_is_declared() -> None:
    """The others say who a tenant is and since when, and never make a count or a rate out of nothing.

    Without a direction, conversations are refused.
    """
    events = USE_CASE.declared_events
    optional = {name for name, column in events.columns.items() if column.optional}
    assert {need for feature in USE_CASE.features.values() for need in feature.needs} == set(OPTIONAL)
    assert optional - set(OPTIONAL) == {"direction", "tenancy_start_at", "tenancy_end_at"}
    assert set(events.columns["direction"].required_for) == {"call", "message", "email"}


def test_a_release_gives_null_and_says_why(tmp_path: Path) -> None:
    use_case = written_source(tmp_path, {"sentiment": None, "escalated": "NULL"})
    job = FeatureJob(tmp_path / "job", use_case=str(use_case))
    (job.raw / "events.csv").write_text(events())
    outcome = job.run({"as_of": f"{datetime(2026, 10, 1, tzinfo=UTC):%Y-%m-%dT%H:%M:%SZ}"})
    assert outcome["status"] == "ok", outcome
    table = pq.read_table(job.output("features/features.parquet"))
    for name in ("positive_rate", "negative_rate", "escalation_count"):
        assert table[name].null_count == len(table) == 600
    assert set(table["answer_rate"].to_pylist()) == {1.0}
    assert min(table["total_tickets"].to_pylist()) > 0
    said = (
        "positive rate is null for every tenant: source events has no column for sentiment, which it is computed from"
    )
    assert said in outcome["data_quality"]["warnings"]


def test_the_warning_names_the_column() -> None:
    assert unmapped_warnings("desk", {"positive_rate": ["sentiment"], "rooms": ["rooms"]}, USE_CASE) == [
        "positive rate is null for every tenant: source desk has no column for sentiment, which it is computed from",
        "rooms is null for every tenant: source desk has no column for it",
    ]


@pytest.mark.parametrize("needs", ["[channel]", "[nothing]"])
def test_a_feature_needs_optional_columns_of_events(tmp_path: Path, needs: str) -> None:
    text = (USE_CASE_FOLDER / "use_case.yaml").read_text().replace("needs: [escalated]", f"needs: {needs}")
    (tmp_path / "use_case.yaml").write_text(text)
    with pytest.raises(UserError, match=r"features\.escalation_count\.needs names") as refusal:
        load_use_case(tmp_path)
    assert "direction, answered, escalated, sentiment, tenancy_start_at, tenancy_end_at" in refusal.value.message


def test_a_table_lacks_what_is_optional() -> None:
    table = Source.model_validate({"kind": "table", "columns": {"tenant_id": "a"}})
    optional = {name: [name] for name, feature in USE_CASE.features.items() if feature.optional}
    assert table.unmapped(USE_CASE) == optional
