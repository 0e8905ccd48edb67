"""Transform jobs: records, batches, filters, joins, the ways a job ends."""

from __future__ import annotations

import csv
import gzip
import io
from typing import Any

import pytest

from local_aws.sagemaker import SageMaker, ServiceError
from local_aws.sagemaker.jobs.json_path import JsonPath, PathError
from local_aws.sagemaker.jobs.transform_jobs import _in_order
from local_aws.sagemaker.jobs.transform_records import Processing, RecordError
from local_aws.tests.sagemaker.support import BUCKET, IMAGE_URI, ROLE, wait_for, wait_while


@pytest.fixture
def model(sagemaker: SageMaker) -> SageMaker:
    for name, environment in (("plain", {}), ("telling", {"PARAMETERS": "1"}), ("sick", {"UNHEALTHY": "1"})):
        container = {"Image": IMAGE_URI, "Environment": environment}
        sagemaker.call("CreateModel", {"ModelName": name, "PrimaryContainer": container, "ExecutionRoleArn": ROLE})
    return sagemaker


def request(name: str, uri: str, *, kind: str = "text/csv", split: str = "Line", **more: Any) -> dict[str, Any]:
    return {
        "TransformJobName": name,
        "ModelName": "plain",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{uri}"}},
            "ContentType": kind,
            "SplitType": split,
        },
        "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/transformed/{name}", "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **more,
    }


def run(sagemaker: SageMaker, asked: dict[str, Any]) -> dict[str, Any]:
    sagemaker.call("CreateTransformJob", asked)
    name = {"TransformJobName": asked["TransformJobName"]}
    return wait_while(
        lambda: sagemaker.call("DescribeTransformJob", name), "TransformJobStatus", "InProgress", "Stopping"
    )


def output(s3: Any, job: str, name: str) -> str:
    body: bytes = s3.get_object(Bucket=BUCKET, Key=f"transformed/{job}/{name}")["Body"].read()
    return body.decode()


def put(s3: Any, key: str, body: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def test_one_output_for_each_input(model: SageMaker, s3: Any) -> None:
    put(s3, "batch/many/a.csv", b"1,2\n3,4\n")
    put(s3, "batch/many/deep/b.csv", b"1,2,3\n")
    done = run(model, request("many", "batch/many/", BatchStrategy="MultiRecord"))
    assert done["TransformJobStatus"] == "Completed", done
    assert output(s3, "many", "a.csv.out") == "2,2\n2,2\n"
    assert output(s3, "many", "deep/b.csv.out") == "3,1\n"
    listed = model.call("ListTransformJobs", {"NameContains": "many"})["TransformJobSummaries"]
    assert [each["TransformJobStatus"] for each in listed] == ["Completed"]
    done = run(model, request("single", "batch/many/a.csv", BatchStrategy="SingleRecord", MaxConcurrentTransforms=2))
    assert output(s3, "single", "a.csv.out") == "2,1\n2,1\n"
    asked = request("instances", "batch/many/", BatchStrategy="SingleRecord")
    asked["TransformResources"]["InstanceCount"] = 2
    assert run(model, asked)["TransformJobStatus"] == "Completed"
    assert output(s3, "instances", "deep/b.csv.out") == "3,1\n"


def test_without_splitting_and_compressed(model: SageMaker, s3: Any) -> None:
    put(s3, "batch/whole.csv.gz", gzip.compress(b"1,2\n3\n"))
    asked = request("whole", "batch/whole.csv.gz", split="None")
    asked["TransformInput"]["CompressionType"] = "Gzip"
    assert run(model, asked)["TransformJobStatus"] == "Completed"
    assert output(s3, "whole", "whole.csv.gz.out") == "2,2\n1,2\n"


def test_filters_and_a_join_of_csv(model: SageMaker, s3: Any) -> None:
    put(s3, "batch/joined.csv", b"id1,5,6,7\nid2,8,9,10\n")
    how = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-2]"}
    assert run(model, request("joined", "batch/joined.csv", DataProcessing=how))["TransformJobStatus"] == "Completed"
    assert output(s3, "joined", "joined.csv.out") == "id1,3\nid2,3\n"


def test_filters_and_a_join_of_json(model: SageMaker, s3: Any) -> None:
    put(s3, "batch/joined.jsonl", b'{"id": 1, "data": [1, 2, 3]}\n{"id": 2, "data": [1]}\n')
    how = {"InputFilter": "$.data", "JoinSource": "Input", "OutputFilter": "$['id','SageMakerOutput']"}
    asked = request("lines", "batch/joined.jsonl", kind="application/jsonlines", DataProcessing=how)
    assert run(model, asked)["TransformJobStatus"] == "Completed"
    assert output(s3, "lines", "joined.jsonl.out") == (
        '{"id": 1, "SageMakerOutput": {"fields": 3}}\n{"id": 2, "SageMakerOutput": {"fields": 1}}\n'
    )


