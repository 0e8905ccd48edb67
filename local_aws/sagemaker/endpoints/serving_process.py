"""One serving container: an image's ``serve`` as a process, its health, its requests and its end."""

from __future__ import annotations

import logging
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_aws.sagemaker.core import archives, job_contract
from local_aws.sagemaker.core.child_process import ChildProcess
from local_aws.sagemaker.core.container_logs import FollowedFile
from local_aws.sagemaker.core.context import Context
from local_aws.sagemaker.core.errors import ServiceError
from local_aws.sagemaker.core.images import ImageError
from local_aws.sagemaker.core.instance_types import choose_cpus
from local_aws.sagemaker.core.storage import StorageError
from local_aws.sagemaker.endpoints.container_client import Answer, ContainerClient, ContainerUnreachableError

log = logging.getLogger(__name__)

_PING_EVERY = 0.05
_PING_SECONDS = 2  # a ping must be answered within 2 seconds ("How Containers Serve Requests")
_RESTART_AFTER = 1.0
_STOP_GRACE = 30  # between SIGTERM and SIGKILL, as in the developer guide for hosting containers


class NotHealthyError(Exception):
    """The container did not become healthy. The text is the endpoint's FailureReason."""


class DrainingError(Exception):
    """The container has been replaced. Ask again what answers for the endpoint."""


