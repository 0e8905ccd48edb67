"""What all jobs have in common: a thread, a process for each instance, a status, an end."""

from __future__ import annotations

import logging
import shutil
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from local_aws.sagemaker.core import listing, tags
from local_aws.sagemaker.core.child_process import ChildProcess
from local_aws.sagemaker.core.container_logs import FollowedFile
from local_aws.sagemaker.core.context import Context
from local_aws.sagemaker.core.errors import ServiceError, not_found, resource_in_use, validation_error
from local_aws.sagemaker.core.images import Image, ImageError
from local_aws.sagemaker.core.instance_types import choose_cpus
from local_aws.sagemaker.core.job_contract import environment, host_names
from local_aws.sagemaker.core.memory_watch import OUT_OF_MEMORY
from local_aws.sagemaker.core.storage import S3Object, Storage

log = logging.getLogger(__name__)

INTERRUPTED = (
    "InternalServerError: The laptop's AWS stopped while the job was running, and the job with it. "
    "Start it again under a new name."
)
_REASON_CHARACTERS = 1024
_NOT_FOUND = 127  # a shell's exit code for a command that is not there


class JobFailure(Exception):  # noqa: N818 it is what SageMaker calls it: a failure reason
    """The job cannot go on. The text is its FailureReason."""


@dataclass
class Host:
    """One instance of a job: the first in the job's own folder, the others in folders below it."""

    name: str
    folder: Path
    process: ChildProcess | None = None

    @property
    def ml(self) -> Path:
        """The instance's ``/opt/ml``."""
        return self.folder / "opt" / "ml"


@dataclass
class Run:
    """One job under way."""

    name: str
    folder: Path
    hosts: list[Host]
    thread: threading.Thread | None = None
    end: str | None = None  # why it was made to end: "stopped", "timed out", "out of memory", "server"
    failed: Host | None = None  # the first instance that ended with another exit code than 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def told_by(self) -> Host:
        """The instance whose message is the job's: the one that failed, otherwise the first."""
        return self.failed or self.hosts[0]


