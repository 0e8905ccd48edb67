"""The stack that the flow tests deploy, and what a test does with it."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx

from demo.generate_events import generate
from operations import laptop, releases
from operations.batch import USE_CASE, RawBatch
from operations.laptop import Laptop
from operations.mailbox import Form, Mailbox
from operations.releases import Decision, FinishedRelease, Mail
from operations.stack import Stack

# Below .local/. Each worker of a run has its own, and the variable lets two runs go side by side.
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
STATE = laptop.LOCAL / f"{os.environ.get('TENANT_EXPERIENCE_FLOW_STATE', 'flow')}-{_WORKER}"
# The pauses before retries are this fraction of what the state machine says. Time-outs, jobs and people are not scaled.
WAIT_SCALE = "0.05"
APPROVER = "Tess Ter"
# How a decision of theirs is recorded: under the address that the link was sent to.
APPROVED_AS = f"approver@example.com ({APPROVER})"
_REQUEST_SECONDS = 120
OTHER_IMAGE = "tenant-experience-other"
"""The name of an image that answers otherwise than the real one."""
_PROJECT = tomllib.loads((laptop.ROOT / "pyproject.toml").read_text())
_IMAGES = [*_PROJECT["tool"]["local-aws"]["images"], "tests/support/other_image/image.json"]


def start_server(*extra: str) -> Laptop:
    """Start the laptop's AWS of these tests, and point this process's AWS clients at it."""
    images = [word for image in _IMAGES for word in ("--image", str(laptop.ROOT / image))]
    return laptop.start(STATE, "--wait-scale", WAIT_SCALE, *images, *extra)


def _client() -> httpx.Client:
    return httpx.Client(timeout=_REQUEST_SECONDS, limits=httpx.Limits(max_keepalive_connections=0))


@dataclass
class Flow:
    """The deployed stack, and its clients.

    Attributes:
        stack: the deployed stack.
        inputs: a folder for input files.
        http: a client without an API key, as patient as a busy machine needs.
    """

    stack: Stack
    inputs: Path
    http: httpx.Client = field(default_factory=_client)

    @property
    def mailbox(self) -> Mailbox:
        return Mailbox(self.stack.mailbox_url)

    @property
    def bucket(self) -> str:
        return self.stack.bucket

    @property
    def faults_url(self) -> str:
        """Where the laptop's AWS takes the rules of failures on demand (see local_aws/README.md)."""
        assert self.stack.laptop is not None
        return f"{self.stack.laptop.url}/_local/faults"

    def events(self, seed: int, tenants: int = 1_500, **settings: Any) -> RawBatch:
        """Generated messages as a batch; further settings go into the manifest."""
        as_of = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        folder = self.inputs / f"seed-{seed}-{tenants}"
        if not folder.exists():
            generate(folder, as_of=as_of, tenants=tenants, seed=seed, margin="wide")
        manifest = {"source": "events", "as_of": as_of.strftime("%Y-%m-%dT%H:%M:%SZ"), **settings}
        return RawBatch(f"seed-{seed}-{len(list(self.inputs.iterdir()))}", tuple(sorted(folder.iterdir())), manifest)

    def release(
        self,
        batch: RawBatch,
        choice: str = "approve",
        reason: str = "looks right",
        before: Callable[[Mail], object] = lambda _mail: None,
    ) -> FinishedRelease:
        """One release with this decision; ``before`` sees the e-mail first."""

        def decide(mail: Mail) -> None:
            before(mail)
            self.decide(mail, choice, reason)

        return releases.make_release(self.stack, batch, decide)

    def decide(self, mail: Mail, choice: str = "approve", reason: str = "looks right") -> None:
        """Answer the e-mail that asks for a decision."""
        releases.decide(self.stack, mail, Decision(choice, APPROVER, reason))

    def answer(self, mail: Mail, page: httpx.Response, choice: str = "approve", reason: str = "looks right") -> Any:
        """Fill in the form of a page and confirm it; what it was answered with."""
        typed: dict[str, str | list[str]] = {"decision": choice, "approver": APPROVER, "reason": reason}
        return releases.confirm(self.stack, mail, Form.of(page).submit(typed))

    def get(self, path: str, *, key: bool = True) -> httpx.Response:
        """Ask the API."""
        headers = {"x-api-key": self.stack.api_key} if key else {}
        return self.http.get(self.stack.api_url + path, headers=headers)

    def ask(self, method: str, path: str) -> httpx.Response:
        """Ask the API by any method."""
        return self.http.request(method, self.stack.api_url + path, headers={"x-api-key": self.stack.api_key})

    def ask_predictions(self, use_case: str = "", **body: Any) -> httpx.Response:
        """``POST /predictions``, or that of a use case, with ``json`` or ``content``."""
        headers = {"x-api-key": self.stack.api_key}
        prefix = f"/use-cases/{use_case}" if use_case else ""
        return self.http.post(f"{self.stack.api_url}{prefix}/predictions", headers=headers, **body)

    def predictions(self, tenants: list[str]) -> list[dict[str, Any]]:
        """The API's answers for these tenants."""
        answer = self.ask_predictions(json={"tenant_ids": tenants})
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["predictions"]
        return rows

    def tenant_with_an_answer(self) -> str:
        """A tenant that the live model answers for."""
        rows = self.predictions([f"T{number:06d}" for number in range(100)])
        return next(row["tenant_id"] for row in rows if row.get("probability") is not None)

    @contextmanager
    def failing(self, *rules: dict[str, Any]) -> Iterator[Callable[[], list[int]]]:
        """Make calls fail by these rules; gives a function that says how often each rule has fired."""
        refused = self.http.put(self.faults_url, json=rules)
        assert refused.status_code == 200, refused.text
        try:
            yield lambda: [rule["fired"] for rule in self.http.get(self.faults_url).json()]
        finally:
            self.http.delete(self.faults_url)

    def live(self, use_case: str = USE_CASE) -> dict[str, Any] | None:
        """The live release, its models, their digests, and whose features are served; None when nothing is live."""
        item = (
            boto3.client("dynamodb")
            .get_item(
                TableName=self.stack.outputs["ReleaseTableName"],
                Key={"id": {"S": f"live#{use_case}"}},
                ConsistentRead=True,
            )
            .get("Item")
        )
        if item is None:
            return None
        partitions = json.loads(item["partitions"]["S"])
        return {
            "release": item["release"]["S"],
            "models": {slug: each["version"] for slug, each in partitions.items()},
            "digests": {slug: each["digest"] for slug, each in partitions.items()},
            "served": [release for release, *_ in json.loads(item["served"]["S"])],
        }

    def packages(self, release: str) -> list[dict[str, Any]]:
        """The model packages of a release."""
        return releases.model_packages(self.stack, release)

    def endpoint_status(self) -> str:
        found = boto3.client("sagemaker").describe_endpoint(EndpointName=self.stack.outputs["EndpointName"])
        return found["EndpointStatus"]

    def json_object(self, key: str) -> Any:
        return json.loads(boto3.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read())

    @contextmanager
    def changed_function(self, logical_id: str, **variables: str | None) -> Iterator[None]:
        """Give a function other environment variables while the block runs; None takes one away."""
        functions, name = boto3.client("lambda"), self.stack.physical_id(logical_id)
        before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        changed = {key: value for key, value in {**before, **variables}.items() if value is not None}
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": changed})
        try:
            yield
        finally:
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})
