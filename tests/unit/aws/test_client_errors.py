"""What a state's Retry sees of a refused AWS call."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tenant_experience.aws import client_errors
from tenant_experience.errors import UserError


@client_errors.named
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    if event:
        raise UserError("the caller's", code="mistake")
    with mock_aws():
        boto3.client("sns", region_name="us-east-1").publish(TopicArn="arn:aws:sns:us-east-1:1:gone", Message="m")
    return {}


def test_an_error_with_a_class_of_its_own_is_named_client_error() -> None:
    with pytest.raises(ClientError, match="Publish") as raised:
        handler({}, None)
    assert type(raised.value).__name__ == "ClientError"
    assert type(raised.value.__cause__).__name__ != "ClientError"


def test_other_errors_keep_their_names() -> None:
    with pytest.raises(UserError):
        handler({"any": 1}, None)