class Jobs(ABC):
    """One kind of job. Subclasses say what is downloaded, run and uploaded, and which statuses there are."""

    kind: ClassVar[str]  # as in operation names, e.g. "TrainingJob"
    arn_kind: ClassVar[str]
    words: ClassVar[str]  # as the service calls it in a sentence

    def __init__(self, context: Context) -> None:
        self.context = context
        self._runs: dict[str, Run] = {}
        self._runs_lock = threading.Lock()
        for job in context.store.all(self.kind):
            if job[f"{self.kind}Status"] in {"InProgress", "Stopping"}:
                self._close(job[f"{self.kind}Name"], "Failed", INTERRUPTED)
            self._wipe(job["_folder"])

    def operations(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """Operation name -> method that answers it."""
        return {
            f"Create{self.kind}": self.create,
            f"Describe{self.kind}": self.describe,
            f"Stop{self.kind}": self.stop_job,
            f"Delete{self.kind}": self.delete_job,
            f"List{self.kind}s": self.list_jobs,
        }

    # What subclasses fill in

    @abstractmethod
    def check(self, request: dict[str, Any]) -> None:
        """Refuse what is not emulated, or what SageMaker refuses at creation."""

    @abstractmethod
    def begin(self, job: dict[str, Any]) -> None:
        """Add to a new job's description what the service adds."""

    @abstractmethod
    def prepare(self, run: Run, job: dict[str, Any], storage: Storage) -> None:
        """Write the configuration and download the inputs."""

    @abstractmethod
    def command(self, job: dict[str, Any]) -> tuple[str, list[str], dict[str, str]]:
        """Image URI, words, and the variables of this kind of job."""

    @abstractmethod
    def cluster(self, job: dict[str, Any]) -> tuple[str, int]:
        """Instance type and count."""

    @abstractmethod
    def finish(self, run: Run, job: dict[str, Any], exit_code: int) -> None:
        """Upload the results, and raise JobFailure if the job failed."""

    @abstractmethod
    def summary(self, job: dict[str, Any]) -> dict[str, Any]:
        """The job's line in a list."""

    @abstractmethod
    def closing(self, run: Run | None, status: str, reason: str | None) -> Callable[[dict[str, Any]], None]:
        """The edit that ends a job's description."""

    # Operations

    def create(self, request: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Start a job. ``more`` is added to its description."""
        name = request[f"{self.kind}Name"]
        arn = self.context.arn(self.arn_kind, name)
        if self.context.store.get(self.kind, name):
            raise self._taken(arn)
        self.check(request)
        now = self.context.now()
        folder = self._new_folder(name)
        _, count = self.cluster(request)
        hosts = [Host(host, folder / host if host != "algo-1" else folder) for host in host_names(count)]
        run = Run(name, folder, hosts)
        job = {key: value for key, value in request.items() if key != "Tags"}
        job |= {
            f"{self.kind}Arn": arn,
            f"{self.kind}Status": "InProgress",
            "CreationTime": now,
            "LastModifiedTime": now,
            "_folder": run.folder.name,
            **more,
        }
        self.begin(job)
        if not self.context.store.insert(self.kind, name, job):
            raise self._taken(arn)
        tags.keep(self.context.store, arn, request.get("Tags", []))
        self.context.publish_status(self.kind, job)
        self._start(run)
        return {f"{self.kind}Arn": arn}

    def _start(self, run: Run) -> None:
        with self._runs_lock:
            self._runs[run.name] = run
        run.thread = threading.Thread(target=self._work, args=(run,), name=f"job {run.name}", daemon=True)
        run.thread.start()

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """Everything about a job."""
        job = self._job(request[f"{self.kind}Name"])
        return {key: value for key, value in job.items() if not key.startswith("_")}

    def stop_job(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask a job to end: SIGTERM, and SIGKILL after the grace period."""
        name = request[f"{self.kind}Name"]
        status = self._job(name)[f"{self.kind}Status"]
        run = self._runs.get(name)
        if status != "InProgress" or run is None:
            # Wording: awslabs/benchmark-ai issue 928
            raise validation_error(f"The request was rejected because the {self.words} is in status {status}.")
        self.change(name, self.stopping())
        self._end(run, "stopped")
        return {}

    def delete_job(self, request: dict[str, Any]) -> dict[str, Any]:
        """Delete a job that has ended, and its files on this machine. Its name is free again."""
        name = request[f"{self.kind}Name"]
        job = self.context.store.get(self.kind, name)
        if job is None:
            raise not_found("Requested resource not found.")
        status = job[f"{self.kind}Status"]
        if status in {"InProgress", "Stopping"}:
            raise resource_in_use(f"The request was rejected because the {self.words} is in status {status}.")
        self.context.store.delete(self.kind, name)
        tags.forget(self.context.store, job[f"{self.kind}Arn"])
        shutil.rmtree(self.context.state_dir / "jobs" / job["_folder"], ignore_errors=True)
        return {}

    def list_jobs(self, request: dict[str, Any]) -> dict[str, Any]:
        """Jobs by name, status and time, in pages."""
        jobs = [self.summary(job) for job in self.context.store.all(self.kind)]
        found, token = listing.page(
            jobs, request, name=f"{self.kind}Name", status=("StatusEquals", f"{self.kind}Status"), newest_first=True
        )
        return listing.answer(f"{self.kind}Summaries", found, token)

    def log_path(self, name: str) -> Path | None:
        """The file that a job's standard output and error go to; None when there is no such job."""
        job = self.context.store.get(self.kind, name)
        return None if job is None else self.context.state_dir / "jobs" / job["_folder"] / "log"

    def stop(self) -> None:
        """End every job, because the server stops."""
        with self._runs_lock:
            runs = list(self._runs.values())
        for run in runs:
            self._end(run, "server")
        for run in runs:
            if run.thread is not None:
                run.thread.join(timeout=10)

    # A job's life

    def change(self, name: str, edit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Edit a job's description and its time of change."""
        before: list[Any] = []

        def apply(job: dict[str, Any]) -> None:
            before.append(self._statuses(job))
            edit(job)
            job["LastModifiedTime"] = self.context.now()

        job = self.context.store.change(self.kind, name, apply)
        if self._statuses(job) != before[0]:
            self.context.publish_status(self.kind, job)
        return job

    def _statuses(self, job: dict[str, Any]) -> tuple[Any, Any]:
        return job[f"{self.kind}Status"], job.get("SecondaryStatus")

    def stopping(self) -> Callable[[dict[str, Any]], None]:
        """The edit that marks a job as being stopped."""
        return lambda job: job.update({f"{self.kind}Status": "Stopping"})

    def _work(self, run: Run) -> None:
        try:
            job = self.context.store.get(self.kind, run.name) or {}
            status, reason = self._lead(run, job)
        except JobFailure as failure:
            status, reason = ("Failed", str(failure))
        except ServiceError as error:  # the role's session ended in the meantime
            status, reason = ("Failed", f"ClientError: {error.message}")
        except Exception as error:
            log.exception("job %s", run.name)
            status, reason = ("Failed", f"InternalServerError: {type(error).__name__}: {error}")
        with self._runs_lock:
            self._runs.pop(run.name, None)
        try:
            self._close(run.name, status, reason, run)
        except KeyError:
            log.info("job %s: deleted meanwhile", run.name)
        self._wipe(run.folder.name)

    def _wipe(self, folder: str) -> None:
        """Delete the disks of an ended job's instances, as AWS does. The log stays."""
        jobs = self.context.state_dir / "jobs" / folder
        for disk in (jobs / "opt", *jobs.glob("algo-*/opt")):
            shutil.rmtree(disk, ignore_errors=True)

    def _lead(self, run: Run, job: dict[str, Any]) -> tuple[str, str | None]:
        credentials = self.context.assume(job["RoleArn"], "SageMaker")
        self.prepare(run, job, self.context.storage_with(credentials))
        exit_code = self._execute(run, job, credentials)
        if run.end == "server":
            raise JobFailure(INTERRUPTED)
        if run.end == "out of memory":
            raise JobFailure(OUT_OF_MEMORY)
        if run.end is None:
            self.finish(run, job, exit_code)
            return "Completed", None
        self.salvage(run, job)
        return "Stopped", None

    @abstractmethod
    def salvage(self, run: Run, job: dict[str, Any]) -> None:
        """Upload what a stopped job keeps."""

    def _execute(self, run: Run, job: dict[str, Any], credentials: dict[str, str]) -> int:
        uri, words, variables = self.command(job)
        image = self.context.image(uri)
        followed = [self._follow(run, host, credentials) for host in run.hosts]
        limit = threading.Timer(self._seconds(job), self._end, args=(run, "timed out"))
        limit.daemon = True
        try:
            for host in run.hosts:
                base = environment(self.context, image, host.ml, credentials)
                self._start_host(run, host, job, image, words, {**base, **variables, **job.get("Environment", {})})
            limit.start()
            return self._wait(run)
        except ImageError as error:
            (run.folder / "log").write_text(f"{error}\n")
            return _NOT_FOUND
        finally:
            limit.cancel()
            if run.end != "server":
                for each in followed:
                    self.context.logs.finish(each)

    def _follow(self, run: Run, host: Host, credentials: dict[str, str]) -> FollowedFile:
        stream = f"{run.name}/{host.name}-{int(self.context.now().timestamp())}"
        return self.context.follow_log(host.folder / "log", f"{self.kind}s", stream, credentials)

    def _start_host(
        self, run: Run, host: Host, job: dict[str, Any], image: Image, words: list[str], variables: dict[str, str]
    ) -> None:
        command = image.command(words, host.ml)
        instance, _ = self.cluster(job)
        with run.lock:
            if run.end is not None:
                return
            host.process = ChildProcess(
                command,
                interpreter=image.interpreter,
                environment=variables,
                folder=host.folder,
                cpus=choose_cpus(self.context.instance_type(instance)),
            )
        self.context.limit_memory(host.process, instance, lambda: self._end(run, "out of memory"))

    def _wait(self, run: Run) -> int:
        """Wait for every instance; returns the exit code of the first that failed, which ends the others, or 0."""
        codes: list[int] = []

        def wait(host: Host, process: ChildProcess) -> None:
            code = process.wait()
            with run.lock:
                if code == 0 or run.failed is not None:
                    return
                run.failed = host
                codes.append(code)
                others = [other.process for other in run.hosts if other.process and other is not host]
            for other in others:
                if other.running:
                    other.terminate(self.context.timing.stop_grace)

        started = [(host, host.process) for host in run.hosts if host.process is not None]
        threads = [threading.Thread(target=wait, args=each, daemon=True) for each in started[1:]]
        for thread in threads:
            thread.start()
        for each in started[:1]:
            wait(*each)
        for thread in threads:
            thread.join()
        return codes[0] if codes else 0

    def _seconds(self, job: dict[str, Any]) -> float:
        return float(job.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86400))

    def _end(self, run: Run, why: str) -> None:
        with run.lock:
            run.end = run.end or why
            processes = [host.process for host in run.hosts if host.process is not None]
        for process in processes:
            if why in {"server", "out of memory"}:
                process.kill()
            elif process.running:
                process.terminate(self.context.timing.stop_grace)

    def _close(self, name: str, status: str, reason: str | None, run: Run | None = None) -> None:
        edit = self.closing(run, status, reason and reason[:_REASON_CHARACTERS])
        self.change(name, edit)

    def _new_folder(self, name: str) -> Path:
        """``jobs/<name>``; with the kind behind it when a job of the other kind has the same name."""
        jobs = self.context.state_dir / "jobs"
        for folder in (jobs / name, jobs / f"{name}.{self.kind}"):
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            return folder
        raise self._taken(self.context.arn(self.arn_kind, name))

    def _job(self, name: str) -> dict[str, Any]:
        job = self.context.store.get(self.kind, name)
        if job is None:
            raise validation_error("Requested resource not found.")
        return job

    def _taken(self, arn: str) -> ServiceError:
        return resource_in_use(
            f"Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})"
        )


def share(hosts: list[Host], objects: list[S3Object], distribution: str | None) -> list[tuple[Host, list[S3Object]]]:
    """The objects for each instance: all, or with ShardedByS3Key a part of the keys."""
    if distribution != "ShardedByS3Key":
        return [(host, objects) for host in hosts]
    return [(host, objects[number :: len(hosts)]) for number, host in enumerate(hosts)]
