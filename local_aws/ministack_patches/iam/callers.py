"""Who is calling: an administrator with real keys, roles for jobs, and nobody without a signature.

MiniStack treats three kinds of access key as the account's root and never checks their signature: ``test``, its own
``AWS_ACCESS_KEY_ID``, and any twelve digits. Here none of them is root. People and tools use the IAM user
``local-administrator`` with AdministratorAccess, and the signatures of its requests are verified.
"""

from __future__ import annotations

import json
import re
import secrets
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.services import iam, sts

from local_aws.ministack_patches.sqs import task_handle
from local_aws.ministack_patches.states import task_token

ADMINISTRATOR = "local-administrator"
_KEY = re.compile(r"<AccessKeyId>(\w+)</AccessKeyId>.*?<Status>(\w+)</Status>", re.DOTALL)


def install() -> None:
    """Refuse root keys, treat the loopback interface as a secure transport, and parse each policy once."""
    iam_evaluator.is_root_access_key = _nobody_is_root
    app.pin_request_origin = _pin_private_origin
    iam_actions.extract_resource_arn = _resource_arn
    iam_evaluator.parse_policy_document = _parse_policy


_pin_request_origin = app.pin_request_origin


def _pin_private_origin(source_ip: str, _secure_transport: bool) -> None:
    """Treat plain HTTP on 127.0.0.1 as secure, because it does not leave the machine.

    Bucket policies that deny ``aws:SecureTransport: false`` (SAM's own managed bucket has one) then let requests pass.
    """
    _pin_request_origin(source_ip, True)


_extract_resource_arn = iam_actions.extract_resource_arn


def _resource_arn(service: str, method: str, path: str, headers: Any, body: bytes, *more: Any) -> str:
    """The resource of a request: the machine of a task token; alarms by name; Map Runs and move tasks of SQS by ARN."""
    if service == "states" and b'"taskToken"' in body:
        token = json.loads(body).get("taskToken")
        return task_token.state_machine(str(token)) or "*"
    if service == "sqs" and b'"TaskHandle"' in body:
        return task_handle.source_queue(str(json.loads(body).get("TaskHandle")))
    if service == "sqs" and b'"SourceArn"' in body and b'"QueueUrl"' not in body:
        return str(json.loads(body).get("SourceArn", "*"))
    if service == "states" and b'"mapRunArn"' in body:
        return str(json.loads(body).get("mapRunArn", "*"))
    if service == "monitoring" and b'"AlarmNames"' in body and (names := _alarm_names(body)):
        _, region, account = more  # MiniStack checks one resource, so the first of several alarms
        return f"arn:aws:cloudwatch:{region}:{account}:alarm:{names[0]}"
    return str(_extract_resource_arn(service, method, path, headers, body, *more))


def _alarm_names(body: bytes) -> list[str]:
    names = json.loads(body)["AlarmNames"]
    return [str(name) for name in names] if isinstance(names, list) else []


_parse_policy_document = iam_evaluator.parse_policy_document


def _parse_policy(document: str | dict[str, Any]) -> Any:
    """A policy's statements, cached by the policy's text, so that a changed policy is parsed again."""
    return _parse_policy_text(document) if isinstance(document, str) else _parse_policy_document(document)


@lru_cache(maxsize=1024)
def _parse_policy_text(text: str) -> Any:
    return _parse_policy_document(text)


def _nobody_is_root(_access_key_id: str) -> bool:
    return False


async def administrator_keys(known: tuple[str, str] | None) -> tuple[str, str]:
    """Access key id and secret of the administrator.

    Args:
        known: the keys of an earlier start. They stay while IAM's state has them.
    """
    listed = await _iam("ListAccessKeys", UserName=ADMINISTRATOR)
    active = {key for key, status in _KEY.findall(listed) if status == "Active"}
    if known is not None and known[0] in active:
        return known
    await _iam("CreateUser", UserName=ADMINISTRATOR)  # answers EntityAlreadyExists when only the key is new
    await _iam("AttachUserPolicy", UserName=ADMINISTRATOR, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    created = await _iam("CreateAccessKey", UserName=ADMINISTRATOR)
    return _element(created, "AccessKeyId"), _element(created, "SecretAccessKey")


async def _iam(action: str, **parameters: str) -> str:
    """IAM's answer in XML to a call from within this process, which needs no signature."""
    body = urlencode({"Action": action, **parameters}).encode()
    _status, _headers, answer = await iam.handle_request("POST", "/", {}, body, {})
    return bytes(answer).decode()


def _element(xml: str, name: str) -> str:
    return xml.partition(f"<{name}>")[2].partition(f"</{name}>")[0]


def session_credentials(role_arn: str, session_name: str, service: str) -> dict[str, str]:
    """Temporary credentials of a role that trusts ``service``, as jobs and containers get them.

    Args:
        role_arn: e.g. ``arn:aws:iam::000000000000:role/jobs``.
        session_name: shown in the caller's ARN, cut to 64 characters.
        service: e.g. ``sagemaker.amazonaws.com``.

    Returns:
        ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY`` and ``AWS_SESSION_TOKEN``.

    Raises:
        PermissionError: there is no such role, or it does not trust the service.
    """
    role_name = role_arn.rpartition("/")[2]
    role = iam._roles.get(role_name)
    if role is None or role["Arn"] != role_arn:
        raise PermissionError(f"{role_arn}: there is no such role.")
    if not _trusts(role["AssumeRolePolicyDocument"], service):
        raise PermissionError(f"{role_arn}: its trust policy does not let {service} assume it.")
    session = session_name[:64]
    access_key = "ASIA" + secrets.token_hex(8).upper()
    secret_key, token = secrets.token_hex(20), secrets.token_hex(64)
    sts.register_session(
        access_key,
        {
            "Arn": f"arn:aws:sts::{role_arn.split(':')[4]}:assumed-role/{role_name}/{session}",
            "UserId": f"{role.get('RoleId', role_name)}:{session}",
            "SecretAccessKey": secret_key,
            "SessionToken": token,
        },
    )
    return {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key, "AWS_SESSION_TOKEN": token}


def trusts_service(role_arn: str, service: str) -> bool:
    """Whether there is such a role, and a service may assume it."""
    role = iam._roles.get(role_arn.rpartition("/")[2])
    return role is not None and role["Arn"] == role_arn and _trusts(role["AssumeRolePolicyDocument"], service)


def _trusts(trust_policy: str | dict[str, Any], service: str) -> bool:
    """Whether a statement allows ``service`` to assume the role (conditions are not looked at)."""
    document = json.loads(trust_policy) if isinstance(trust_policy, str) else trust_policy
    statements = document.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        named = [services] if isinstance(services, str) else services
        if statement.get("Effect") == "Allow" and service in named:
            return True
    return False