def test_payloads_have_a_limit_and_the_container_may_say_which(model: SageMaker, s3: Any) -> None:
    line = b"x" * 99_999 + b"\n"
    put(s3, "batch/large.csv", line * 25)
    done = run(model, request("large", "batch/large.csv", MaxPayloadInMB=1))
    assert done["TransformJobStatus"] == "Completed"
    assert output(s3, "large", "large.csv.out").splitlines() == ["1,10"] * 20 + ["1,5"] * 5
    assert run(model, request("told", "batch/large.csv", ModelName="telling"))["TransformJobStatus"] == "Completed"
    assert output(s3, "told", "large.csv.out").splitlines() == ["1,10"] * 20 + ["1,5"] * 5
    put(s3, "batch/line.csv", b"x" * 1_100_000)
    done = run(model, request("line", "batch/line.csv", MaxPayloadInMB=1))
    assert done["TransformJobStatus"] == "Failed"
    assert "MaxPayloadInMB" in done["FailureReason"]


@pytest.mark.parametrize(("status", "side"), [(400, "ClientError"), (500, "AlgorithmError")])
def test_a_bad_record_fails_the_job_and_leaves_the_good_objects(
    model: SageMaker, s3: Any, status: int, side: str
) -> None:
    put(s3, f"batch/bad{status}/a.csv", f"status:{status}\n".encode())
    put(s3, f"batch/bad{status}/b.csv", b"1\n")
    done = run(model, request(f"bad{status}", f"batch/bad{status}/", ModelClientConfig={"InvocationsMaxRetries": 1}))
    assert done["TransformJobStatus"] == "Failed"
    assert done["FailureReason"] == f"{side}: See job logs for more information"
    assert output(s3, f"bad{status}", "b.csv.out") == "1,1\n"
    with pytest.raises(s3.exceptions.NoSuchKey):
        output(s3, f"bad{status}", "a.csv.out")
    path = model.job_log_path(f"bad{status}")
    assert path is not None
    assert f"Bad HTTP status received from algorithm: {status}" in path.with_name("data-log").read_text()


def test_failed_requests_are_repeated_three_times_unless_told_otherwise(model: SageMaker, s3: Any) -> None:
    put(s3, "batch/flaky.csv", b"flaky:3\n")
    assert run(model, request("flaky", "batch/flaky.csv"))["TransformJobStatus"] == "Completed"
    assert output(s3, "flaky", "flaky.csv.out") == "1,1\n"
    told = {"InvocationsMaxRetries": 2}
    assert run(model, request("gives-up", "batch/flaky.csv", ModelClientConfig=told))["TransformJobStatus"] == "Failed"


