"""What the whole run has left behind names no secret. This file comes last, so that there is something to look at."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3

from operations.releases import _CODE as CODE
from operations.releases import FinishedRelease
from tests.support.flow import STATE, Flow
from tests.support.waiting import until

_SAVED = STATE / "ministack" / "state"
_SIGNATURE = re.compile(r"signature=([\w-]{20,})")
_TOKEN = re.compile(r'\\*"(?:task_)?token\\*"\s*:\s*\\*"([^"\\]{16,})')
_PAGES = 6
Texts = dict[str, str]


def test_no_token_key_code_or_signature_is_in_anything_that_is_kept(flow: Flow, first: FinishedRelease) -> None:
    assert first.execution["status"] == "SUCCEEDED"
    until(lambda: first.release in _read(_SAVED / "stepfunctions.json"), "the server did not save its executions")
    mails = flow.mailbox.messages()
    sent = {f"mail {number}: {mail['subject']}": mail["text"] for number, mail in enumerate(mails)}
    codes = {mail["text"]: _code_of(mail) for mail in mails if mail["subject"].startswith("Your code to decide")}
    signatures = {found for text in sent.values() for found in _SIGNATURE.findall(text)}
    never = {*_task_tokens(flow), *_key_material(), *_kept_secrets(), flow.stack.api_key}

    written = {**_logs(), **_audit(flow), **_objects(flow)}
    shown = {**_pages(flow, mails), **_errors()}
    for place in ("server.log", "cloudwatch_logs", "audit/", "/reports/", "jobs/", "a row of the audit"):
        assert any(place in name for name in written), place
    assert len(never) > 4
    assert min(len(codes), len(signatures), len(shown)) > 0

    found = [f"{name}: a token, a key or a secret" for name in _with(never, {**written, **shown, **sent})]
    found += [f"{name}: a signature" for name in _with(signatures, {**written, **_errors()})]
    others = {name: text for name, text in sent.items() if text not in codes}
    found += [f"{name}: a code" for name in _with(codes.values(), {**written, **shown, **others})]
    assert found == []
    assert {mail["to"] for mail in mails if mail["text"] in codes} <= _approvers(flow)


def _with(values: Collection[str], texts: Mapping[str, str]) -> Iterator[str]:
    """The names of the texts that hold one of the values."""
    pattern = re.compile("|".join(map(re.escape, sorted(values))))
    return (name for name, text in texts.items() if pattern.search(text))


def _code_of(mail: Mapping[str, Any]) -> str:
    found = CODE.search(mail["text"])
    assert found is not None
    return found[0]


def _read(path: Path) -> str:
    return path.read_text(errors="replace")


def _requests(flow: Flow) -> list[dict[str, Any]]:
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=flow.stack.outputs["ReleaseTableName"])
    found = [item for page in pages for item in page["Items"] if "task_token" in item]
    assert found
    return found


def _approvers(flow: Flow) -> set[str]:
    return {each["M"]["address"]["S"] for item in _requests(flow) for each in item["asked"]["L"]}


def _task_tokens(flow: Flow) -> set[str]:
    """Of every request that is stored, and of every execution that ever waited, whose history has them in its data."""
    stored = {item["task_token"]["S"] for item in _requests(flow)}
    return stored | set(_TOKEN.findall(_read(_SAVED / "stepfunctions.json")))


def _key_material() -> set[str]:
    """Of the keys that sign links, as the laptop's KMS keeps them."""
    found = re.findall(r'"_hmac_key_b64": *"([^"]+)"', _read(_SAVED / "kms.json"))
    assert found
    return {written for key in found for written in (key, base64.b64decode(key).hex())}


def _kept_secrets() -> set[str]:
    client = boto3.client("secretsmanager")
    names = [each["Name"] for each in client.list_secrets()["SecretList"]]
    return {client.get_secret_value(SecretId=name)["SecretString"] for name in names}


def _logs() -> Texts:
    """Of the server, the functions, the state machines and the jobs."""
    logs = {"server.log": _read(STATE / "server.log"), "cloudwatch_logs": _read(_SAVED / "cloudwatch_logs.json")}
    return logs | {str(path.relative_to(STATE)): _read(path) for path in STATE.glob("jobs/*/log")}


def _audit(flow: Flow) -> Texts:
    table = flow.stack.outputs["AuditTableName"]
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=table)
    rows = [json.dumps(item) for page in pages for item in page["Items"]]
    return {f"a row of the audit {number}": row for number, row in enumerate(rows)}


def _objects(flow: Flow) -> Texts:
    """The copies of the audit, and what the jobs reported."""
    places = ((flow.stack.outputs["AuditBucket"], "audit"), (flow.bucket, "reports"))
    folders = [folder for bucket, prefix in places for folder in STATE.glob(f"ministack/s3/*/{bucket}/{prefix}")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(STATE)): _read(path) for path in files}


def _pages(flow: Flow, mails: list[dict[str, Any]]) -> Texts:
    """The newest pages of each kind that links of e-mails open."""
    links = dict.fromkeys(link for mail in mails for link in mail["links"] if "signature=" in link)
    newest = [link for kind in ("/approvals/", "/runs/") for link in [each for each in links if kind in each][:_PAGES]]
    return {f"the page {link.partition('?')[0]}": flow.http.get(link).text for link in newest}


def _errors() -> Texts:
    """What every execution that failed says of itself."""
    states = boto3.client("stepfunctions")
    machines = [each["stateMachineArn"] for each in states.list_state_machines()["stateMachines"]]
    listed = [run for arn in machines for run in states.list_executions(stateMachineArn=arn)["executions"]]
    ended = [
        states.describe_execution(executionArn=run["executionArn"]) for run in listed if run["status"] != "RUNNING"
    ]
    return {
        f"the end of {each['name']}": f"{each.get('error')} {each.get('cause')} {each.get('output')}" for each in ended
    }
