"""SplitFile, ScoreRows and EvaluateFile, one after the other, on moto's S3, SQS and DynamoDB."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tenant_experience.api.prediction import ModelPrediction
from tenant_experience.aws import (
    event_bus,
    figure_metrics,
    inference_table,
    model_answers,
    model_endpoint,
    notifications,
    objects,
    release_table,
    row_queue,
)
from tenant_experience.errors import PlatformError
from tenant_experience.queue.message import RowMessage
from tenant_experience.queue.progress import FileProgress
from tenant_experience.release.release import LiveRelease, PublishedModel
from tests.support.function_module import function_module
from tests.support.inference_export import HEADER, inference_lines, write_inference
from tests.support.places import ROOT

BUCKET = "data"
LIVE = LiveRelease.of_models("r1", "2026-11-01T00:00:00Z", 1, {"dummydim1-93f71226": "r1"})


@dataclass
class Queue:
    """The three functions, and what they sent.

    Attributes:
        events: (kind, detail) of every event.
        mails: the subjects of the e-mails.
        metrics: what was written to CloudWatch.
        away: how many of the next questions the endpoint does not answer.
        poisoned: the probability of a row that the model refuses.
    """

    tmp: Path
    url: str
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    mails: list[tuple[str, str]] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    away: int = 0
    poisoned: float | None = None
    asked: int = 0

    def upload(self, name: str, content: bytes) -> dict[str, Any]:
        """The event about a file."""
        put = boto3.client("s3").put_object(Bucket=BUCKET, Key=f"inference/telecom_churn/{name}", Body=content)
        event = json.loads((ROOT / "events" / "split_file.json").read_text())
        event["detail"]["bucket"]["name"] = BUCKET
        stored = {"key": f"inference/telecom_churn/{name}", "version-id": put["VersionId"], "etag": put["ETag"]}
        event["detail"]["object"] |= stored
        return event

    def split(self, event: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = function_module("split_file").handler(event, None)
        return answer

    def messages(self) -> list[dict[str, str]]:
        """What waits in the queue, as Lambda gives it to a function."""
        found: list[dict[str, str]] = []
        client = boto3.client("sqs")
        while some := client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for each in some:
                client.delete_message(QueueUrl=self.url, ReceiptHandle=each["ReceiptHandle"])
                found.append({"messageId": each["MessageId"], "body": each["Body"]})
        return found

    def score(self, records: Sequence[Mapping[str, str]]) -> list[str]:
        """The messages that failed."""
        answer = function_module("score_rows").handler({"Records": records}, None)
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]

    def ask(self, _model: PublishedModel, instances: Sequence[Mapping[str, Any]]) -> list[ModelPrediction]:
        self.asked += 1
        if self.away:
            self.away -= 1
            raise PlatformError("throttled", code="model_unavailable")
        said = [each["features"]["service_calls"] / 20 for each in instances]
        if self.poisoned in said:
            raise PlatformError("instance 0: no", code="refused")
        return [
            ModelPrediction("r1", "local", experience="leaves" if p > 0.06 else "stays", probability=p) for p in said
        ]

    def progress(self, name: str) -> FileProgress:
        found = inference_table.read_progress(name)
        assert found is not None
        return found


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    monkeypatch.syspath_prepend(str(ROOT))
    settings = {
        "DATA_BUCKET": BUCKET,
        "PROJECT": "te",
        "INFERENCE_TABLE": "inference",
        "INFERENCE_RETENTION_DAYS": "90",
        "SAGEMAKER_BASE_DIR": str(tmp_path / "ml"),
        "TOPIC": "t",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    clients = (objects.s3, row_queue.sqs, inference_table.dynamodb)
    with mock_aws():
        for client in clients:
            client.cache_clear()
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        boto3.client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        boto3.client("dynamodb").create_table(
            TableName="inference",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "file", "AttributeType": "S"},
                {"AttributeName": "row", "AttributeType": "N"},
            ],
            KeySchema=[{"AttributeName": "file", "KeyType": "HASH"}, {"AttributeName": "row", "KeyType": "RANGE"}],
        )
        made = Queue(tmp_path, boto3.client("sqs").create_queue(QueueName="rows")["QueueUrl"])
        monkeypatch.setenv("ROW_QUEUE", made.url)
        monkeypatch.setattr(event_bus, "send", lambda kind, detail: made.events.append((kind, dict(detail))))
        monkeypatch.setattr(notifications, "send", lambda subject, text: made.mails.append((subject, text)))
        monkeypatch.setattr(figure_metrics, "cloudwatch", lambda: _Metrics(made))
        monkeypatch.setattr(model_answers, "ask_model", made.ask)
        monkeypatch.setattr(model_endpoint, "refusal", lambda error: error.message if error.code == "refused" else "")
        monkeypatch.setattr(release_table, "read_live", lambda _use_case: LIVE)
        yield made
        for client in clients:
            client.cache_clear()


@dataclass
class _Metrics:
    queue: Queue

    def put_metric_data(self, *, Namespace: str, MetricData: list[dict[str, Any]]) -> None:  # noqa: N803
        assert Namespace == "te/queue"
        self.queue.metrics += MetricData


def churn(count: int, queue: Queue, *, dimension: int = 1) -> bytes:
    name = queue.tmp / f"dim_{dimension}.csv"
    return write_inference(name, inference_lines(count, without_truth=[2])).read_bytes()


def test_a_file_is_scored_and_evaluated_once_however_often_anything_comes(queue: Queue) -> None:
    event = queue.upload("dim_1.csv", churn(60, queue))
    name = queue.split(event)["file"]
    sent = queue.messages()
    assert queue.split(event) == {"file": name, "state": "scoring"}  # a repeated event sends nothing again
    assert queue.messages() == []
    assert (queue.progress(name).rows, queue.progress(name).sent) == (60, 60)
    deliveries = sent * 3
    random.Random(1).shuffle(deliveries)
    for start in range(0, len(deliveries), 2):
        some = [each | {"messageId": f"{start}-{n}"} for n, each in enumerate(deliveries[start : start + 2])]
        assert queue.score(some) == []
    rows = list(inference_table.read_rows(name))
    assert [row["row"] for row in rows] == list(range(1, 61))
    assert {row["dimension"] for row in rows} == {"DummyDim1"}
    done = queue.progress(name)
    assert (done.state, done.scored, done.failed, done.truths) == ("complete", 60, 0, 59)
    [(kind, detail)] = queue.events
    assert (kind, detail["rows"], detail["file"]) == ("File Scored", 60, "dim_1.csv")
    assert queue.split(event) == {"file": name, "state": "complete"}

    answer = function_module("evaluate_file").handler({"detail": detail}, None)
    document = objects.read_json(BUCKET, answer["evaluation"])
    assert answer["evaluation"] == "evaluations/telecom_churn/dim_1.csv/evaluation.json"
    said = [(row["truth"], row["prediction"]) for row in rows if "truth" in row]
    assert document["evaluation"]["file"]["accuracy"] == sum(t == p for t, p in said) / 59
    assert document["evaluation"]["partitions"]["DummyDim1"]["rows"] == 59
    assert queue.events[-1][0] == "File Evaluated"
    assert queue.events[-1][1]["figures"]["accuracy"] == document["evaluation"]["file"]["accuracy"]
    assert queue.mails[0][0] == "Evaluated: telecom_churn/dim_1.csv"
    of_partition = [each for each in queue.metrics if len(each["Dimensions"]) == 2]
    assert {each["MetricName"] for each in of_partition} >= {"accuracy", "roc_auc", "calibration_error", "specificity"}


def test_a_splitter_that_died_half_way_sends_again_what_it_sent(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    event = queue.upload("dim_1.csv", churn(600, queue))
    send, calls = row_queue.send, []

    def die(bodies: Sequence[str]) -> None:
        calls.append(len(bodies))
        if len(calls) == 2:
            raise PlatformError("killed", code="killed")
        send(bodies)

    monkeypatch.setattr(row_queue, "send", die)
    with pytest.raises(PlatformError):
        queue.split(event)
    first = queue.messages()
    monkeypatch.setattr(row_queue, "send", send)
    name = queue.split(event)["file"]
    second = queue.messages()
    assert [each["body"] for each in first] == [each["body"] for each in second][: len(first)]
    numbers = [row.row for each in second for row in RowMessage.read(each["body"]).rows]
    assert numbers == list(range(1, 601))
    assert queue.progress(name).rows == 600


def test_an_endpoint_that_throttles_fails_only_its_messages_and_costs_no_row(queue: Queue) -> None:
    name = queue.split(queue.upload("dim_1.csv", churn(60, queue)))["file"]
    sent = queue.messages()
    queue.away = 1
    assert queue.score(sent) == [each["messageId"] for each in sent]
    assert queue.progress(name).scored == 0
    assert queue.score(sent) == []
    assert queue.progress(name).state == "complete"


def test_a_message_that_is_none_and_a_table_that_refuses_cost_nobody_else(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = queue.split(queue.upload("dim_1.csv", churn(3, queue)))["file"]
    of_first = queue.messages()
    second = queue.split(queue.upload("dim_1_other.csv", churn(3, queue)))["file"]
    of_second = queue.messages()
    keep = inference_table.keep

    def refuse(file: str, items: Sequence[Any]) -> int:
        if file == first:
            raise ClientError({"Error": {"Code": "InternalServerError"}}, "TransactWriteItems")
        return keep(file, items)

    monkeypatch.setattr(inference_table, "keep", refuse)
    strange = [{"messageId": "s1", "body": "{}"}, {"messageId": "s2", "body": "no"}, {"messageId": "s3", "body": "[]"}]
    assert queue.score([*strange, *of_first, *of_second]) == ["s1", "s2", "s3", of_first[0]["messageId"]]
    assert (queue.progress(first).scored, queue.progress(second).scored) == (0, 3)


def test_rows_that_fail_are_kept_with_their_reason_and_the_others_are_scored(queue: Queue) -> None:
    lines = inference_lines(12)
    lines[4] = "ragged"
    lines[7] = lines[7].replace(lines[7].split(",")[3], "many", 1)
    calls = [line.split(",")[11] for line in lines if line.count(",") > 20]
    lines[9] = ",".join([*lines[9].split(",")[:11], "19", *lines[9].split(",")[12:]])
    assert "19" not in calls
    queue.poisoned = 19 / 20
    content = write_inference(queue.tmp / "dim_1.csv", lines).read_bytes()
    name = queue.split(queue.upload("dim_1.csv", content))["file"]
    assert queue.score(queue.messages()) == []
    failed = {row["row"]: row["reason"] for row in inference_table.read_rows(name) if row["status"] == "failed"}
    assert failed == {
        7: "not_a_number: day_minutes",  # the line that is no row comes last
        9: "row_refused: instance 0: no",
        12: "ragged_row: Account Length",
    }
    done = queue.progress(name)
    assert (done.state, done.rows, done.scored, done.failed) == ("complete", 12, 9, 3)


def test_a_partition_without_a_model_ends_complete_with_failed_rows(queue: Queue) -> None:
    name = queue.split(queue.upload("dim_9.csv", churn(3, queue, dimension=9)))["file"]
    queue.score(queue.messages())
    assert {row["reason"] for row in inference_table.read_rows(name)} == {
        "no_live_model: dimension DummyDim9 has no live model, and there is no global one"
    }
    assert (queue.progress(name).state, queue.progress(name).failed) == ("complete", 3)
    detail = queue.events[-1][1]
    assert function_module("evaluate_file").handler({"detail": detail}, None) == {"evaluation": None}


def test_a_header_alone_is_complete_at_once(queue: Queue) -> None:
    name = queue.split(queue.upload("dim_1.csv", f"{HEADER}\n".encode()))["file"]
    assert (queue.progress(name).state, queue.progress(name).rows) == ("complete", 0)
    assert [kind for kind, _ in queue.events] == ["File Scored"]


def test_a_file_with_too_many_rows_is_handed_over(queue: Queue) -> None:
    event = queue.upload("Big File.csv", b"x\n" * 300_000)
    assert queue.split(event)["state"] == "handed_over"
    assert queue.split(event)["state"] == "handed_over"
    [(kind, detail)] = queue.events
    assert kind == "Scoring Requested"
    assert {key: detail[key] for key in ("use_case", "key")} == {
        "use_case": "telecom_churn",
        "key": "inference/telecom_churn/Big File.csv",
    }
    assert (detail["version_id"], detail["batch"][:12]) == (event["detail"]["object"]["version-id"], "big-file-csv")
    reason = queue.progress(f"telecom_churn/Big File.csv#{detail['version_id']}").reason
    assert reason == "the file has more than 200,000 rows, which is the limit of the queue: score_batch scores it"
    assert queue.messages() == []


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", b"", "empty_file"),
        ("a.csv", b"x,y\n1,2\n", "missing_column"),
        ("a.parquet", b"PAR1 cut off", "corrupt_file"),
        ("a.docx", b"PK\x03\x04", "unknown_extension"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_and_somebody_is_told(
    queue: Queue, name: str, content: bytes, code: str
) -> None:
    event = queue.upload(name, content)
    answer = queue.split(event)
    assert answer["state"] == "refused"
    assert queue.split(event) == answer
    [(subject, text)] = queue.mails
    assert subject.replace("[.]", ".") == f"File {name} was refused"
    assert f"UserError.{code}" in text
    assert queue.progress(answer["file"]).reason


def test_an_unknown_use_case_is_refused(queue: Queue) -> None:
    event = queue.upload("a.csv", b"x\n")
    boto3.client("s3").put_object(Bucket=BUCKET, Key="inference/nosuch/a.csv", Body=b"x\n")
    event["detail"]["object"] = {"key": "inference/nosuch/a.csv"}
    assert queue.split(event)["state"] == "refused"
    assert "there is no use case 'nosuch'" in queue.mails[0][1]


def test_files_that_are_gone_or_replaced_or_are_folders_do_nothing(queue: Queue) -> None:
    event = queue.upload("a.csv", b"one\n")
    event["detail"]["object"].pop("version-id")
    queue.upload("a.csv", b"two\n")
    assert queue.split(event) == {"file": None, "state": None}
    folder = queue.upload("folder/", b"")
    assert queue.split(folder) == {"file": None, "state": None}
    boto3.client("s3").delete_object(Bucket=BUCKET, Key="inference/telecom_churn/a.csv")
    assert queue.split(event) == {"file": None, "state": None}
    assert (queue.events, queue.mails) == ([], [])
