"""Files below inference/ through the real queue: each row once, however often anything comes."""

from __future__ import annotations

import io
import json
import random
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as parquet
import pytest

from operations import queue
from operations.releases import FinishedRelease
from tenant_experience.queue.file_evaluation import KnownRow, evaluate
from tenx.main import main
from tests.support.flow import STATE, Flow
from tests.support.inference_export import inference_lines, write_inference
from tests.support.places import SHARED_DATA
from tests.support.requirements import needs_shared_data
from tests.support.waiting import until

USE_CASE = "telecom_churn"


def upload(flow: Flow, path: Path) -> dict[str, Any]:
    """Uploads a file; the event about it, as the rule delivers it."""
    key = f"inference/{USE_CASE}/{path.name}"
    put = boto3.client("s3").put_object(Bucket=flow.bucket, Key=key, Body=path.read_bytes())
    event = json.loads((Path(__file__).parents[2] / "events" / "split_file.json").read_text())
    event["detail"]["bucket"]["name"] = flow.bucket
    event["detail"]["object"] |= {"key": key, "version-id": put["VersionId"], "etag": put["ETag"].strip('"')}
    return event


def deliver(flow: Flow, event: dict[str, Any]) -> dict[str, Any]:
    """Delivers an event once more."""
    name = flow.stack.physical_id("SplitFile")
    answer = boto3.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    return found


def progress(name: str) -> dict[str, Any]:
    """What tenx queue says about the only version of a file."""
    with redirect_stdout(io.StringIO()) as printed:
        assert main(["queue", name, "--use-case", USE_CASE, "--laptop", str(STATE), "--json"]) == 0
    (found,) = json.loads(printed.getvalue()) or [{"state": "unknown"}]
    return found


def wait(name: str, state: str = "complete") -> dict[str, Any]:
    until(lambda: progress(name)["state"] == state, f"{name} is not {state}")
    return progress(name)


def rows(flow: Flow, file: str) -> list[dict[str, Any]]:
    """Every item of a file but the first, attribute -> value."""
    pages = (
        boto3.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=flow.stack.outputs["InferenceTableName"],
            KeyConditionExpression="#file = :file AND #row > :zero",
            ExpressionAttributeNames={"#file": "file", "#row": "row"},
            ExpressionAttributeValues={":file": {"S": file}, ":zero": {"N": "0"}},
        )
    )
    items = [item for page in pages for item in page["Items"]]
    return [{key: next(iter(value.values())) for key, value in item.items()} for item in items]


def evaluation(flow: Flow, name: str) -> dict[str, Any]:
    key = f"evaluations/{USE_CASE}/{name}/evaluation.json"
    client = boto3.client("s3")
    until(lambda: client.list_objects_v2(Bucket=flow.bucket, Prefix=key).get("Contents"), f"no {key}")
    found: dict[str, Any] = flow.json_object(key)
    return found


def scored_as(items: list[dict[str, Any]]) -> dict[str, Any]:
    """The evaluation of these items."""
    known = [
        KnownRow(each["dimension"], each["truth"], each["prediction"], float(each["probability"]))
        for each in items
        if "truth" in each and each["status"] == "scored"
    ]
    return evaluate(known, ["stays", "leaves"], "leaves")


