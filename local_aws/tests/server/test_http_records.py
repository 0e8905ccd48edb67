"""The Feature Store over HTTP: the short way answers as the long one does, and trusts nobody more."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

pytestmark = pytest.mark.usefixtures("groups")

Client = Callable[..., Any]
GROUP = "records"
ARN = "arn:aws:sagemaker:us-east-1:000000000000:feature-group"
TYPES = {"id": "String", "event_time": "String", "total": "Integral", "note": "String"}
# A signed header that only the long way knows what to do with.
LONG_WAY = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}


@pytest.fixture(scope="module")
def groups(client: Client) -> None:
    """Two feature groups with a record each."""
    sagemaker = client("sagemaker")
    for name in (GROUP, "secret"):
        sagemaker.create_feature_group(
            FeatureGroupName=name,
            RecordIdentifierFeatureName="id",
            EventTimeFeatureName="event_time",
            FeatureDefinitions=[{"FeatureName": key, "FeatureType": kind} for key, kind in TYPES.items()],
            OnlineStoreConfig={"EnableOnlineStore": True},
        )
        while sagemaker.describe_feature_group(FeatureGroupName=name)["FeatureGroupStatus"] != "Created":
            time.sleep(0.05)
        client("sagemaker-featurestore-runtime").put_record(FeatureGroupName=name, Record=record("kept"))


def record(record_id: str, event_time: str = "2026-11-20T10:00:00Z", **more: str) -> list[dict[str, str]]:
    values = {"id": record_id, "event_time": event_time} | more
    return [{"FeatureName": name, "ValueAsString": value} for name, value in values.items()]


class Role:
    """A role whose policies change, and calls as its one session."""

    def __init__(self, client: Client, name: str) -> None:
        self._iam, self._name = client("iam"), name
        caller = client("sts").get_caller_identity()["Arn"]
        statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": caller}}
        trust = {"Version": "2012-10-17", "Statement": [statement]}
        role = self._iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        keys = client("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
        self.runtime = client(
            "sagemaker-featurestore-runtime",
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    def put_policy(self, policy: str, effect: str, *actions: str, group: str = GROUP) -> None:
        document = document_of(effect, *actions, group=group)
        self._iam.put_role_policy(RoleName=self._name, PolicyName=policy, PolicyDocument=document)

    def delete_policy(self, policy: str) -> None:
        self._iam.delete_role_policy(RoleName=self._name, PolicyName=policy)

    def attach(self, arn: str) -> None:
        self._iam.attach_role_policy(RoleName=self._name, PolicyArn=arn)

    def may(self, operation: str, group: str = GROUP) -> bool:
        calls: dict[str, Callable[[], Any]] = {
            "PutRecord": lambda: self.runtime.put_record(FeatureGroupName=group, Record=record("by-role")),
            "BatchWriteRecord": lambda: self.runtime.batch_write_record(
                Entries=[{"FeatureGroupName": name, "Record": record("by-role")} for name in (GROUP, group)]
            ),
            "GetRecord": lambda: self.runtime.get_record(FeatureGroupName=group, RecordIdentifierValueAsString="kept"),
            "BatchGetRecord": lambda: self.runtime.batch_get_record(
                Identifiers=[
                    {"FeatureGroupName": name, "RecordIdentifiersValueAsString": ["kept"]} for name in (GROUP, group)
                ]
            ),
        }
        try:
            calls[operation]()
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDeniedException":
                raise
            return False
        return True


def document_of(effect: str, *actions: str, group: str = GROUP) -> str:
    names = [f"sagemaker:{action}" for action in actions]
    statement = {"Effect": effect, "Action": names, "Resource": f"{ARN}/{group}"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_policy_holds_from_the_next_call_on(client: Client) -> None:
    role = Role(client, "records-changing")
    assert not role.may("PutRecord")
    role.put_policy("p", "Allow", "PutRecord")
    assert role.may("PutRecord")
    assert not role.may("GetRecord")
    role.put_policy("p", "Allow", "GetRecord")
    assert role.may("GetRecord")
    assert not role.may("PutRecord")
    role.put_policy("d", "Deny", "*", group="*")
    assert not role.may("GetRecord")
    role.delete_policy("d")
    assert role.may("GetRecord")
    role.delete_policy("p")
    assert not role.may("GetRecord")


def test_writing_a_batch_needs_the_right_to_write_a_record_too(client: Client) -> None:
    role = Role(client, "records-batches")
    role.put_policy("p", "Allow", "BatchWriteRecord")
    assert not role.may("BatchWriteRecord")
    role.put_policy("p", "Allow", "PutRecord")
    assert not role.may("BatchWriteRecord")
    role.put_policy("p", "Allow", "BatchWriteRecord", "PutRecord")
    assert role.may("BatchWriteRecord")
    assert not role.may("BatchWriteRecord", "secret")
    role.put_policy("d", "Deny", "PutRecord")
    assert not role.may("BatchWriteRecord")


def test_a_managed_policy_holds_in_its_default_version(client: Client) -> None:
    role, iam = Role(client, "records-managed"), client("iam")
    made = iam.create_policy(PolicyName="records", PolicyDocument=document_of("Allow", "GetRecord"))["Policy"]["Arn"]
    role.attach(made)
    assert role.may("GetRecord")
    iam.create_policy_version(PolicyArn=made, PolicyDocument=document_of("Deny", "GetRecord"), SetAsDefault=True)
    assert not role.may("GetRecord")


def test_an_explicit_deny_wins_over_any_allow(client: Client) -> None:
    role = Role(client, "records-denied")
    role.put_policy("a", "Allow", "*", group="*")
    role.put_policy("d", "Deny", "PutRecord", "BatchGetRecord", group="secret")
    assert [role.may(each, "secret") for each in ("PutRecord", "GetRecord", "BatchGetRecord")] == [False, True, False]
    assert role.may("BatchGetRecord")


@pytest.mark.parametrize("name", ["records/secret", f"{ARN}/records/secret", f"{ARN}/secret", "secret"])
def test_a_right_to_one_group_opens_no_other(client: Client, name: str) -> None:
    role = Role(client, f"records-one-{len(name)}")
    role.put_policy("p", "Allow", "GetRecord", "PutRecord", group="records*")
    with pytest.raises(ClientError) as refused:
        role.runtime.get_record(FeatureGroupName=name, RecordIdentifierValueAsString="kept")
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert role.runtime.get_record(FeatureGroupName=f"{ARN}/records", RecordIdentifierValueAsString="kept")["Record"]


class Http:
    """Requests signed by hand, so that they may be spoilt."""

    def __init__(self, env: dict[str, str]) -> None:
        self._url = env["AWS_ENDPOINT_URL"]
        self._keys = Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])

    def __call__(
        self,
        method: str,
        path: str,
        signed: bytes | None = None,
        *,
        sent: bytes | None = None,
        service: str = "sagemaker",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, Any], str]:
        """Status, JSON of the answer, error type; ``sent`` goes in the place of what was signed."""
        request = AWSRequest(method, self._url + path, data=signed, headers=headers or {})
        SigV4Auth(self._keys, service, "us-east-1").add_auth(request)
        body = signed if sent is None else sent
        call = urllib.request.Request(  # noqa: S310
            self._url + path, data=body, method=method, headers=dict(request.headers)
        )
        try:
            with urllib.request.urlopen(call, timeout=10) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read()), ""
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read()), error.headers.get("x-amzn-errortype", "")


@pytest.fixture
def http(env: dict[str, str]) -> Http:
    return Http(env)


def put_body(record_id: str, **more: str) -> bytes:
    return json.dumps({"Record": record(record_id, **more)}).encode()


def test_a_body_that_was_not_signed_is_not_written(http: Http) -> None:
    status, answer, _ = http("PUT", f"/FeatureGroup/{GROUP}", put_body("mine"), sent=put_body("theirs"))
    assert status >= 400
    assert "signature" in answer["message"]
    assert http("GET", f"/FeatureGroup/{GROUP}?RecordIdentifierValueAsString=theirs")[1] == {}


def test_a_signature_for_another_service_reads_no_record(http: Http) -> None:
    status, answer, _ = http("GET", f"/FeatureGroup/{GROUP}?RecordIdentifierValueAsString=kept", service="dynamodb")
    assert status >= 400
    assert "Record" not in answer


BATCH = {"Identifiers": [{"FeatureGroupName": GROUP, "RecordIdentifiersValueAsString": ["kept", "nobody", "naïve/1"]}]}
QUERY = "RecordIdentifierValueAsString"


def entries(*records: list[dict[str, str]], group: str = GROUP) -> bytes:
    return json.dumps({"Entries": [{"FeatureGroupName": group, "Record": each} for each in records]}).encode()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", f"/FeatureGroup/{GROUP}", put_body("naïve/1", total="7", note='"quoted" \\ ü')),
        ("PUT", f"/FeatureGroup/{quote(f'{ARN}/{GROUP}', safe='')}", put_body("by-arn")),
        ("GET", f"/FeatureGroup/{GROUP}?{QUERY}={quote('naïve/1', safe='')}", None),
        ("GET", f"/FeatureGroup/{GROUP}?{QUERY}=nobody", None),
        ("GET", f"/FeatureGroup/{GROUP}?{QUERY}=kept&FeatureName=id&FeatureName=note", None),
        ("POST", "/BatchGetRecord", json.dumps(BATCH).encode()),
        ("POST", "/BatchGetRecord", b'{"Identifiers": []}'),
        ("POST", "/BatchGetRecord", json.dumps({"Identifiers": [BATCH["Identifiers"][0]] * 34}).encode()),
        ("POST", "/BatchGetRecord", json.dumps(BATCH).replace(GROUP, "nowhere").encode()),
        ("POST", "/BatchWriteRecord", entries(record("b-1", total="1"), record("b-2", note='"ü"'))),
        ("POST", "/BatchWriteRecord", entries(record("b-1"), record("x", total="many"), record("x", mood="bad"))),
        ("POST", "/BatchWriteRecord", entries(record("x"), group="nowhere")),
        ("POST", "/BatchWriteRecord", entries(*[record("x")] * 26)),
        ("POST", "/BatchWriteRecord", b'{"Entries": []}'),
        ("POST", "/BatchWriteRecord", b'{"Entries": [{"FeatureGroupName": "records"}]}'),
        ("POST", "/BatchWriteRecord", b'{"Entries": [{"FeatureGroupName": "records", "Record": ["x"]}]}'),
        ("POST", "/BatchWriteRecord", entries(record("x")).replace(b'"Record"', b'"TtlDuration": {}, "Record"')),
        ("GET", "/BatchWriteRecord", None),
        ("PUT", "/FeatureGroup/nowhere", put_body("x")),
        ("PUT", f"/FeatureGroup/{GROUP}", put_body("x", event_time="yesterday")),
        ("PUT", f"/FeatureGroup/{GROUP}", put_body("x", total="many")),
        ("PUT", f"/FeatureGroup/{GROUP}", put_body("x", mood="bad")),
        ("PUT", f"/FeatureGroup/{GROUP}", b'{"Record": []}'),
        ("PUT", f"/FeatureGroup/{GROUP}", b'{"Record": [{"FeatureName": "id", "ValueAsString": 7}]}'),
        ("PUT", f"/FeatureGroup/{GROUP}", b'{"Record": [{"FeatureName": "id"}]}'),
        ("PUT", f"/FeatureGroup/{GROUP}", b'{"Record": "id", "Unknown": 1}'),
        ("PUT", f"/FeatureGroup/{GROUP}", b"not JSON"),
        ("GET", f"/FeatureGroup/{GROUP}", None),
        ("GET", f"/FeatureGroup/{GROUP}?{QUERY}=", None),
    ],
)
def test_both_ways_answer_alike(http: Http, method: str, path: str, body: bytes | None) -> None:
    short = http(method, path, body)
    assert short == http(method, path, body, headers=LONG_WAY)
    assert short[0] < 500


def test_the_client_reads_what_it_wrote(client: Client) -> None:
    runtime = client("sagemaker-featurestore-runtime")
    values = record("round", total="-3", note='ü "q" \\ \n')
    answer = runtime.put_record(FeatureGroupName=GROUP, Record=values)
    assert answer["ResponseMetadata"]["RequestId"]
    assert "x-amz-id-2" not in answer["ResponseMetadata"]["HTTPHeaders"]  # MiniStack's: it took the short way
    assert runtime.get_record(FeatureGroupName=GROUP, RecordIdentifierValueAsString="round")["Record"] == values
    identifiers = [{"FeatureGroupName": GROUP, "RecordIdentifiersValueAsString": ["round", "nobody"]}]
    (found,) = runtime.batch_get_record(Identifiers=identifiers)["Records"]
    assert found == {"FeatureGroupName": GROUP, "RecordIdentifierValueAsString": "round", "Record": values}
    batch = runtime.batch_write_record(Entries=[{"FeatureGroupName": GROUP, "Record": record("batched", note="x")}])
    assert "x-amz-id-2" not in batch["ResponseMetadata"]["HTTPHeaders"]
    assert (batch["Errors"], batch["UnprocessedEntries"]) == ([], [])
    assert runtime.get_record(FeatureGroupName=GROUP, RecordIdentifierValueAsString="batched")["Record"]
    with pytest.raises(ClientError) as refused:
        runtime.put_record(FeatureGroupName="nowhere", Record=values)
    assert refused.value.response["Error"]["Code"] == "ResourceNotFound"
