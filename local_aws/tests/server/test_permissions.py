"""AWS acts for a role, or for itself, only as far as policies let it: tasks, machines, rules, dead letters, logs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.tests.server.machines import Machines, eventually

Client = Callable[..., Any]
NUMBERS = itertools.count()
ECHO = "def handler(event, context):\n    print('was called')\n    return event\n"


class Role:
    """A role that AWS's services may assume, with one policy that a test changes."""

    def __init__(self, client: Client, name: str) -> None:
        self._iam = client("iam")
        self.name = name
        principals = ["states.amazonaws.com", "lambda.amazonaws.com", "sagemaker.amazonaws.com"]
        statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": principals}}
        trust = {"Version": "2012-10-17", "Statement": [statement]}
        self.arn = self._iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]

    def allow(self, *actions: str, resource: str = "*", **condition: Any) -> None:
        statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
        if condition:
            statement["Condition"] = condition
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._iam.put_role_policy(RoleName=self.name, PolicyName="p", PolicyDocument=document)


@pytest.fixture
def role(client: Client) -> Role:
    return Role(client, f"limited-{next(NUMBERS)}")


@pytest.fixture
def limited(client: Client, role: Role) -> Machines:
    role.allow("kms:Nothing")
    return Machines(client("stepfunctions"), role.arn, prefix=role.name)


def task(resource: str, arguments: Any) -> dict[str, Any]:
    return {"Run": {"Type": "Task", "Resource": resource, "Arguments": arguments, "End": True}}


@pytest.fixture(scope="module")
def topic(client: Client) -> str:
    return str(client("sns").create_topic(Name="permissions")["TopicArn"])


@pytest.fixture(scope="module")
def table(client: Client) -> str:
    client("dynamodb").create_table(
        TableName="permissions",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    return "permissions"


@pytest.mark.parametrize(
    ("resource", "arguments", "error"),
    [
        ("lambda:invoke", {"FunctionName": "{function}"}, "Lambda.AWSLambdaException"),
        ("lambda:invoke.waitForTaskToken", {"FunctionName": "{function}"}, "Lambda.AWSLambdaException"),
        ("sns:publish", {"TopicArn": "{topic}", "Message": "m"}, "SNS.AuthorizationErrorException"),
        (
            "dynamodb:getItem",
            {"TableName": "permissions", "Key": {"id": {"S": "1"}}},
            "DynamoDB.AmazonDynamoDBException",
        ),
        ("aws-sdk:s3:getObject", {"Bucket": "contract-tests", "Key": "a/b"}, "S3.S3Exception"),
        ("aws-sdk:sagemaker:describeModel", {"ModelName": "m"}, "SageMaker.SageMakerException"),
    ],
)
@pytest.mark.usefixtures("table", "bucket")
def test_a_task_needs_its_action(
    limited: Machines,
    role: Role,
    function: Callable[[str], str],
    topic: str,
    resource: str,
    arguments: dict[str, Any],
    error: str,
) -> None:
    service, verb = resource.removesuffix(".waitForTaskToken").removeprefix("aws-sdk:").split(":")
    action = "lambda:InvokeFunction" if service == "lambda" else f"{service}:{verb[0].upper()}{verb[1:]}"
    text = json.dumps(arguments)
    if "{function}" in text:
        text = text.replace("{function}", function(ECHO))
    states = task(f"arn:aws:states:::{resource}", json.loads(text.replace("{topic}", topic)))
    done = limited.run(states)
    assert (done["status"], done["error"]) == ("FAILED", error)
    assert f":assumed-role/{role.name}/" in done["cause"]
    assert f"is not authorized to perform: {action} on resource:" in done["cause"]
    if ".waitForTaskToken" not in resource:
        role.allow(action)
        assert "not authorized" not in limited.run(states).get("cause", "")


def job(name: str, role_arn: str, **more: Any) -> dict[str, Any]:
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 1}
    return {
        "ProcessingJobName": name,
        "RoleArn": role_arn,
        "AppSpecification": {
            "ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/test-image:1",
            "ContainerEntrypoint": ["python3", "/opt/program/job.py", "0", "0"],
        },
        "ProcessingResources": {"ClusterConfig": cluster},
        **more,
    }


SYNC = "arn:aws:states:::sagemaker:createProcessingJob.sync"
EVENTS = ("events:PutTargets", "events:PutRule", "events:DescribeRule")
RUN_JOB = ("sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob", "sagemaker:AddTags", "iam:PassRole")


@pytest.mark.parametrize("missing", RUN_JOB)
def test_a_job_needs_each_of_its_actions(limited: Machines, role: Role, role_arn: str, missing: str) -> None:
    role.allow(*EVENTS, *(action for action in RUN_JOB if action != missing))
    tags = [{"Key": "project", "Value": "p"}]
    done = limited.run(task(SYNC, job(f"needs-{RUN_JOB.index(missing)}", role_arn, Tags=tags)))
    assert (done["status"], done["error"]) == ("FAILED", "SageMaker.AmazonSageMakerException")
    assert f"is not authorized to perform: {missing} on resource:" in done["cause"]
    assert "Error Code: AccessDeniedException" in done["cause"]


def test_pass_role_sees_to_whom(limited: Machines, role: Role, role_arn: str) -> None:
    role.allow(*EVENTS, *RUN_JOB, StringEquals={"iam:PassedToService": "ecs.amazonaws.com"})
    # The condition holds for none of them: that no key is given is not that it is equal.
    with pytest.raises(ClientError, match="managed-rule"):
        limited.create(task(SYNC, job("passed", role_arn)))