class ServingProcess:
    """A model's container.

    Args:
        context: the account.
        model: the model's description.
        variant: the production variant's.
        folder: its own folder: ``opt/ml``, ``log``, ``pid``.
        log_group: where its log goes, below ``/aws/sagemaker/``.
    """

    def __init__(
        self, context: Context, model: dict[str, Any], variant: dict[str, Any], folder: Path, log_group: str
    ) -> None:
        self.context = context
        self.model = model
        self.variant = variant
        self.folder = folder
        self.on_restart: Callable[[], None] = lambda: None
        self.instance_id = f"i-{secrets.token_hex(9)[:17]}"
        self.log_stream = f"{variant['VariantName']}/{self.instance_id}"
        self.log_group = log_group
        self.out_of_memory = False
        self._log: FollowedFile | None = None
        self._port = _free_port()
        self._client = ContainerClient(self._port)
        self._process: ChildProcess | None = None
        self._spawning = threading.Lock()
        self._stopping = threading.Event()
        self._draining = False
        self._busy = 0
        self._idle = threading.Condition()

    @property
    def ml(self) -> Path:
        """The container's ``/opt/ml``."""
        return self.folder / "opt" / "ml"

    @property
    def multi_model(self) -> bool:
        """Whether the container serves several models."""
        return bool(self.model["PrimaryContainer"]["Mode"] == "MultiModel")

    def start(self) -> None:
        """Start the container and wait until it is healthy.

        Raises:
            NotHealthyError: it was not healthy in time, and has been ended.
        """
        shutil.rmtree(self.ml, ignore_errors=True)
        (self.ml / ("models" if self.multi_model else "model")).mkdir(parents=True)
        self._fetch_model()
        self._spawn()
        self._wait_until_healthy()
        threading.Thread(target=self._keep_running, name=f"serving {self.folder}", daemon=True).start()

    def _fetch_model(self) -> None:
        uri = self.model["PrimaryContainer"].get("ModelDataUrl")
        if self.multi_model or not uri:
            return
        archive, folder = self.folder / "model.tar.gz", self.ml / "model"
        try:
            self.context.storage(self.model["ExecutionRoleArn"], "SageMaker").download_file(uri, archive)
            folder.rmdir()
            archives.unpack(archive, folder)
        except StorageError as error:
            raise NotHealthyError(f"Failed to download model data from {uri}: {error}") from error
        except archives.ArchiveError as error:
            raise NotHealthyError(
                f'Failed to extract model data archive from URL "{uri}". Please ensure that the object located at the '
                f"URL is a valid tar.gz archive. ({error})"
            ) from error
        archive.unlink()

    def _spawn(self) -> None:
        container = self.model["PrimaryContainer"]
        image = self.context.image(container["Image"])
        credentials = self.context.assume(self.model["ExecutionRoleArn"], "SageMaker")
        variables = {
            "SAGEMAKER_BIND_TO_PORT": str(self._port),
            "SAGEMAKER_SAFE_PORT_RANGE": f"{self._port + 1}-{self._port + 100}",
            **({"SAGEMAKER_MULTI_MODEL": "true"} if self.multi_model else {}),
        }
        base = job_contract.environment(self.context, image, self.ml, credentials)
        try:
            command = image.command(["serve"], self.ml)
        except ImageError as error:
            raise NotHealthyError(str(error)) from error
        if self._log is None:
            log_file = self.folder / "log"
            self._log = self.context.follow_log(log_file, self.log_group, self.log_stream, credentials)
        with self._spawning:
            if self._stopping.is_set():
                raise NotHealthyError("the container was stopped before it had started")
            self._process = ChildProcess(
                command,
                interpreter=image.interpreter,
                environment={**base, **container.get("Environment", {}), **variables},
                folder=self.folder,
                cpus=choose_cpus(self.context.instance_type(self.variant["InstanceType"])),
            )
        self.context.limit_memory(self._process, self.variant["InstanceType"], self._too_large)

    def _too_large(self) -> None:
        self.out_of_memory = True
        log.warning("%s: the container needs more memory than %s has", self.folder, self.variant["InstanceType"])

    def _wait_until_healthy(self) -> None:
        seconds = self.variant.get("ContainerStartupHealthCheckTimeoutInSeconds", self.context.timing.startup)
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._stopping.is_set():
            if self._process is None or not self._process.running:
                break
            if self.is_healthy():
                return
            time.sleep(_PING_EVERY)
        self.stop()
        raise NotHealthyError(
            f"The primary container for production variant {self.variant['VariantName']} did not pass the ping health "
            f"check. Please check CloudWatch logs for this endpoint. (On this machine: {self.folder / 'log'})"
        )

    def is_healthy(self) -> bool:
        """Whether ``GET /ping`` answers 200."""
        try:
            return self._client.request("GET", "/ping", {}, None, _PING_SECONDS).status == 200
        except ContainerUnreachableError:
            return False

    def _keep_running(self) -> None:
        """Start the container again when it ends by itself, as the service replaces one that died."""
        while self._process is not None:
            code = self._process.wait()
            if self._stopping.wait(_RESTART_AFTER):
                return
            log.warning("%s: the container ended with code %s and is started again", self.folder, code)
            self.on_restart()
            try:
                self._spawn()
            except (NotHealthyError, ServiceError) as error:  # tried again after the next pause
                log.warning("%s: %s", self.folder, error)

    def request(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None, seconds: float | None = None
    ) -> Answer:
        """One request to the container. It may take ``seconds``, or as long as an invocation may take.

        Raises:
            ContainerUnreachableError: it does not run, or takes too long.
        """
        return self._client.request(method, path, headers, body, seconds or self.context.timing.invocation)

    @contextmanager
    def lease(self) -> Iterator[None]:
        """While this is held, a replacement waits before it ends the container.

        Raises:
            DrainingError: it has been replaced already.
        """
        with self._idle:
            if self._draining:
                raise DrainingError
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def drain(self) -> None:
        """Wait for requests under way, then stop."""
        with self._idle:
            self._draining = True
            self._idle.wait_for(lambda: self._busy == 0 or self._stopping.is_set(), timeout=self.context.timing.drain)
        self.stop()

    def stop(self, *, at_once: bool = False) -> None:
        """End the container: SIGTERM, then SIGKILL."""
        with self._spawning:
            self._stopping.set()
        with self._idle:
            self._idle.notify_all()
        if self._process is not None:
            if at_once:
                self._process.kill()
            else:
                self._process.terminate(_STOP_GRACE)
            self._process.wait()
            self._client.close()
        if self._log is not None and not at_once:
            self.context.logs.finish(self._log)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
