"""What is left after a restart, a ``kill -9``, and beside another project."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from local_aws.tests.server.laptops import Laptop, free_port, run_local_aws
from local_aws.tests.server.machines import Machines, eventually

SERVICES = ["states.amazonaws.com", "lambda.amazonaws.com"]

ASKER = """
import boto3

def handler(event, context):
    boto3.client("s3").put_object(Bucket="tokens", Key=event["attempt"], Body=event["token"].encode())
"""


@pytest.fixture
def running(laptop: Laptop) -> Laptop:
    assert laptop.up("--port", free_port()).returncode == 0
    return laptop


def make_role(laptop: Laptop) -> str:
    principal = {"Service": SERVICES}
    trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}]}
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam = laptop.client("iam")
    role = iam.create_role(RoleName="all", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="all", PolicyName="p", PolicyDocument=json.dumps(allowed))
    return str(role)


def make_function(laptop: Laptop, role: str, source: str) -> str:
    import io
    import zipfile

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", source)
    made = laptop.client("lambda").create_function(
        FunctionName="f",
        Runtime="python3.11",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    return str(made["FunctionArn"])


def make_topic_with_reader(laptop: Laptop) -> str:
    """A topic that rules may publish to, and a confirmed e-mail address."""
    from urllib.parse import parse_qs, urlsplit

    sns = laptop.client("sns")
    topic = str(sns.create_topic(Name="news")["TopicArn"])
    may = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish"}
    policy = {"Version": "2012-10-17", "Statement": [{**may, "Resource": topic}]}
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(policy))
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
    (mail,) = mails(laptop, "Confirmation")
    token = parse_qs(urlsplit(mail["links"][0]).query)["Token"][0]
    sns.confirm_subscription(TopicArn=topic, Token=token)
    return topic


def mails(laptop: Laptop, text: str) -> list[dict[str, Any]]:
    import urllib.request

    with urllib.request.urlopen(f"{laptop.server()['url']}/_local/mailbox.json", timeout=10) as answer:  # noqa: S310
        found = json.load(answer)
    messages = found["messages"] if isinstance(found, dict) else found
    return [message for message in messages if text in message["subject"] + message.get("text", "")]


def wait_until_saved(laptop: Laptop, **texts: str) -> None:
    """Waits until the file of each service that is named holds a text, and the file of the roles' policies a role."""
    files = {laptop.folder / f"ministack/state/{service}.json": text for service, text in texts.items()}
    files[laptop.folder / "iam_roles.json"] = '"all"'
    eventually(lambda: all(path.is_file() and text in path.read_text() for path, text in files.items()))


def test_a_killed_server_has_lost_nothing_that_is_seconds_old(running: Laptop) -> None:
    role = make_role(running)
    make_function(running, role, "def handler(event, context):\n    return event\n")
    running.client("s3").create_bucket(Bucket="kept")
    running.client("s3").put_object(Bucket="kept", Key="a/b", Body=b"body")
    running.client("sqs").create_queue(QueueName="kept")
    running.client("dynamodb").create_table(
        TableName="kept",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    running.client("dynamodb").put_item(TableName="kept", Item={"id": {"S": "1"}})
    machines = Machines(running.client("stepfunctions"), role)
    arn = machines.start({"End": {"Type": "Succeed"}})
    machines.wait(arn)
    wait_until_saved(
        running,
        iam='role/all"',
        **{"lambda": "function:f"},
        s3="'kept'",
        sqs="'kept'",
        dynamodb='{"S": "1"}',
        stepfunctions='"SUCCEEDED"',
    )
    running.kill()

    for path in (running.folder / "ministack/state").glob("*.json"):
        json.loads(path.read_text())
    assert running.up().returncode == 0
    assert running.client("s3").get_object(Bucket="kept", Key="a/b")["Body"].read() == b"body"
    assert running.client("sqs").list_queues()["QueueUrls"]
    assert running.client("dynamodb").get_item(TableName="kept", Key={"id": {"S": "1"}})["Item"]
    assert running.client("stepfunctions").describe_execution(executionArn=arn)["status"] == "SUCCEEDED"
    answer = running.client("lambda").invoke(FunctionName="f", Payload=b'{"a": 1}')
    assert json.loads(answer["Payload"].read()) == {"a": 1}


@pytest.mark.parametrize("ends", ["kill", pytest.param("down", marks=pytest.mark.slow)])
def test_a_waiting_approval_is_a_named_end_told_by_the_rule_and_redrivable(running: Laptop, ends: str) -> None:
    role = make_role(running)
    topic = make_topic_with_reader(running)
    running.client("s3").create_bucket(Bucket="tokens")
    function = make_function(running, role, ASKER)
    pattern = {"source": ["aws.states"], "detail": {"status": ["FAILED"]}}
    events = running.client("events")
    events.put_rule(Name="failures", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="failures", Targets=[{"Id": "1", "Arn": topic}])
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Arguments": {
            "FunctionName": function,
            "Payload": {
                "token": "{% $states.context.Task.Token %}",
                "attempt": "{% $string($states.context.Execution.RedriveCount) %}",
            },
        },
        "Output": "{% $who & ' said ' & $states.result.decision %}",
        "End": True,
    }
    begin = {"Type": "Pass", "Assign": {"who": "Ada"}, "Next": "Ask"}
    machines = Machines(running.client("stepfunctions"), role)
    arn = machines.start({"Begin": begin, "Ask": ask})
    first = eventually(lambda: token(running, "0"))
    wait_until_saved(
        running,
        iam='role/all"',
        **{"lambda": "function:f"},
        s3="'tokens'",
        sns='"confirmed": true',
        eventbridge=topic,
        stepfunctions=first,
    )
    getattr(running, ends)()
    assert running.up().returncode == 0

    states = running.client("stepfunctions")
    ended = states.describe_execution(executionArn=arn)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ServiceRestart")
    assert ended["redriveStatus"] == "REDRIVABLE"
    assert eventually(lambda: mails(running, "States.ServiceRestart"))
    with pytest.raises(states.exceptions.TaskTimedOut):
        states.send_task_success(taskToken=first, output="{}")

    states.redrive_execution(executionArn=arn)
    second = eventually(lambda: token(running, "1"))
    assert second != first
    states.send_task_success(taskToken=second, output='{"decision": "yes"}')
    assert json.loads(Machines(states, role).wait(arn)["output"]) == "Ada said yes"
    running.down()
    running.up()
    assert len(mails(running, "States.ServiceRestart")) == 1


