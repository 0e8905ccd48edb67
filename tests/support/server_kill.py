"""SIGKILL to the laptop's AWS, once what a test counts on is on disk."""

from __future__ import annotations

import json
import os
import signal
import uuid
from pathlib import Path
from typing import Any

import boto3

from local_aws.server.state import State
from tests.support.drives import Drive, states_entered
from tests.support.flow import STATE, Flow, start_server
from tests.support.waiting import until

_SAVED = STATE / "ministack" / "state"


def kill_and_start_the_server(flow: Flow, drive: Drive, state: str) -> None:
    """Kill the server in a state of an execution, as a full memory does it, and start it again.

    Args:
        flow: the stack.
        drive: the execution.
        state: entered by the execution or by its newest child; the server is killed once it has saved this.
    """
    until(lambda: state in _saved_states(drive), f"the server did not save that {state} was entered")
    _wait_until_tables_are_saved(flow)
    supervisor = json.loads((STATE / "server.json").read_text())["pid"]
    server = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()[0]
    os.kill(int(server), signal.SIGKILL)
    until(lambda: not State(STATE).is_locked(), "the processes of the killed server did not end")
    start_server()


def _saved_states(drive: Drive) -> list[str]:
    """The states entered since the last redrive by the execution and by its newest child, as the files on disk say."""
    saved = _payload("stepfunctions")["executions"]["data"].values()
    histories = {execution["executionArn"]: execution["events"] for execution in saved}
    arns = [drive.arn, *drive.children()[-1:]]
    return [state for arn in arns for state in states_entered(histories.get(arn, []))]


def _wait_until_tables_are_saved(flow: Flow) -> None:
    """Write an item, wait for it in the file on disk, and delete it: whatever was written before it is there, too."""
    client, table = boto3.client("dynamodb"), flow.stack.outputs["ReleaseTableName"]
    key = {"id": {"S": f"saved#{uuid.uuid4()}"}}
    client.put_item(TableName=table, Item=key)
    until(lambda: key["id"]["S"] in (_SAVED / "dynamodb.json").read_text(), "the server did not save its tables")
    client.delete_item(TableName=table, Key=key)


def _payload(service: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads((_SAVED / f"{service}.json").read_text())["payload"]
    return payload
