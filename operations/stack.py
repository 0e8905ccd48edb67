"""A deployed stack, on a laptop's AWS or in an AWS account."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import boto3
from botocore import exceptions as botocore_errors
from botocore.exceptions import BotoCoreError, ClientError

from operations.errors import OperationError
from operations.laptop import DEFAULT_STATE, ROOT, Laptop, relative, running

STACK_NAME = "tenant-experience"
LAPTOP_STAGE = "local"
# Any of these environment variables says which AWS is meant.
_CHOSEN_BY = (
    *("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"),
    *("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
)
_NEITHER = (
    "the laptop's AWS does not run, and no AWS account with a region is configured: start the laptop's AWS with "
    "`tenx up` (`make up`), or name an account with AWS_PROFILE and AWS_REGION"
)


class _NoAccountError(OperationError):
    """Neither a laptop's AWS nor an account can be asked."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack.

    Attributes:
        name: its name.
        outputs: the outputs of the template.
        resources: (logical id, type, physical id) of each resource.
        laptop: the laptop's AWS it is deployed to; None in an account.
    """

    name: str
    outputs: dict[str, str]
    resources: tuple[tuple[str, str, str], ...]
    laptop: Laptop | None

    @property
    def project(self) -> str:
        """The prefix of the names of everything the stack makes."""
        return self.outputs["EndpointName"]

    @property
    def bucket(self) -> str:
        """The data bucket."""
        return self.outputs["DataBucket"]

    @property
    def state_machine(self) -> str:
        """The ARN of the state machine that makes releases."""
        return self.outputs["StateMachineArn"]

    @property
    def api_url(self) -> str:
        """Where the API answers, without a slash at the end."""
        url = self.outputs["ApiUrl"].rstrip("/")
        if self.laptop is None:
            return url
        return f"{self.laptop.url}/_aws/execute-api/{self.outputs['ApiId']}/{url.rpartition('/')[2]}"

    @cached_property
    def api_key(self) -> str:
        """The API key of the first client."""
        return boto3.client("apigateway").get_api_key(apiKey=self.outputs["ApiKeyId"], includeValue=True)["value"]

    @property
    def mailbox_url(self) -> str:
        """The page that shows the e-mails of a laptop's stack.

        Raises:
            OperationError: the stack is in an account.
        """
        if self.laptop is None:
            raise OperationError(f"stack {self.name} is in an account: its e-mails are in the approver's own mailbox")
        return self.laptop.mailbox_url

    def of_type(self, kind: str) -> list[str]:
        """The physical ids of all resources of one type, such as ``AWS::S3::Bucket``."""
        return [physical for _, found, physical in self.resources if found == kind]

    def physical_id(self, logical: str) -> str:
        """The physical id of one resource.

        Raises:
            OperationError: the stack has no such resource.
        """
        for found, _, physical in self.resources:
            if found == logical:
                return physical
        raise OperationError(f"stack {self.name} has no resource {logical}: deploy this version of the template first")

    def describe(self) -> str:
        """Which stack this is and where, for people."""
        if self.laptop is not None:
            return f"stack {self.name} of the laptop's AWS"
        caller = boto3.client("sts").get_caller_identity()
        return f"stack {self.name} of account {caller['Account']}, {boto3.session.Session().region_name}"


@dataclass(frozen=True)
class StackChoice:
    """Which stack a person means; what is left out is found.

    Attributes:
        name: the stack's name.
        stage: a configuration of ``samconfig.toml``, such as ``dev``; ``local`` is the laptop's AWS.
        laptop: the state folder of the laptop's AWS.
    """

    name: str | None = None
    stage: str | None = None
    laptop: Path | None = None


def find_stack(choice: StackChoice) -> Stack:
    """The stack that a person means.

    Raises:
        OperationError: it is not there, or AWS cannot be asked.
    """
    configured = _configured(choice.stage)
    in_account = choice.stage not in (None, LAPTOP_STAGE)
    if in_account and choice.laptop is not None:
        raise OperationError(f"--stage {choice.stage} is in an account and --laptop is not: give one of them")
    folder = choice.laptop or (DEFAULT_STATE if choice.stage == LAPTOP_STAGE else None)
    laptop = None if in_account else running(folder or DEFAULT_STATE)
    if folder is not None and laptop is None:
        raise OperationError(
            f"no laptop's AWS runs with the state folder {relative(folder)}: start it with `tenx up` (`make up`)"
        )
    if folder is None and any(os.environ.get(name) for name in _CHOSEN_BY):
        laptop = None
    if laptop is not None:
        laptop.use()
    elif in_account:
        os.environ["AWS_DEFAULT_REGION"] = configured["region"]
    elif "AWS_REGION" in os.environ:  # which boto3 does not read
        os.environ.setdefault("AWS_DEFAULT_REGION", os.environ["AWS_REGION"])
    try:
        return read_stack(choice.name or configured["stack_name"], laptop)
    except _NoAccountError as error:
        if not in_account:
            raise
        raise OperationError(
            f"stage {choice.stage} is in an AWS account, and none is configured: name one with AWS_PROFILE"
        ) from error


def _configured(stage: str | None) -> dict[str, str]:
    """The stack's name and region of a stage.

    Raises:
        OperationError: there is no such stage.
    """
    stages = tomllib.loads((ROOT / "samconfig.toml").read_text())
    known = [name for name, value in stages.items() if isinstance(value, dict) and "global" in value]
    if (stage or LAPTOP_STAGE) not in known:
        raise OperationError(f"samconfig.toml has no stage {stage!r}: choose one of {', '.join(known)}")
    found: dict[str, str] = stages[stage or LAPTOP_STAGE]["global"]["parameters"]
    return found


def read_stack(name: str, laptop: Laptop | None) -> Stack:
    """The stack of this name, in the AWS that boto3 is configured for.

    Raises:
        OperationError: there is none, or AWS cannot be asked.
    """
    with _named(name, laptop):
        if laptop is None and not _is_configured():
            raise _NoAccountError(_NEITHER)
        client = boto3.client("cloudformation")
        described = client.describe_stacks(StackName=name)["Stacks"][0]
        pages = client.get_paginator("list_stack_resources").paginate(StackName=name)
        resources = tuple(
            (each["LogicalResourceId"], each["ResourceType"], each.get("PhysicalResourceId", ""))
            for page in pages
            for each in page["StackResourceSummaries"]
        )
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    return Stack(name, outputs, resources, laptop)


def _is_configured() -> bool:
    session = boto3.session.Session()
    return session.region_name is not None and session.get_credentials() is not None


@contextmanager
def _named(name: str, laptop: Laptop | None) -> Iterator[None]:
    """Say in one sentence why a stack cannot be read."""
    try:
        yield
    except (botocore_errors.ConnectionError, botocore_errors.HTTPClientError) as error:
        if laptop is None:
            raise OperationError(f"AWS does not answer: {error}") from error
        raise OperationError(
            f"the laptop's AWS does not answer at {laptop.url}: start it again with `tenx up` (`make up`)"
        ) from error
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise OperationError(f"stack {name} cannot be read: {error}") from error
        how = "`tenx up` (`make up`)" if laptop else "`sam deploy`"
        raise OperationError(f"there is no stack {name} here: deploy it with {how}, or name another one") from error
    except BotoCoreError as error:
        raise OperationError(f"the AWS configuration cannot be used: {error}") from error