def token(laptop: Laptop, attempt: str) -> str | None:
    s3 = laptop.client("s3")
    found = s3.list_objects_v2(Bucket="tokens", Prefix=attempt).get("Contents")
    return s3.get_object(Bucket="tokens", Key=attempt)["Body"].read().decode() if found else None


def test_two_projects_side_by_side(running: Laptop, tmp_path: Path, image_file: Path) -> None:
    other = Laptop(tmp_path / "other", image_file)
    try:
        assert other.up("--port", free_port()).returncode == 0
        assert other.server()["port"] != running.server()["port"]
        running.client("s3").create_bucket(Bucket="mine")
        assert other.client("s3").list_buckets()["Buckets"] == []
        other.down()
        assert running.status().returncode == 0
    finally:
        other.down()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are listed by Linux")
def test_nothing_is_written_outside_the_state_folder(tmp_path: Path, image_file: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "aws"
    home.mkdir()
    before = set(os.listdir("/tmp"))  # noqa: PTH208, S108
    named = ("--state", str(folder), "--image", str(image_file))
    env = {**os.environ, "HOME": str(home)}
    assert run_local_aws("up", "--port", free_port(), *named, env=env).returncode == 0
    laptop = Laptop(folder, image_file)
    try:
        role = make_role(laptop)
        make_function(laptop, role, "import boto3\n\ndef handler(event, context):\n    return 1\n")
        laptop.client("lambda").invoke(FunctionName="f")
        for path in open_for_writing(laptop.server()["pid"]):
            assert path.is_relative_to(folder), path
    finally:
        laptop.down()
    assert list(home.rglob("*")) == []
    new = set(os.listdir("/tmp")) - before  # noqa: PTH208, S108
    assert not [name for name in new if name.startswith(("ministack", "lambda", "local_aws", "local-aws"))]


def open_for_writing(root: int) -> list[Path]:
    """Regular files that a process and those below it hold open for writing."""
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        for task in Path(f"/proc/{pid}/task").iterdir():
            queue += [int(child) for child in (task / "children").read_text().split()]
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target, info = fd.readlink(), Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text()
            except FileNotFoundError:
                continue
            flags = int(info.partition("flags:")[2].split()[0], 8)
            if flags & (os.O_WRONLY | os.O_RDWR) and target.is_file():
                found.append(target)
    return found


def put(s3: Any, key: str, body: bytes) -> str:
    return str(s3.put_object(Bucket="kept", Key=key, Body=body)["VersionId"])


def test_a_deleted_version_of_an_object_is_in_no_file_and_one_below_a_marker_survives(running: Laptop) -> None:
    s3 = running.client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    gone = put(s3, "gone.txt", b"words of one")
    s3.delete_object(Bucket="kept", Key="gone.txt")
    s3.delete_object(Bucket="kept", Key="gone.txt", VersionId=gone)
    put(s3, "hidden.txt", b"older")
    newer = put(s3, "hidden.txt", b"words of another")
    marker = s3.delete_object(Bucket="kept", Key="hidden.txt")["VersionId"]
    s3.delete_object(Bucket="kept", Key="hidden.txt", VersionId=newer)
    files = [path for path in (running.folder / "ministack" / "s3").rglob("*") if path.is_file()]
    assert [path.name for path in files if b"words of" in path.read_bytes()] == []

    running.kill()
    assert running.up().returncode == 0
    s3 = running.client("s3")
    assert s3.list_objects_v2(Bucket="kept")["KeyCount"] == 0
    s3.delete_object(Bucket="kept", Key="hidden.txt", VersionId=marker)
    assert s3.get_object(Bucket="kept", Key="hidden.txt")["Body"].read() == b"older"