def test_an_answer_must_come_in_time(model: SageMaker, s3: Any) -> None:
    put(s3, "batch/late.csv", b"sleep:5\n")
    told = {"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 0}
    done = run(model, request("late", "batch/late.csv", ModelClientConfig=told))
    assert done["FailureReason"] == "AlgorithmError: See job logs for more information"


def test_answers_stay_in_order_a_deleted_model_serves_on_and_variables_arrive(model: SageMaker, s3: Any) -> None:
    put(s3, "batch/order.csv", b"sleep:0.4,b\nsleep:0,b,c\n1,2,3,4\n")
    asked = request("order", "batch/order.csv", BatchStrategy="SingleRecord", MaxConcurrentTransforms=3)
    model.call("CreateTransformJob", asked | {"Environment": {"SAYS": "hello"}})
    model.call("DeleteModel", {"ModelName": "plain"})
    name = {"TransformJobName": "order"}
    done = wait_while(lambda: model.call("DescribeTransformJob", name), "TransformJobStatus", "InProgress")
    assert done["TransformJobStatus"] == "Completed"
    assert output(s3, "order", "order.csv.out") == "2,1\n3,1\n4,1\n"
    path = model.job_log_path("order")
    assert path is not None
    assert "says hello" in path.read_text()
    assert not list(path.parent.rglob("object*"))


def test_an_empty_object_has_an_empty_output_and_a_broken_one_fails(model: SageMaker, s3: Any) -> None:
    put(s3, "batch/empty.csv", b"")
    assert run(model, request("empty", "batch/empty.csv"))["TransformJobStatus"] == "Completed"
    assert output(s3, "empty", "empty.csv.out") == ""
    put(s3, "batch/cut.csv.gz", gzip.compress(b"1,2\n" * 10_000)[:-20])
    asked = request("cut", "batch/cut.csv.gz")
    asked["TransformInput"]["CompressionType"] = "Gzip"
    assert run(model, asked)["TransformJobStatus"] == "Failed"


def processing(**changed: Any) -> Processing:
    known: dict[str, Any] = {"split": True, "single": False, "maximum": 0, "assemble": True, "join": False}
    filters = {"input_filter": JsonPath("$"), "output_filter": JsonPath("$")}
    return Processing(**{**known, "content_type": "application/jsonlines", "accept": "", **filters, **changed})


def test_no_more_than_one_request_is_read_ahead() -> None:
    class Counting(io.BytesIO):
        lines = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            self.lines += 1
            return super().readline(size)

    file = Counting(b"12345678\n" * 1000)
    batches = processing(maximum=27).batches(file)
    assert next(batches) == [b"12345678"] * 3
    assert file.lines == 4
    pulled: list[int] = []

    def numbers() -> Any:
        for number in range(100):
            pulled.append(number)
            yield [b"%d" % number]

    answers = _in_order(lambda records: records[0], numbers(), 3)
    assert next(answers) == b"0"
    assert len(pulled) == 4
    assert [int(each) for each in answers] == list(range(1, 100))


@pytest.mark.parametrize("kind", ["application/jsonlines", "text/csv"])
@pytest.mark.parametrize("split", [True, False])
def test_every_line_is_a_record_split_or_not(kind: str, split: bool) -> None:
    how = processing(split=split, content_type=kind, accept="*/*", join=True)
    given = b"1\n2\r\n\n3" if kind == "text/csv" else b'{"id": 1}\n{"id": 2}\r\n\n{"id": 3}'
    (records,) = how.batches(io.BytesIO(given))
    for answer in (b"4\n5\n6", b"4\n5\n6\n"):
        found = how.result(records, answer, kind).decode().splitlines()
        if kind == "text/csv":
            assert found == ["1,4", "2,5", "3,6"]
        else:
            assert found == [f'{{"id": {number}, "SageMakerOutput": {number + 3}}}' for number in (1, 2, 3)]
    with pytest.raises(RecordError, match="2 answers for 3 records"):
        how.result(records, b"4\n5\n", kind)


def test_the_end_of_a_line_does_not_count() -> None:
    how = processing(maximum=5)
    assert list(how.batches(io.BytesIO(b"12345\r\n12\n3"))) == [[b"12345"], [b"12", b"3"]]
    with pytest.raises(RecordError, match="MaxPayloadInMB"):
        list(how.batches(io.BytesIO(b"123456\r\n")))


def test_a_whole_json_document_is_one_record() -> None:
    how = processing(split=False, content_type="application/json", assemble=False, join=True)
    (records,) = how.batches(io.BytesIO(b"[1,\n2]"))
    assert how.result(records, b'{\n"a": 3}', "application/json") == (
        b'{"SageMakerInput": [1, 2], "SageMakerOutput": {"a": 3}}'
    )


@pytest.mark.parametrize(
    ("kind", "record"),
    [
        ("text/csv", b"\xff"),
        ("text/csv", b'"' + b"x" * 200_000),
        ("application/jsonlines", b'"\xff"'),
        ("application/jsonlines", b"{"),
        ("application/jsonlines", b'{"score": NaN}'),
        ("application/jsonlines", b"[" * 100_000),
    ],
)
def test_what_cannot_be_read_is_refused(kind: str, record: bytes) -> None:
    before = csv.field_size_limit(131_072)  # Python's own, which other tests of this process may have raised
    try:
        with pytest.raises(RecordError, match="a record is not"):
            processing(content_type=kind, join=True).result([record], b"1\n", kind)
    finally:
        csv.field_size_limit(before)


def test_a_stop(model: SageMaker, s3: Any) -> None:
    put(s3, "batch/slow.csv", b"sleep:20\n")
    model.call("CreateTransformJob", request("slow", "batch/slow.csv"))
    name = {"TransformJobName": "slow"}
    wait_for(lambda: "TransformStartTime" in model.call("DescribeTransformJob", name), what="it runs")
    model.call("StopTransformJob", name)
    done = wait_while(lambda: model.call("DescribeTransformJob", name), "TransformJobStatus", "InProgress", "Stopping")
    assert done["TransformJobStatus"] == "Stopped"


def test_what_is_refused(model: SageMaker) -> None:
    for change, words in (
        ({"ModelName": "none"}, "Could not find model"),
        ({"DataProcessing": {"InputFilter": "$..a"}}, "no supported JSONPath"),
        ({"MaxPayloadInMB": 60, "MaxConcurrentTransforms": 2}, "100 MB"),
        ({"DataCaptureConfig": {"DestinationS3Uri": "s3://b/k"}}, "DataCaptureConfig"),
    ):
        with pytest.raises(ServiceError, match=words.replace("$", "")):
            model.call("CreateTransformJob", request("refused", "batch/many/") | change)
    with pytest.raises(ServiceError, match="SplitType RecordIO"):
        model.call("CreateTransformJob", request("refused", "batch/many/", split="RecordIO"))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", {"a": {"b": [1, 2, 3]}, "c": 4}),
        ("$.a.b", [1, 2, 3]),
        ("$['a']['b'][1:]", [2, 3]),
        ("$.a.b[0,-1]", [1, 3]),
        ("$.a.b[-1]", 3),
        ("$.a.b[0,1:]", [1, 2, 3]),
        ("$.a.b[ :1 , -1]", [1, 3]),
        ("$.['a','c']", {"a": {"b": [1, 2, 3]}, "c": 4}),
        ("$.a.*", [[1, 2, 3]]),
    ],
)
def test_paths(path: str, found: Any) -> None:
    assert JsonPath(path).select({"a": {"b": [1, 2, 3]}, "c": 4}) == found


@pytest.mark.parametrize("path", ["a", "$a", "$..a", "$[?(@.a)]", "$[1:2:3]", "$."])
def test_no_paths(path: str) -> None:
    with pytest.raises(PathError):
        JsonPath(path)
