"""The deployed stack on a laptop's AWS of its own, once a session: real jobs, real functions, a real endpoint."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from rich.console import Console

from demo import batch, laptop, run, summary
from demo.__main__ import STACK_NAME
from demo.generate_events import generate
from demo.mailbox import Mailbox

STATE = laptop.LOCAL / "flow"


@dataclass
class Flow:
    """What a test of the flow needs.

    Attributes:
        stack: the deployed stack.
        inputs: a folder for input files.
    """

    stack: laptop.Stack
    inputs: Path
    console: Console = field(default_factory=lambda: Console(file=open(os.devnull, "w")))  # noqa: SIM115, PTH123

    @property
    def mailbox(self) -> Mailbox:
        return Mailbox(self.stack.mailbox_url)

    @property
    def bucket(self) -> str:
        return self.stack.outputs["DataBucket"]

    def events(self, seed: int, **settings: Any) -> batch.Batch:
        """Generated messages as a batch; further settings go into the manifest."""
        as_of = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        folder = self.inputs / f"seed-{seed}"
        if not folder.exists():
            generate(folder, as_of=as_of, seed=seed)
        manifest = {"source": "events", "as_of": as_of.strftime("%Y-%m-%dT%H:%M:%SZ"), **settings}
        return batch.Batch(f"seed-{seed}-{len(list(self.inputs.iterdir()))}", tuple(sorted(folder.iterdir())), manifest)

    def release(
        self,
        work: batch.Batch,
        decision: str = "approve",
        reason: str = "looks right",
        before: Callable[[dict[str, Any]], None] = lambda _mail: None,
    ) -> run.Release:
        """One release, decided as said; ``before`` sees the e-mail first."""

        def decide(mail: dict[str, Any]) -> None:
            before(mail)
            run.decide(mail, run.Choice(decision, "Tess Ter", reason), self.console)

        return run.release(self.stack, work, self.console, decide)

    def get(self, path: str, *, key: bool = True) -> httpx.Response:
        """Ask the API."""
        headers = {"x-api-key": self.stack.api_key} if key else {}
        return httpx.get(self.stack.api_url + path, headers=headers, timeout=30)

    def live(self) -> dict[str, Any] | None:
        """The release pointer as it stands."""
        item = (
            boto3.client("dynamodb")
            .get_item(
                TableName=self.stack.outputs["ReleaseTableName"],
                Key={"id": {"S": "live#tenant_experience"}},
                ConsistentRead=True,
            )
            .get("Item")
        )
        return None if item is None else {"release": item["release"]["S"], "models": json.loads(item["models"]["S"])}

    def packages(self, release: str) -> list[dict[str, Any]]:
        """The model packages of a release."""
        return summary.packages(self.stack, release)

    def endpoint_status(self) -> str:
        found = boto3.client("sagemaker").describe_endpoint(EndpointName=self.stack.outputs["EndpointName"])
        return found["EndpointStatus"]

    def json_object(self, key: str) -> Any:
        return json.loads(boto3.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read())


@pytest.fixture(scope="session")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    server = laptop.start(STATE, "--fresh")
    try:
        laptop.build_and_deploy()
        stack = laptop.read_stack(STACK_NAME, server)
        laptop.confirm_subscription(stack, Mailbox(stack.mailbox_url))
        yield Flow(stack, tmp_path_factory.mktemp("inputs"))
    finally:
        laptop.stop(STATE)


@pytest.fixture(scope="session")
def first(flow: Flow) -> run.Release:
    """The first release of the stack, from generated messages."""
    done = flow.release(flow.events(seed=0))
    assert done.execution["status"] == "SUCCEEDED", (done.execution.get("error"), done.execution.get("cause"))
    return done
