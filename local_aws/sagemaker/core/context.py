"""What every part of this SageMaker gets: where things are, who may do them, and how long they may take."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local_aws.sagemaker.core.child_process import ChildProcess
from local_aws.sagemaker.core.container_logs import ContainerLogs, FollowedFile
from local_aws.sagemaker.core.errors import ServiceError, validation_error
from local_aws.sagemaker.core.images import Image
from local_aws.sagemaker.core.instance_types import InstanceType, instance_type
from local_aws.sagemaker.core.memory_watch import MemoryWatch
from local_aws.sagemaker.core.state import Store
from local_aws.sagemaker.core.state_events import PublishEvent, publish
from local_aws.sagemaker.core.storage import Storage

Credentials = Callable[[str, str], dict[str, str]]
"""(role ARN, session name) -> AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN."""

RecordMetric = Callable[[str, float, str, dict[str, str]], None]
"""(name, value, unit, dimensions); the namespace is ``AWS/SageMaker``."""


@dataclass(frozen=True)
class Timing:
    """How long things may take, in seconds. The defaults are AWS's own where it has them; tests use shorter ones."""

    stop_grace: float = 120  # between SIGTERM and SIGKILL of a job (CreateTrainingJob, StoppingCondition)
    startup: float = 480  # until /ping answers 200 (AWS: 8 minutes), unless the variant says otherwise
    drain: float = 60  # for requests under way on a replaced serving process: the longest invocation
    invocation: float = 60  # for one answer of a container (InvokeEndpoint's own limit)
    wait_scale: float = 1  # how much of an update's waiting intervals passes (AWS: all of it)
    model_load: float = 60  # for another request's loading of the same model, before ModelNotReadyException
    feature_group_creation: float = 0.3
    offline_delay: float = 5  # AWS: up to 15 minutes


@dataclass
class Context:
    """One account in one region, on one machine."""

    state_dir: Path
    endpoint_url: str
    region: str
    account: str
    images: Sequence[Image]
    credentials: Credentials
    store: Store
    timing: Timing = field(default_factory=Timing)
    publish_event: PublishEvent | None = None
    record_metric: RecordMetric | None = None
    instance_type: Callable[[str], InstanceType | None] = instance_type
    logs: ContainerLogs = field(default_factory=ContainerLogs)
    memory: MemoryWatch = field(default_factory=MemoryWatch)

    def __post_init__(self) -> None:
        self._session = boto3.session.Session()
        self._session_lock = threading.Lock()

    def now(self) -> datetime:
        """The time, in UTC, to the millisecond as SageMaker reports it."""
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def arn(self, kind: str, name: str) -> str:
        """The ARN of a resource, e.g. ``arn("training-job", name)``."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name}"

    def image(self, uri: str) -> Image:
        """The image of a URI.

        Raises:
            ServiceError: ValidationException, no such image here, or its environment is not made yet.
        """
        for image in self.images:
            if image.matches(uri):
                if not image.interpreter.exists():
                    raise validation_error(
                        f"Requested image {uri} is not on this machine yet. Make it with: {image.made_by}"
                    )
                return image
        known = ", ".join(image.name for image in self.images) or "none"
        raise validation_error(f"Requested image {uri} not found. (On this machine: {known}.)")

    def assume(self, role_arn: str, session_name: str) -> dict[str, str]:
        """The environment variables of a role's session.

        Raises:
            ServiceError: ValidationException in AWS's words, the role cannot be assumed.
        """
        try:
            return self.credentials(role_arn, session_name[:64])
        except (ClientError, BotoCoreError, ServiceError) as error:
            raise validation_error(
                f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
                f"'sagemaker.amazonaws.com' to assume the role. ({error})"
            ) from error

    def storage(self, role_arn: str, session_name: str) -> Storage:
        """S3 as ``role_arn`` sees it, so that calls fail when the role lacks a permission."""
        return self.storage_with(self.assume(role_arn, session_name))

    def storage_with(self, variables: dict[str, str]) -> Storage:
        """S3 with credentials that :meth:`assume` gave."""
        config = Config(s3={"addressing_style": "path"}, retries={"mode": "standard", "max_attempts": 3})
        return Storage(self._client("s3", variables, config))

    def _client(self, service: str, variables: dict[str, str], config: Config) -> Any:
        with self._session_lock:  # a session's clients may be used, but not made, by several threads at once
            return self._session.client(
                service,  # type: ignore[call-overload]
                endpoint_url=self.endpoint_url,
                region_name=self.region,
                aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
                aws_session_token=variables.get("AWS_SESSION_TOKEN"),
                config=config,
            )

    def alarm_fault(self, role_arn: str, names: Sequence[str]) -> str:
        """Why these alarms, as ``role_arn`` sees them, forbid to go on; an empty text when they do not."""
        config = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "max_attempts": 3})
        try:
            client = self._client("cloudwatch", self.assume(role_arn, "SageMaker"), config)
            alarms = client.describe_alarms(AlarmNames=list(names))["MetricAlarms"]
        except (ClientError, BotoCoreError, ServiceError) as error:
            return f"The alarms {', '.join(names)} could not be read with the role {role_arn}: {error}"
        states = {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms}
        if missing := [name for name in names if name not in states]:
            return f"There is no alarm {', '.join(missing)}."
        tripped = [name for name in names if states[name] == "ALARM"]
        return f"One or more alarms went into ALARM state: {', '.join(tripped)}." if tripped else ""

    def measure(self, dimensions: dict[str, str], values: Mapping[str, tuple[float, str]]) -> None:
        """Write metrics of the namespace ``AWS/SageMaker``: name -> value and unit."""
        if self.record_metric is not None:
            for name, (value, unit) in values.items():
                self.record_metric(name, value, unit, dimensions)

    def follow_log(self, file: Path, group: str, stream: str, variables: dict[str, str]) -> FollowedFile:
        """Send what is written to ``file`` to CloudWatch Logs, with credentials that :meth:`assume` gave."""
        config = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "max_attempts": 1})
        return self.logs.follow(
            file, f"/aws/sagemaker/{group}", stream, lambda: self._client("logs", variables, config)
        )

    def limit_memory(self, process: ChildProcess, instance: str, exceeded: Callable[[], None]) -> None:
        """Kill a container that needs more memory than its instance type has, and call ``exceeded`` first."""
        kind = self.instance_type(instance)
        if kind is not None:
            self.memory.watch(process, kind.memory, exceeded)

    def publish_status(self, kind: str, document: dict[str, Any]) -> None:
        """Publish the event of a resource's new status."""
        kept = self.store.get("Tags", document[f"{kind}Arn"]) or {"Tags": []}
        publish(self.publish_event, kind, document, kept["Tags"])