def test_a_file_that_comes_twice_is_scored_once_and_evaluated(
    flow: Flow, churn: FinishedRelease, tmp_path: Path
) -> None:
    lines = inference_lines(120, seed=5, without_truth=[2, 3])
    lines[59] = lines[59].replace(lines[59].split(",")[3], "many", 1)
    event = upload(flow, write_inference(tmp_path / "dim_1_twice.csv", lines))
    deliver(flow, event)  # while the rule delivers it too, or after
    done = wait("dim_1_twice.csv")
    assert {name: done[name] for name in ("rows", "sent", "scored", "failed", "truths")} == {
        "rows": 120,
        "sent": 120,
        "scored": 119,
        "failed": 1,
        "truths": 117,
    }
    items = rows(flow, done["file"])
    assert [int(each["row"]) for each in items] == list(range(1, 121))
    assert {each["dimension"] for each in items if "dimension" in each} == {"DummyDim1"}
    assert {each["model_version"] for each in items if each["status"] == "scored"} == {churn.release}
    assert [each["reason"] for each in items if each["status"] == "failed"] == ["not_a_number: day_minutes"]
    document = evaluation(flow, "dim_1_twice.csv")
    assert (document["rows"], document["with_truth"], document["evaluation"]) == (120, 117, scored_as(items))
    assert document["evaluation"]["file"]["roc_auc"] > 0.8
    mail = flow.mailbox.wait_for("Evaluated: telecom_churn/dim_1_twice")
    assert "117 of its 120 rows say what really happened" in mail["text"]
    metrics = boto3.client("cloudwatch").list_metrics(Namespace="tenant-experience/queue", MetricName="accuracy")
    assert {len(each["Dimensions"]) for each in metrics["Metrics"]} == {1, 2}

    assert deliver(flow, event)["state"] == "complete"
    assert rows(flow, done["file"]) == items
    until(lambda: queue.waiting(flow.stack) == (0, 0), "messages are left")
    known = parquet.read_table(
        io.BytesIO(
            boto3.client("s3")
            .get_object(Bucket=flow.bucket, Key=f"features/{churn.release}/features.parquet")["Body"]
            .read()
        )
    )
    ids = known["customer_id"].to_pylist()[:2]
    for name, some in {"two_ids.csv": [*ids, "NOBODY"], "one_id.csv": ids[:1]}.items():
        (tmp_path / name).write_text("\n".join(["customer_id", *some]) + "\n")
        upload(flow, tmp_path / name)
        found = wait(name)
        assert (found["scored"], found["failed"]) == (len(set(some) & set(ids)), len(some) - len(set(some) & set(ids)))
    answers = flow.ask_predictions(USE_CASE, json={"ids": ids}).json()["predictions"]
    by_id = {each["id"]: float(each["probability"]) for each in rows(flow, found["file"])}
    assert by_id[ids[0]] == pytest.approx(answers[0]["probability"], abs=1e-6)

    (tmp_path / "large.csv").write_bytes(b"x\n" * 250_000)
    upload(flow, tmp_path / "large.csv")
    assert "more than 200,000 rows" in wait("large.csv", "handed_over")["reason"]
    (tmp_path / "empty.csv").write_text("")
    upload(flow, tmp_path / "empty.csv")
    assert "empty (0 bytes)" in wait("empty.csv", "refused")["reason"]
    assert "empty_file" in flow.mailbox.wait_for("File empty.csv was refused")["text"]


def receive(flow: Flow, output: str) -> list[str]:
    """The bodies that wait in a queue, which are taken out of it."""
    client, url = boto3.client("sqs"), flow.stack.outputs[output]
    found = []
    while some := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for each in some:
            client.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
            found.append(each["Body"])
    return found


def switch(flow: Flow, *, on: bool) -> None:
    """Stop or start the consumer."""
    client: Any = boto3.client("lambda")
    function = flow.stack.physical_id("ScoreRows")
    (mapping,) = client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=on)