@pytest.mark.parametrize("missing", EVENTS)
def test_a_machine_that_waits_for_jobs_needs_its_managed_rule(limited: Machines, role: Role, missing: str) -> None:
    role.allow(*(action for action in EVENTS if action != missing))
    with pytest.raises(ClientError, match="is not authorized to create managed-rule") as refused:
        limited.create(task(SYNC, {}))
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_machine_that_logs_needs_log_delivery(client: Client, role: Role) -> None:
    role.allow("logs:CreateLogDelivery")
    group = "arn:aws:logs:us-east-1:000000000000:log-group:machines:*"
    logging = {"level": "ALL", "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}]}
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    create = client("stepfunctions").create_state_machine
    with pytest.raises(ClientError, match="not authorized to access the Log Destination"):
        create(name="logging", definition=definition, roleArn=role.arn, loggingConfiguration=logging)
    role.allow("logs:*")
    create(name="logging", definition=definition, roleArn=role.arn, loggingConfiguration=logging)


def test_children_of_a_map_need_the_right_to_be_started(limited: Machines, role: Role) -> None:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Pass",
        "States": {"Pass": {"Type": "Pass", "End": True}},
    }
    states = {"Each": {"Type": "Map", "Items": [1, 2], "ItemProcessor": processor, "End": True}}
    done = limited.run(states)
    assert "is not authorized to perform: states:StartExecution" in done["cause"]
    role.allow("states:StartExecution")
    assert limited.output(states) == [1, 2]


def test_a_reader_needs_the_object(limited: Machines, client: Client, bucket: str, role: Role) -> None:
    client("s3").put_object(Bucket=bucket, Key="items.json", Body=b"[1]")
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Arguments": {"Bucket": bucket, "Key": "items.json"},
    }
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Pass",
        "States": {"Pass": {"Type": "Pass", "End": True}},
    }
    role.allow("states:StartExecution")
    done = limited.run({"Each": {"Type": "Map", "ItemReader": reader, "ItemProcessor": processor, "End": True}})
    assert done["error"] == "States.ItemReaderFailed"
    assert "is not authorized to perform: s3:GetObject" in done["cause"]


def logged(client: Client, group: str) -> bool:
    logs = client("logs")
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return False
    return any("was called" in event["message"] for event in logs.filter_log_events(logGroupName=group)["events"])


def test_a_rule_needs_the_functions_permission_and_a_function_its_logs(
    client: Client, function: Callable[[str], str], role: Role
) -> None:
    arn = function(ECHO)
    name = arn.rpartition(":")[2]
    role.allow("kms:Nothing")
    lambdas, events, sqs = client("lambda"), client("events"), client("sqs")
    queue = sqs.create_queue(QueueName="undelivered")["QueueUrl"]
    queue_arn = "arn:aws:sqs:us-east-1:000000000000:undelivered"
    may_send = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**may_send, "Resource": queue_arn}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    rule = events.put_rule(Name="permission", EventPattern=json.dumps({"source": ["test"]}))["RuleArn"]
    target = {"Id": "1", "Arn": arn, "DeadLetterConfig": {"Arn": queue_arn}}
    events.put_targets(Rule="permission", Targets=[target])

    def publish() -> None:
        events.put_events(Entries=[{"Source": "test", "DetailType": "t", "Detail": "{}"}])

    publish()
    assert eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    assert not logged(client, f"/aws/lambda/{name}")
    lambdas.add_permission(
        FunctionName=name, StatementId="s", Action="lambda:InvokeFunction", Principal="events.amazonaws.com",
        SourceArn=rule,
    )  # fmt: skip
    publish()
    assert eventually(lambda: logged(client, f"/aws/lambda/{name}"))

    lambdas.update_function_configuration(FunctionName=name, Role=role.arn)
    client("logs").delete_log_group(logGroupName=f"/aws/lambda/{name}")
    lambdas.invoke(FunctionName=name, Payload=b"{}")
    assert not logged(client, f"/aws/lambda/{name}")


def test_every_decision_is_in_the_file(limited: Machines, role: Role, state_folder: Path) -> None:
    limited.run(
        task("arn:aws:states:::sns:publish", {"TopicArn": "arn:aws:sns:us-east-1:000000000000:x", "Message": ""})
    )
    lines = [json.loads(line) for line in (state_folder / "iam_actions.jsonl").read_text().splitlines()]
    found = [line for line in lines if line["principal"] == role.name]
    assert {"principal": role.name, "action": "sns:Publish", "resource": "arn:aws:sns:us-east-1:000000000000:x",
            "allowed": False} in found  # fmt: skip
    assert len(lines) == len({json.dumps(line) for line in lines})


def test_a_template_s_topic_lets_only_those_publish_who_are_allowed(
    client: Client, limited: Machines, role: Role
) -> None:
    cloudformation = client("cloudformation")
    template = {"Resources": {"News": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "from-a-template"}}}}
    cloudformation.create_stack(StackName="topics", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="topics", WaiterConfig={"Delay": 1})
    topic = "arn:aws:sns:us-east-1:000000000000:from-a-template"
    states = task("arn:aws:states:::sns:publish", {"TopicArn": topic, "Message": "m"})
    assert limited.run(states)["error"] == "SNS.AuthorizationErrorException"
    role.allow("sns:Publish")
    assert limited.run(states)["status"] == "SUCCEEDED"
