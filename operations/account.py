"""Which AWS, and which stack of it, an operator's command works on."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

STACK_NAME = "tenant-experience"
LAPTOP = Path(__file__).parents[1] / ".local" / "aws"
# Any of these says which AWS is meant.
_CHOSEN_BY = (
    *("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"),
    *("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
)


class StackError(Exception):
    """The command cannot begin; the text says why and what to do."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack.

    Attributes:
        name: of it.
        outputs: of the template.
        resources: (logical id, type, physical id) of each.
        laptop: where the laptop's AWS keeps everything; None in an account.
    """

    name: str
    outputs: dict[str, str]
    resources: tuple[tuple[str, str, str], ...]
    laptop: Path | None

    @property
    def project(self) -> str:
        """What begins the name of everything the stack makes."""
        return self.outputs["EndpointName"]

    @property
    def bucket(self) -> str:
        """The data bucket."""
        return self.outputs["DataBucket"]

    def of_type(self, kind: str) -> list[str]:
        """The physical ids of all resources of one type, such as ``AWS::S3::Bucket``."""
        return [physical for _, found, physical in self.resources if found == kind]

    def physical_id(self, logical: str) -> str:
        """The physical id of one resource.

        Raises:
            StackError: the stack has no such resource.
        """
        for found, _, physical in self.resources:
            if found == logical:
                return physical
        raise StackError(f"stack {self.name} has no {logical}: deploy this version of the template first")

    def describe(self) -> str:
        """For people: which stack, and where."""
        if self.laptop is not None:
            return f"stack {self.name} of the laptop's AWS"
        caller = boto3.client("sts").get_caller_identity()
        return f"stack {self.name} of account {caller['Account']}, {boto3.session.Session().region_name}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which AWS and which stack."""
    parser.add_argument("--stack", default=STACK_NAME, help="its name")
    parser.add_argument(
        "--laptop",
        type=Path,
        help="the folder of the laptop's AWS; .local/aws when it runs and nothing names an account",
    )


def use_laptop(state: Path) -> None:
    """Point this process's AWS clients at the laptop's AWS that keeps its state in this folder."""
    for line in (state / "env").read_text().splitlines():
        name, _, value = line.partition("=")
        os.environ[name] = value


def find_stack(options: argparse.Namespace) -> Stack:
    """The stack that the arguments name.

    Raises:
        StackError: it is not there, or cannot be asked.
    """
    laptop: Path | None = options.laptop
    if laptop is None and not any(os.environ.get(name) for name in _CHOSEN_BY) and _runs(LAPTOP):
        laptop = LAPTOP
    if laptop is not None:
        if not _runs(laptop):
            raise StackError(f"no laptop's AWS runs on {laptop}: start it with `make up`")
        use_laptop(laptop)
    return read_stack(options.stack, laptop)


def read_stack(name: str, laptop: Path | None) -> Stack:
    """A stack by its name.

    Raises:
        StackError: there is none.
    """
    client = boto3.client("cloudformation")
    try:
        described = client.describe_stacks(StackName=name)["Stacks"][0]
        pages = client.get_paginator("list_stack_resources").paginate(StackName=name)
        resources = tuple(
            (each["LogicalResourceId"], each["ResourceType"], each.get("PhysicalResourceId", ""))
            for page in pages
            for each in page["StackResourceSummaries"]
        )
    except ClientError as error:
        raise StackError(f"there is no stack {name} to work on: {error}") from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    return Stack(name, outputs, resources, laptop)


def _runs(state: Path) -> bool:
    return (state / "server.json").exists()
