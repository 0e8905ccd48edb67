"""The page of a run: a signed link opens it, it reads little, and it tells nobody else where the reader came from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from tenant_experience.aws import executions, link_signature, objects, release_table
from tenant_experience.release import decision_record
from tests.support.function_module import function_module
from tests.support.template import properties_of

RELEASE = "20261129-abcdef0"
EXECUTIONS = "arn:aws:states:us-east-1:123456789012:execution:te-train-and-release"
TIME = datetime(2026, 11, 29, 10, 3, tzinfo=UTC)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    with mock_aws():
        for client in (link_signature.kms, release_table.dynamodb, objects.s3):
            client.cache_clear()
        key = boto3.client("kms").create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
        boto3.client("dynamodb").create_table(
            TableName="releases",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        boto3.client("s3").create_bucket(Bucket="data")
        settings = {
            "LINK_KEY": key["KeyId"],
            "API_URL": "https://api.example/v1",
            "RELEASE_TABLE": "releases",
            "DATA_BUCKET": "data",
            "RELEASE_EXECUTIONS": EXECUTIONS,
            "ROLL_BACK_EXECUTIONS": EXECUTIONS.replace("train-and-release", "roll-back"),
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield function_module("runs")
        for client in (link_signature.kms, release_table.dynamodb, objects.s3):
            client.cache_clear()


@pytest.fixture
def states() -> Iterator[Stubber]:
    with Stubber(executions.stepfunctions()) as stub:
        yield stub
        stub.assert_no_pending_responses()


def request(method: str = "GET", release: str = RELEASE, below: str = "", **query: str) -> dict[str, Any]:
    if "signature" not in query:
        query["signature"] = link_signature.link_to_run(release).partition("signature=")[2]
    return {
        "resource": f"/runs/{{release}}{below}",
        "path": f"/runs/{release}{below}",
        "httpMethod": method,
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()},
        "pathParameters": {"release": release},
        "requestContext": {"requestId": "r", "stage": "v1"},
        "body": None,
        "isBase64Encoded": False,
    }


def waits(states: Stubber, arn: str) -> None:
    described = {"executionArn": arn, "stateMachineArn": arn, "name": arn.rpartition(":")[2], "status": "RUNNING"}
    given = '{"use_case": "tenant_experience", "batch": "<november>"}'
    states.add_response("describe_execution", {**described, "startDate": TIME, "input": given}, {"executionArn": arn})
    names = {"resourceType": "lambda", "resource": "invoke.waitForTaskToken"}
    events: list[dict[str, Any]] = [
        {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "RequestApproval"}},
        {"type": "TaskScheduled", "taskScheduledEventDetails": {**names, "region": "r", "parameters": "{}"}},
    ]
    states.add_response(
        "get_execution_history",
        {"events": [{"id": number, "timestamp": TIME, **event} for number, event in enumerate(events, 1)]},
        {"executionArn": arn, "includeExecutionData": False},
    )


def ask() -> None:
    boto3.client("dynamodb").put_item(
        TableName="releases",
        Item={
            "id": {"S": f"approval#{RELEASE}"},
            "status": {"S": "pending"},
            "expires_at": {"N": "1796551320"},
            "task_token": {"S": "the-task-token"},
            "asked": {"L": [{"M": {"address": {"S": "ada@example.com"}, "id": {"S": "a"}}}]},
        },
    )


def test_the_page_says_what_is_waited_for_and_is_protected(app: ModuleType, states: Stubber) -> None:
    ask()
    waits(states, f"{EXECUTIONS}:{RELEASE}")
    answer = app.handler(request(), None)
    assert answer["statusCode"] == 200
    assert f"<h1>Release {RELEASE} waits for a decision</h1>" in answer["body"]
    assert "Asked: ada@example.com." in answer["body"]
    assert "6 December 2026, 10:02 UTC" in answer["body"]
    assert "raw/tenant_experience/&lt;november&gt;/" in answer["body"]
    assert "the-task-token" not in answer["body"]
    assert "<script" not in answer["body"]
    headers = {name: values[0] for name, values in answer["multiValueHeaders"].items()}
    assert headers["Refresh"] == "30"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert (headers["Referrer-Policy"], headers["X-Frame-Options"]) == ("no-referrer", "DENY")


def test_the_reader_can_stop_it_from_loading_again(app: ModuleType, states: Stubber) -> None:
    waits(states, f"{EXECUTIONS}:{RELEASE}")
    answer = app.handler(request(refresh="off"), None)
    assert "Refresh" not in answer["multiValueHeaders"]
    assert "Load it again every 30 seconds" in answer["body"]


def test_a_roll_back_is_looked_up_where_it_runs(app: ModuleType, states: Stubber) -> None:
    waits(states, f"{EXECUTIONS.replace('train-and-release', 'roll-back')}:rb-20261129-a1")
    assert "Roll-back rb-20261129-a1" in app.handler(request(release="rb-20261129-a1"), None)["body"]


@pytest.mark.parametrize("release", ["20261129-abcdef1", "rb-x", "%0d%0a", "x" * 40])
def test_a_link_opens_one_run_only(app: ModuleType, release: str) -> None:
    signature = link_signature.link_to_run(RELEASE).partition("signature=")[2]
    answer = app.handler(request(release=release, signature=signature), None)
    assert answer["statusCode"] == 403
    assert "Open the complete link from the e-mail" in answer["body"] or "This link is not valid" in answer["body"]


@pytest.mark.parametrize("signature", ["", "x", "\u00e4" * 43, "A" * 43, "A" * 5000])
def test_a_wrong_signature_is_refused(app: ModuleType, signature: str) -> None:
    assert app.handler(request(signature=signature), None)["statusCode"] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_refused(app: ModuleType, method: str) -> None:
    answer = app.handler(request(method), None)
    assert answer["statusCode"] == 405
    assert answer["multiValueHeaders"]["Allow"] == ["GET, HEAD"]


def test_a_run_that_aws_has_forgotten_is_a_page(app: ModuleType, states: Stubber) -> None:
    states.add_client_error("describe_execution", "ExecutionDoesNotExist")
    answer = app.handler(request(), None)
    assert answer["statusCode"] == 410
    assert "90 days" in answer["body"]


def test_the_page_about_the_data_opens_by_the_same_link(app: ModuleType) -> None:
    assert app.handler(request(below="/data-quality"), None)["statusCode"] == 404
    page = "<p>caf\u00e9</p>"
    boto3.client("s3").put_object(Bucket="data", Key=f"reports/{RELEASE}/data_quality.html", Body=page.encode())
    answer = app.handler(request(below="/data-quality"), None)
    assert (answer["statusCode"], answer["body"]) == (200, page)
    assert app.handler(request(below="/data-quality", signature="A" * 43), None)["statusCode"] == 403


def test_a_history_that_is_asked_for_too_often_is_told_as_a_page(app: ModuleType, states: Stubber) -> None:
    states.add_client_error("describe_execution", "ThrottlingException", http_status_code=400)
    answer = app.handler(request(), None)
    assert answer["statusCode"] == 503
    assert "try again in a minute" in answer["body"].lower()
    assert answer["multiValueHeaders"]["Content-Type"] == ["text/html; charset=utf-8"]


def test_the_role_may_read_what_the_page_reads_of_a_request_and_nothing_else() -> None:
    statements = [each for policy in properties_of("Runs")["Policies"] for each in policy["Statement"]]
    [allowed] = [each["Condition"] for each in statements if each["Action"] == "dynamodb:GetItem"]
    attributes = allowed["ForAllValues:StringEquals"]["dynamodb:Attributes"]
    assert sorted(attributes) == sorted(decision_record.ATTRIBUTES)
