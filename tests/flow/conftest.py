"""The deployed stack on a laptop's AWS of its own, once a session: real jobs, real functions, a real endpoint."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

# Below .local/; another folder lets two runs go side by side.
STATE = laptop.LOCAL / os.environ.get("TENANT_EXPERIENCE_FLOW_STATE", "flow")
# Pauses before retries, in parts of what the state machine says. Time-outs, jobs and people take as long as ever.
WAIT_SCALE = "0.05"


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

    def events(self, seed: int, tenants: int = 1_500, **settings: Any) -> batch.Batch:
        """Generated messages as a batch; further settings go into the manifest."""
        as_of = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        folder = self.inputs / f"seed-{seed}-{tenants}"
        if not folder.exists():
            generate(folder, as_of=as_of, tenants=tenants, seed=seed)
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

    @contextmanager
    def failing(self, *rules: dict[str, Any]) -> Iterator[Callable[[], list[int]]]:
        """Failure on demand (see local_aws/README.md); gives what tells how often each rule has fired."""
        address = f"{self.stack.mailbox_url.partition('/_local/')[0]}/_local/faults"
        refused = httpx.put(address, json=rules)
        assert refused.status_code == 200, refused.text
        try:
            yield lambda: [rule["fired"] for rule in httpx.get(address).json()]
        finally:
            httpx.delete(address)

    def live(self, use_case: str = batch.USE_CASE) -> dict[str, Any] | None:
        """The release pointer as it stands."""
        item = (
            boto3.client("dynamodb")
            .get_item(
                TableName=self.stack.outputs["ReleaseTableName"],
                Key={"id": {"S": f"live#{use_case}"}},
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


def start_server(*extra: str) -> dict[str, Any]:
    """Start the laptop's AWS of these tests, and point this process's AWS clients at it."""
    return laptop.start(STATE, "--wait-scale", WAIT_SCALE, *extra)


@pytest.fixture(scope="session")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    server = start_server("--fresh")
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
