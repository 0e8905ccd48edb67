"""What the answer of Step Functions says about a decision that is passed on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError

from tenant_experience.aws import executions
from tenant_experience.errors import PlatformError, UserError


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "SendTaskSuccess")


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        *((refused(code), UserError, "nobody_waits") for code in ("TaskDoesNotExist", "TaskTimedOut", "InvalidToken")),
        *((refused(code), PlatformError, "not_delivered") for code in ("ThrottlingException", "AccessDeniedException")),
        (ReadTimeoutError(endpoint_url="https://states"), PlatformError, "not_delivered"),
        (ConnectTimeoutError(endpoint_url="https://states"), PlatformError, "not_delivered"),
    ],
)
def test_a_decision_is_taken_or_refused_or_not_delivered_yet(
    monkeypatch: pytest.MonkeyPatch, error: ClientError | BotoCoreError, kind: type[Exception], code: str
) -> None:
    def fail(**_asked: str) -> None:
        raise error

    monkeypatch.setattr(executions, "stepfunctions", lambda: SimpleNamespace(send_task_success=fail))
    with pytest.raises(kind, match=code):
        executions.answer("token", {"decision": "approved"})
