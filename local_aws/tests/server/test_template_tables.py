"""Tables and buckets of a stack: what a template says about them, items that expire, and what outlives the stack."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from local_aws.tests.server.machines import eventually

Client = Callable[..., Any]
INDEX = {
    "IndexName": "by_portfolio",
    "KeySchema": [{"AttributeName": "portfolio", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
OTHER = {**INDEX, "IndexName": "by_tenant", "KeySchema": [{"AttributeName": "tenant", "KeyType": "HASH"}]}
EXPIRY = {"AttributeName": "expires_at", "Enabled": True}


def table(*attributes: str, **properties: Any) -> dict[str, Any]:
    named = [{"AttributeName": name, "AttributeType": "S"} for name in ("record", *attributes)]
    key = [{"AttributeName": "record", "KeyType": "HASH"}]
    known = {"BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": named, "KeySchema": key}
    return {"Type": "AWS::DynamoDB::Table", "Properties": {**known, **properties}}


class Stack:
    """One stack, changed and deleted until CloudFormation says how it went."""

    def __init__(self, cloudformation: Any, name: str) -> None:
        self._cloudformation = cloudformation
        self._name = name

    def status(self) -> tuple[str, str]:
        (found,) = self._cloudformation.describe_stacks(StackName=self._name)["Stacks"]
        return found["StackStatus"], found.get("StackStatusReason", "")

    def _ended(self) -> str:
        eventually(lambda: not self.status()[0].endswith("IN_PROGRESS"))
        return self.status()[0]

    def create(self, **resources: Any) -> str:
        body = json.dumps({"Resources": resources})
        self._cloudformation.create_stack(StackName=self._name, TemplateBody=body)
        return self._ended()

    def update(self, **resources: Any) -> str:
        body = json.dumps({"Resources": resources})
        self._cloudformation.update_stack(StackName=self._name, TemplateBody=body)
        return self._ended()

    def delete(self) -> str:
        stack_id = self._cloudformation.describe_stacks(StackName=self._name)["Stacks"][0]["StackId"]
        self._cloudformation.delete_stack(StackName=self._name)
        self._name = stack_id
        return self._ended()

    def reasons(self) -> str:
        events = self._cloudformation.describe_stack_events(StackName=self._name)["StackEvents"]
        return "\n".join(event.get("ResourceStatusReason", "") for event in events)

    def resource(self, logical_id: str) -> str:
        found = self._cloudformation.describe_stack_resource(StackName=self._name, LogicalResourceId=logical_id)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])


@pytest.fixture
def stack(client: Client, request: pytest.FixtureRequest) -> Stack:
    return Stack(client("cloudformation"), request.node.name.replace("_", "-")[:60].split("[")[0])


def test_a_table_has_what_its_template_says(client: Client, stack: Stack) -> None:
    more = {
        "GlobalSecondaryIndexes": [INDEX],
        "TimeToLiveSpecification": EXPIRY,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "SSESpecification": {"SSEEnabled": True},
    }
    assert stack.create(Answers=table("portfolio", **more)) == "CREATE_COMPLETE", stack.reasons()
    dynamodb, name = client("dynamodb"), stack.resource("Answers")
    found = dynamodb.describe_table(TableName=name)["Table"]
    assert found["SSEDescription"]["Status"] == "ENABLED"
    assert [index["IndexStatus"] for index in found["GlobalSecondaryIndexes"]] == ["ACTIVE"]
    expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"

    dynamodb.put_item(TableName=name, Item={"record": {"S": "a"}, "portfolio": {"S": "p"}, "tenant": {"S": "t"}})
    more["GlobalSecondaryIndexes"] = [INDEX, OTHER]
    assert stack.update(Answers=table("portfolio", "tenant", **more)) == "UPDATE_COMPLETE", stack.reasons()
    values = {":t": {"S": "t"}}
    asked = {"IndexName": "by_tenant", "KeyConditionExpression": "tenant = :t", "ExpressionAttributeValues": values}
    assert dynamodb.query(TableName=name, **asked)["Count"] == 1
    del more["TimeToLiveSpecification"], more["SSESpecification"], more["PointInTimeRecoverySpecification"]
    more["GlobalSecondaryIndexes"] = [INDEX]
    assert stack.update(Answers=table("portfolio", **more)) == "UPDATE_COMPLETE", stack.reasons()
    found = dynamodb.describe_table(TableName=name)["Table"]
    assert [index["IndexName"] for index in found["GlobalSecondaryIndexes"]] == ["by_portfolio"]
    assert found.get("SSEDescription", {}).get("Status") != "ENABLED"
    assert dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED"
    assert stack.delete() == "DELETE_COMPLETE"
    assert name not in dynamodb.list_tables()["TableNames"]


def test_indexes_change_as_cloudformation_changes_them(stack: Stack) -> None:
    assert stack.create(Answers=table("portfolio", GlobalSecondaryIndexes=[INDEX])) == "CREATE_COMPLETE"
    changed = {**INDEX, "Projection": {"ProjectionType": "KEYS_ONLY"}}
    assert stack.update(Answers=table("portfolio", GlobalSecondaryIndexes=[changed])) == "UPDATE_ROLLBACK_COMPLETE"
    assert "Cannot update GSI's properties" in stack.reasons()
    assert stack.update(Answers=table("tenant", GlobalSecondaryIndexes=[OTHER])) == "UPDATE_ROLLBACK_COMPLETE"
    assert "more than one GSI" in stack.reasons()


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"ContributorInsightsSpecification": {"Enabled": True}}, "does not emulate ContributorInsightsSpecification"),
        ({"GlobalSecondaryIndexes": [OTHER]}, "AttributeDefinitions"),
    ],
)
def test_what_a_table_is_refused_for(stack: Stack, properties: dict[str, Any], words: str) -> None:
    assert stack.create(Answers=table(**properties)) == "ROLLBACK_COMPLETE"
    assert words in stack.reasons()
    stack.delete()


def test_expired_items_go_and_all_others_stay(client: Client, stack: Stack) -> None:
    assert stack.create(Answers=table(TimeToLiveSpecification=EXPIRY)) == "CREATE_COMPLETE"
    dynamodb, name, now = client("dynamodb"), stack.resource("Answers"), int(time.time())
    ends = {
        "expired": {"N": str(now - 10)},
        "future": {"N": str(now + 1000)},
        "text": {"S": str(now - 10)},
        "ancient": {"N": "10"},
    }
    for record, end in ends.items():
        dynamodb.put_item(TableName=name, Item={"record": {"S": record}, "expires_at": end})
    dynamodb.put_item(TableName=name, Item={"record": {"S": "without"}})

    def left() -> set[str]:
        return {item["record"]["S"] for item in dynamodb.scan(TableName=name)["Items"]}

    eventually(lambda: "expired" not in left())
    assert left() == {"future", "text", "ancient", "without"}
    for wanted, words in ((EXPIRY, "already enabled"), ({**EXPIRY, "AttributeName": "other"}, "different Attr")):
        with pytest.raises(dynamodb.exceptions.ClientError, match=words):
            dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)
    changed = table(TimeToLiveSpecification={**EXPIRY, "AttributeName": "other"})
    assert stack.update(Answers=changed) == "UPDATE_ROLLBACK_COMPLETE"
    assert "disable time to live in one update" in stack.reasons()


DENIED = {"Effect": "Deny", "Principal": "*", "Resource": "*"}


def test_the_policy_of_a_table_decides_for_administrators_too(client: Client, stack: Stack) -> None:
    def policy(*actions: str) -> dict[str, Any]:
        return {"PolicyDocument": {"Version": "2012-10-17", "Statement": [{**DENIED, "Action": list(actions)}]}}

    forbidden = policy("dynamodb:DeleteItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem")
    assert stack.create(Audit=table(ResourcePolicy=forbidden)) == "CREATE_COMPLETE", stack.reasons()
    dynamodb, name = client("dynamodb"), stack.resource("Audit")
    key = {"record": {"S": "a"}}
    delete = {"Delete": {"TableName": name, "Key": key}}
    dynamodb.put_item(TableName=name, Item=key)
    for refused in (
        lambda: dynamodb.delete_item(TableName=name, Key=key),
        lambda: dynamodb.update_item(TableName=name, Key=key, UpdateExpression="REMOVE x"),
        lambda: dynamodb.batch_write_item(RequestItems={name: [{"DeleteRequest": {"Key": key}}]}),
        lambda: dynamodb.transact_write_items(TransactItems=[delete]),
    ):
        with pytest.raises(dynamodb.exceptions.ClientError, match="AccessDenied"):
            refused()
    assert dynamodb.scan(TableName=name)["Count"] == 1
    assert stack.update(Audit=table(ResourcePolicy=policy("dynamodb:UpdateItem"))) == "UPDATE_COMPLETE"
    dynamodb.delete_item(TableName=name, Key=key)
    assert stack.update(Audit=table()) == "UPDATE_COMPLETE"
    dynamodb.update_item(
        TableName=name, Key=key, UpdateExpression="SET x = :x", ExpressionAttributeValues={":x": key["record"]}
    )


def test_a_bucket_locks_what_its_template_says(client: Client, stack: Stack) -> None:
    def bucket(**retention: Any) -> dict[str, Any]:
        rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
        lock = {"ObjectLockConfiguration": rule} if retention else {}
        return {"Type": "AWS::S3::Bucket", "Properties": {"ObjectLockEnabled": True, **lock}}

    assert stack.create(Audit=bucket()) == "CREATE_COMPLETE", stack.reasons()
    s3, name = client("s3"), stack.resource("Audit")
    free = s3.put_object(Bucket=name, Key="free", Body=b"1")["VersionId"]
    assert stack.update(Audit=bucket(Mode="COMPLIANCE", Days=1)) == "UPDATE_COMPLETE", stack.reasons()
    locked = s3.put_object(Bucket=name, Key="locked", Body=b"1")["VersionId"]
    s3.delete_object(Bucket=name, Key="free", VersionId=free)
    with pytest.raises(s3.exceptions.ClientError, match="object lock"):
        s3.delete_object(Bucket=name, Key="locked", VersionId=locked)
    assert stack.update(Audit=bucket(Mode="COMPLIANCE", Days=1, Years=1)) == "UPDATE_ROLLBACK_COMPLETE"


def test_what_holds_data_outlives_its_stack(client: Client, stack: Stack) -> None:
    protected = table(DeletionProtectionEnabled=True)
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"VersioningConfiguration": {"Status": "Enabled"}}}
    assert stack.create(Answers=protected, Data=bucket, Empty={"Type": "AWS::S3::Bucket"}) == "CREATE_COMPLETE"
    s3, dynamodb = client("s3"), client("dynamodb")
    name, data, empty = (stack.resource(logical_id) for logical_id in ("Answers", "Data", "Empty"))
    s3.put_object(Bucket=data, Key="a", Body=b"1")
    s3.delete_object(Bucket=data, Key="a")  # its version is still there
    assert stack.delete() == "DELETE_FAILED"
    assert "is not empty" in stack.reasons()
    assert "protected against deletion" in stack.reasons()
    assert dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE"
    buckets = {each["Name"] for each in s3.list_buckets()["Buckets"]}
    assert data in buckets
    assert empty not in buckets
    for version in s3.list_object_versions(Bucket=data)["Versions"]:
        s3.delete_object(Bucket=data, Key="a", VersionId=version["VersionId"])
    for marker in s3.list_object_versions(Bucket=data)["DeleteMarkers"]:
        s3.delete_object(Bucket=data, Key="a", VersionId=marker["VersionId"])
    dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
    assert stack.delete() == "DELETE_COMPLETE"


def test_a_bucket_that_is_replaced_stays_with_its_objects(client: Client, stack: Stack) -> None:
    def bucket(name: str) -> dict[str, Any]:
        return {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}

    assert stack.create(Data=bucket("replaced-before")) == "CREATE_COMPLETE"
    s3 = client("s3")
    s3.put_object(Bucket="replaced-before", Key="a", Body=b"1")
    assert stack.update(Data=bucket("replaced-after")) == "UPDATE_COMPLETE"
    assert {"replaced-before", "replaced-after"} <= {each["Name"] for each in s3.list_buckets()["Buckets"]}
