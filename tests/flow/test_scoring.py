"""Score batches through the deployed stack: ids, features and events, and everybody after a release."""

from __future__ import annotations

import io
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from operations.releases import FinishedRelease
from tenant_experience.aws import kept_answers
from tests.support.flow import Flow
from tests.support.places import USE_CASE_FOLDER
from tests.support.scoring_runs import USE_CASE, events_of_new_tenants, executions, scored, start_scoring, upload


def of_released(release: FinishedRelease) -> dict[str, Any]:
    """The event that ends a release; the laptop's stack does not score after every release."""
    names = {name: release.execution[name] for name in ("input", "output")}
    kind = "Step Functions Execution Status Change"
    return {"detail-type": kind, "source": "aws.states", "time": "2026-11-29T10:00:00Z", "detail": names}


def assert_as_the_api_says(flow: Flow, rows: list[dict[str, Any]]) -> None:
    said = {row["tenant_id"]: row for row in flow.predictions([row["record_id"] for row in rows])}
    for row in rows:
        api = said[row["record_id"]]
        names = ("status", "model_version", "scale", "as_of", "history", "label_basis", "probability_basis")
        assert {name: row[name] for name in names} == {name: api[name] for name in names}
        assert row["answer"] == api["experience"]
        for name in ("probability", "model_probability"):
            assert row[name] == pytest.approx(api[name], abs=1e-6)


def fed_from(flow: Flow) -> str:
    """The release whose features are live last, which need not be the live one: nothing may have been trained on it."""
    live = flow.live()
    assert live is not None
    return str(live["served"][-1])


def features_as_uploaded(flow: Flow, release: str) -> bytes:
    """Some of the features of a release under the names that an export has."""
    body = boto3.client("s3").get_object(Bucket=flow.bucket, Key=f"features/{release}/features.parquet")["Body"].read()
    table = pq.read_table(io.BytesIO(body)).slice(0, 20)
    columns = yaml.safe_load((USE_CASE_FOLDER / "sources/tenant_table.yaml").read_text())["columns"]
    content = io.BytesIO()
    pq.write_table(pa.table({theirs: table[ours] for ours, theirs in columns.items()}), content)
    return content.getvalue()


def test_ids_features_events_and_everybody(flow: Flow, first: FinishedRelease, monkeypatch: pytest.MonkeyPatch) -> None:
    live = flow.live()
    assert live is not None
    wanted = [f"T{number:06d}" for number in range(100)]
    upload(flow, "ids", "ids.csv", "\n".join(["tenant_id", *wanted, "NOBODY"]).encode(), {})
    upload(flow, "rows", "rows.parquet", features_as_uploaded(flow, fed_from(flow)), {"source": "tenant_table"})
    upload(flow, "events", "events.csv", events_of_new_tenants(), {"source": "events"})
    everybody = start_scoring(flow, of_released(first))
    assert start_scoring(flow, of_released(first)) == everybody

    ids = scored(flow, "ids")
    assert ids.execution["status"] == "SUCCEEDED", (ids.execution.get("error"), ids.execution.get("cause"))
    assert_as_the_api_says(flow, ids.rows)
    assert len(ids.rows) + len(ids.errors) == 101
    assert ("NOBODY", "no_features") in {(row["record_id"], row["reason"]) for row in ids.errors}
    by_id = {row["record_id"]: row for row in ids.rows}
    explained = next(row for row in ids.rows if row["reasons"])
    api = flow.get(f"/tenants/{explained['record_id']}/prediction").json()
    assert [reason["text"] for reason in api["reasons"]] == explained["reasons"]

    rows = scored(flow, "rows").rows
    assert len(rows) == 20
    for row in (each for each in rows if each["record_id"] in by_id and by_id[each["record_id"]]["probability"]):
        assert row["model_probability"] == pytest.approx(by_id[row["record_id"]]["model_probability"], abs=1e-6)

    new = scored(flow, "events")
    assert new.execution["status"] == "SUCCEEDED", (new.execution.get("error"), new.execution.get("cause"))
    assert {row["record_id"] for row in new.rows} == {f"SCORED-{number}" for number in range(5)}
    assert new.errors == []

    released = scored(flow, f"release-{first.release}")
    assert len(executions(flow, f"release-{first.release}")) == 1
    monkeypatch.setenv("ANSWER_TABLE", flow.stack.outputs["AnswerTableName"])
    kept_answers.dynamodb.cache_clear()
    kept = kept_answers.read_answer(released.rows[0]["record_id"], USE_CASE)
    assert kept is not None
    assert kept["probability"] == released.rows[0]["probability"]
    assert kept_answers.read_answer("SCORED-0", USE_CASE) is None  # what was uploaded is nobody to act on
    page = kept_answers.read_page(released.rows[0]["portfolio_id"], USE_CASE, limit=20)
    answered = [row for row in page.rows if row.get("answer") == "bad"]
    assert [row["probability"] for row in answered] == sorted((row["probability"] for row in answered), reverse=True)
    mail = flow.mailbox.wait_for(f"Scored: release-{first.release}")
    assert f"Records answered: {len(released.rows)} of {len(released.rows)}" in mail["text"]


@pytest.mark.slow
def test_a_run_that_cannot_be_done_is_refused_by_name(flow: Flow, first: FinishedRelease) -> None:
    assert first.release
    upload(flow, "truncated", "rows.parquet", b"PAR1 and no more", {"source": "tenant_table"})
    upload(flow, "nobody", "rows.csv", b"a\n1\n", {}, "bank_marketing")
    done = scored(flow, "truncated")
    assert done.execution["status"] == "FAILED"
    assert done.execution["error"].startswith("UserError.")
    mail = flow.mailbox.wait_for(f"Scoring {done.execution['name']}")
    assert "score/tenant_experience/truncated/" in mail["text"]
    refused = flow.mailbox.wait_for("Not scored: score/bank_marketing/nobody/manifest.json")
    assert "no_live_release" in refused["text"]
