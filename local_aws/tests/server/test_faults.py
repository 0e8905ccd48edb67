"""Failure on demand: what rules may say, which requests they meet, and how each service says no."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws.tests.server.machines import Machines, eventually

AT_ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})
THROTTLED = {"code": "ThrottlingException", "message": "Rate exceeded"}


class Rules:
    def __init__(self, url: str) -> None:
        self._address = f"{url}/_local/faults"

    def put(self, *rules: Any) -> httpx.Response:
        return httpx.put(self._address, json=rules)

    def told(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(self._address).json()
        return found

    def clear(self) -> None:
        assert httpx.delete(self._address).json() == []


@pytest.fixture
def rules(server: dict[str, Any]) -> Iterator[Rules]:
    rules = Rules(server["url"])
    yield rules
    rules.clear()


def code_of(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    return str(raised.value.response["Error"]["Code"])


def succeeds(call: Callable[..., Any]) -> bool:
    try:
        call()
    except ClientError:
        return False
    return True


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"operation": "sagemaker:CreateTrainJob", "error": THROTTLED}, "no operation 'CreateTrainJob'"),
        ({"operation": "sagmaker:CreateTrainingJob", "error": THROTTLED}, "no service 'sagmaker'"),
        ({"operation": "s3:GetObject", "error": THROTTLED, "match": {"Name": "a"}}, "no request member Name"),
        ({"operation": "s3:GetObject"}, "does nothing"),
        ({"operation": "s3:GetObject", "error": {"message": "x"}}, "needs a code"),
        ({"operation": "s3:GetObject", "error": THROTTLED, "often": 2}, "cannot have often"),
        ({"operation": "s3:GetObject", "lose_answer": True}, "needs the error"),
        ({"operation": "s3:GetObject", "error": THROTTLED, "times": -1}, "times must be a number"),
        ({"job": "*", "error": THROTTLED}, "cannot have error"),
        ({"job": "*", "endpoint": "*", "unhealthy": True}, "exactly one of"),
        ("s3:GetObject", "is not an object"),
    ],
)
def test_a_rule_that_is_none_is_refused_and_changes_nothing(rules: Rules, rule: Any, said: str) -> None:
    kept = {"job": "kept", "kill_after_seconds": 1}
    assert rules.put(kept).status_code == 200
    refused = rules.put(kept, rule)
    assert refused.status_code == 400
    assert refused.json()["message"].startswith("Rule 2")
    assert said in refused.json()["message"]
    assert rules.told() == [{**kept, "matched": 0, "fired": 0}]


def test_the_second_call_fails_and_the_third_does_not(rules: Rules, client: Callable[..., Any]) -> None:
    sagemaker = client("sagemaker", config=AT_ONCE)
    rules.put({"operation": "sagemaker:ListModels", "skip": 1, "times": 1, "error": THROTTLED})
    sagemaker.list_models()
    assert code_of(sagemaker.list_models) == "ThrottlingException"
    sagemaker.list_models()
    assert [(rule["matched"], rule["fired"]) for rule in rules.told()] == [(3, 1)]
    rules.clear()
    sagemaker.list_models()


def test_every_protocol_says_no_as_its_client_reads_it(rules: Rules, client: Callable[..., Any], bucket: str) -> None:
    table, topic = "no-such-table", "arn:aws:sns:us-east-1:000000000000:none"
    group = "no-such-group"
    calls: list[tuple[str, Callable[..., Any], dict[str, Any]]] = [
        ("s3:GetObject", client("s3", config=AT_ONCE).get_object, {"Bucket": bucket, "Key": "a/b"}),
        ("sns:Publish", client("sns", config=AT_ONCE).publish, {"TopicArn": topic, "Message": "m"}),
        ("dynamodb:DescribeTable", client("dynamodb", config=AT_ONCE).describe_table, {"TableName": table}),
        ("lambda:GetFunction", client("lambda", config=AT_ONCE).get_function, {"FunctionName": "none"}),
        (
            "sagemaker-featurestore-runtime:GetRecord",
            client("sagemaker-featurestore-runtime", config=AT_ONCE).get_record,
            {"FeatureGroupName": group, "RecordIdentifierValueAsString": "1"},
        ),
    ]
    error = {"code": "OrderedFailure", "status": 418, "message": "as <ordered>"}
    rules.put(*({"operation": name, "error": error} for name, _, _ in calls))
    for name, call, arguments in calls:
        with pytest.raises(ClientError, match="as <ordered>") as raised:
            call(**arguments)
        assert raised.value.response["Error"]["Code"] == "OrderedFailure", name
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 418, name
    assert [rule["fired"] for rule in rules.told()] == [1] * len(calls)


def test_an_operation_is_known_from_its_neighbours_on_the_same_path(
    rules: Rules, client: Callable[..., Any], bucket: str
) -> None:
    s3 = client("s3", config=AT_ONCE)
    s3.put_object(Bucket=bucket, Key="plain", Body=b"x", Tagging="a=b")
    error = {"code": "OrderedFailure"}
    rules.put({"operation": "s3:GetObjectTagging", "error": error}, {"operation": "s3:CopyObject", "error": error})
    assert s3.get_object(Bucket=bucket, Key="plain")["Body"].read() == b"x"
    s3.put_object(Bucket=bucket, Key="plain", Body=b"y")
    assert code_of(s3.get_object_tagging, Bucket=bucket, Key="plain") == "OrderedFailure"
    source = {"Bucket": bucket, "Key": "plain"}
    assert code_of(s3.copy_object, Bucket=bucket, Key="copy", CopySource=source) == "OrderedFailure"


def test_a_match_looks_into_members_lists_and_names(rules: Rules, client: Callable[..., Any]) -> None:
    store = client("sagemaker-featurestore-runtime", config=AT_ONCE)
    rules.put(
        {
            "operation": "sagemaker-featurestore-runtime:PutRecord",
            "match": {"Record.tenant_id": ["T1", "T9*"]},
            "error": {"code": "OrderedFailure"},
        }
    )
    for tenant, expected in (("T1", "OrderedFailure"), ("T99", "OrderedFailure"), ("T2", "ResourceNotFound")):
        record = [{"FeatureName": "tenant_id", "ValueAsString": tenant}]
        assert code_of(store.put_record, FeatureGroupName="no-group", Record=record) == expected


def test_a_lost_answer_has_taken_effect(rules: Rules, client: Callable[..., Any]) -> None:
    sqs = client("sqs", config=AT_ONCE)
    rules.put({"operation": "sqs:CreateQueue", "lose_answer": True, "error": {"code": "OrderedFailure"}})
    assert code_of(sqs.create_queue, QueueName="lost-answer") == "OrderedFailure"
    assert sqs.get_queue_url(QueueName="lost-answer")["QueueUrl"]


def test_a_rule_ends_after_its_seconds_and_a_delay_holds_up(rules: Rules, client: Callable[..., Any]) -> None:
    sqs = client("sqs", config=AT_ONCE)
    rules.put({"operation": "sqs:ListQueues", "for_seconds": 0.5, "error": {"code": "OrderedFailure"}})
    assert code_of(sqs.list_queues) == "OrderedFailure"
    eventually(lambda: succeeds(sqs.list_queues))
    rules.put({"operation": "sqs:ListQueues", "delay_seconds": 0.3})
    started = time.monotonic()
    sqs.list_queues()
    assert time.monotonic() - started >= 0.3


def test_a_state_machine_sees_step_functions_own_names(rules: Rules, machines: Machines, bucket: str) -> None:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Arguments": {"Bucket": bucket, "Key": "any"},
        "End": True,
    }
    for code, name in (("SlowDown", "S3.S3Exception"), ("NoSuchKey", "S3.NoSuchKeyException")):
        rules.put({"operation": "s3:GetObject", "error": {"code": code, "status": 503}})
        ended = machines.run({"Read": state})
        assert (ended["status"], ended["error"]) == ("FAILED", name)