@pytest.mark.slow
@needs_shared_data("telecom_churn")
def test_everything_comes_three_times_in_any_order_and_some_of_it_fails(
    flow: Flow, churn: FinishedRelease, tmp_path: Path
) -> None:
    """The three real files and one of 3,000 rows; one in twenty invocations fails, and the consumer is killed twice."""
    assert churn.release
    paths = [SHARED_DATA / "telecom_churn" / "inference" / f"dim_{number}_test.csv" for number in (1, 2, 3)]
    paths.append(write_inference(tmp_path / "dim_2_many.csv", inference_lines(3_000, seed=8)))
    client: Any = boto3.client("sqs")
    url = flow.stack.outputs["RowQueueUrl"]
    before = client.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    function = "*ScoreRows*"
    failing = [{"function": function, "skip": 3 + 20 * n, "times": 1, "error": {"code": "OSError"}} for n in range(5)]
    killed = [{"function": function, "skip": n, "times": 1, "error": {"code": "Sandbox.Timedout"}} for n in (6, 11)]
    switch(flow, on=False)
    try:
        events = [upload(flow, path) for path in paths] * 2
        random.Random(3).shuffle(events)
        for event in events:
            deliver(flow, event)
        for path in paths:
            wait(path.name, "scoring")
        bodies = receive(flow, "RowQueueUrl")
        assert len(bodies) >= 60 + 3
        deliveries = bodies * 3
        random.Random(4).shuffle(deliveries)
        client.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "60"})
        for body in deliveries:
            client.send_message(QueueUrl=url, MessageBody=body)
        with flow.failing(*failing, *killed) as fired:
            switch(flow, on=True)
            for path in paths:
                wait(path.name)
            until(lambda: queue.waiting(flow.stack)[0] == 0, "messages are left")
            assert sum(fired()) >= 2
    finally:
        client.set_queue_attributes(QueueUrl=url, Attributes=before)
        switch(flow, on=True)
    for path in paths:
        count = 3_000 if path.name == "dim_2_many.csv" else 10
        done = progress(path.name)
        assert (done["rows"], done["scored"], done["failed"]) == (count, count, 0)
        items = rows(flow, done["file"])
        assert [int(each["row"]) for each in items] == list(range(1, count + 1))
        assert evaluation(flow, path.name)["evaluation"] == scored_as(items)
        told = [mail for mail in flow.mailbox.messages() if path.stem in mail["subject"]]
        assert len(told) == 1


@pytest.mark.slow
def test_dead_messages_of_a_file_are_redriven_and_others_stay(
    flow: Flow, churn: FinishedRelease, tmp_path: Path
) -> None:
    assert churn.release
    client: Any = boto3.client("sqs")
    queue_url, dead_url = flow.stack.outputs["RowQueueUrl"], flow.stack.outputs["DeadRowsUrl"]
    switch(flow, on=False)
    try:
        for name in ("dim_1_dead.csv", "dim_3_dead.csv"):
            upload(flow, write_inference(tmp_path / name, inference_lines(60)))
            wait(name, "scoring")
        for body in receive(flow, "RowQueueUrl"):
            client.send_message(QueueUrl=dead_url, MessageBody=body)
    finally:
        switch(flow, on=True)
    assert queue_url != dead_url
    assert main(["redrive", "dim_1_dead.csv", "--use-case", USE_CASE, "--laptop", str(STATE)]) == 0
    assert wait("dim_1_dead.csv")["scored"] == 60
    assert progress("dim_3_dead.csv")["state"] == "scoring"
    assert queue.waiting(flow.stack)[1] > 0
    code = main(["erase", "T000001", "--laptop", str(STATE)])
    assert code == 1
    assert main(["redrive", "dim_3_dead.csv", "--use-case", USE_CASE, "--laptop", str(STATE)]) == 0
    assert wait("dim_3_dead.csv")["scored"] == 60


@pytest.mark.slow
def test_every_file_has_its_right_ending(flow: Flow, churn: FinishedRelease, tmp_path: Path) -> None:
    assert churn.release
    header_alone = write_inference(tmp_path / "dim_1_header.csv", [])
    missing = write_inference(tmp_path / "dim_7_missing.csv", inference_lines(4))
    poisoned = inference_lines(9)
    cells = poisoned[4].split(",")
    poisoned[4] = ",".join([*cells[:3], "1e300", *cells[4:]])  # a number, but too large for the model
    write_inference(tmp_path / "dim_1_poisoned.csv", poisoned)
    (tmp_path / "dim_1_cut.parquet").write_bytes(b"PAR1 and no more")
    for path in tmp_path.iterdir():
        upload(flow, path)
    assert wait(header_alone.name)["rows"] == 0
    assert wait(missing.name)["failed"] == 4
    done = wait("dim_1_poisoned.csv")
    assert (done["scored"], done["failed"]) == (8, 1)
    [failed] = [each for each in rows(flow, done["file"]) if each["status"] == "failed"]
    assert (int(failed["row"]), failed["reason"].partition(":")[0]) == (5, "row_refused")
    assert "is a damaged .parquet file" in wait("dim_1_cut.parquet", "refused")["reason"]
