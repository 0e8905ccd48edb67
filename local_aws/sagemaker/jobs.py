"""What processing and training jobs have in common: one thread and one process each, a status, an end."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from local_aws.sagemaker import listing, tags
from local_aws.sagemaker.child_process import ChildProcess
from local_aws.sagemaker.context import Context
from local_aws.sagemaker.errors import ServiceError, resource_in_use, validation_error
from local_aws.sagemaker.images import ImageError
from local_aws.sagemaker.job_contract import environment
from local_aws.sagemaker.storage import Storage

log = logging.getLogger(__name__)

INTERRUPTED = (
    "InternalServerError: The laptop's AWS stopped while the job was running, and the job with it. "
    "Start it again under a new name."
)
_REASON_CHARACTERS = 1024
_NOT_FOUND = 127  # a shell's exit code for a command that is not there


class JobFailure(Exception):  # noqa: N818 it is what SageMaker calls it: a failure reason
    """The job cannot go on; the text is its FailureReason."""


@dataclass
class Run:
    """One job under way."""

    name: str
    folder: Path
    thread: threading.Thread | None = None
    process: ChildProcess | None = None
    end: str | None = None  # why it was made to end: "stopped", "timed out", "server"
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def ml(self) -> Path:
        """The job's ``/opt/ml``."""
        return self.folder / "opt" / "ml"


class Jobs(ABC):
    """One kind of job. Subclasses say what is downloaded, run and uploaded, and how statuses are told."""

    kind: ClassVar[str]  # as in operation names, e.g. "TrainingJob"
    arn_kind: ClassVar[str]

    def __init__(self, context: Context) -> None:
        self.context = context
        self._runs: dict[str, Run] = {}
        self._runs_lock = threading.Lock()
        for job in context.store.all(self.kind):
            if job[f"{self.kind}Status"] in {"InProgress", "Stopping"}:
                self._close(job[f"{self.kind}Name"], "Failed", INTERRUPTED)

    def operations(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """Operation name -> what answers it."""
        return {
            f"Create{self.kind}": self.create,
            f"Describe{self.kind}": self.describe,
            f"Stop{self.kind}": self.stop_job,
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
    def finish(self, run: Run, job: dict[str, Any], exit_code: int) -> None:
        """Upload what came out, and raise JobFailure if it failed."""

    @abstractmethod
    def summary(self, job: dict[str, Any]) -> dict[str, Any]:
        """The job's line in a list."""

    @abstractmethod
    def closing(self, run: Run | None, status: str, reason: str | None) -> Callable[[dict[str, Any]], None]:
        """The edit that ends a job's description."""

    # Operations

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """Start a job."""
        name = request[f"{self.kind}Name"]
        arn = self.context.arn(self.arn_kind, name)
        if self.context.store.get(self.kind, name):
            raise self._taken(arn)
        self.check(request)
        now = self.context.now()
        run = Run(name, self._new_folder(name))
        job = {key: value for key, value in request.items() if key != "Tags"}
        job |= {
            f"{self.kind}Arn": arn,
            f"{self.kind}Status": "InProgress",
            "CreationTime": now,
            "LastModifiedTime": now,
            "_folder": run.folder.name,
        }
        self.begin(job)
        if not self.context.store.insert(self.kind, name, job):
            raise self._taken(arn)
        tags.keep(self.context.store, arn, request.get("Tags", []))
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
        """Ask a job to end: SIGTERM, and SIGKILL when its time of grace is over."""
        name = request[f"{self.kind}Name"]
        status = self._job(name)[f"{self.kind}Status"]
        run = self._runs.get(name)
        if status != "InProgress" or run is None:
            # Wording: awslabs/benchmark-ai issue 928
            words = {"TrainingJob": "training job", "ProcessingJob": "processing job"}[self.kind]
            raise validation_error(f"The request was rejected because the {words} is in status {status}.")
        self.change(name, self.stopping())
        self._end(run, "stopped")
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
        """End every job: the server is going."""
        with self._runs_lock:
            runs = list(self._runs.values())
        for run in runs:
            self._end(run, "server")
        for run in runs:
            if run.thread is not None:
                run.thread.join(timeout=10)

    # A job's life

    def change(self, name: str, edit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Edit a job's description and say when."""

        def apply(job: dict[str, Any]) -> None:
            edit(job)
            job["LastModifiedTime"] = self.context.now()

        return self.context.store.change(self.kind, name, apply)

    def stopping(self) -> Callable[[dict[str, Any]], None]:
        """The edit that says a job is being stopped."""
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
        self._close(run.name, status, reason, run)

    def _lead(self, run: Run, job: dict[str, Any]) -> tuple[str, str | None]:
        credentials = self.context.assume(job["RoleArn"], "SageMaker")
        self.prepare(run, job, self.context.storage_with(credentials))
        exit_code = self._execute(run, job, credentials)
        if run.end == "server":
            raise JobFailure(INTERRUPTED)
        if run.end is None:
            self.finish(run, job, exit_code)
            return "Completed", None
        self.salvage(run, job)
        return "Stopped", None

    @abstractmethod
    def salvage(self, run: Run, job: dict[str, Any]) -> None:
        """Upload what is kept of a job that was stopped."""

    def _execute(self, run: Run, job: dict[str, Any], credentials: dict[str, str]) -> int:
        uri, words, variables = self.command(job)
        image = self.context.image(uri)
        try:
            command = image.command(words, run.ml)
        except ImageError as error:
            (run.folder / "log").write_text(f"{error}\n")
            return _NOT_FOUND
        base = environment(self.context, image, run.ml, credentials)
        with run.lock:
            if run.end is not None:
                return 0
            run.process = ChildProcess(
                command,
                interpreter=image.interpreter,
                environment={**base, **variables, **job.get("Environment", {})},
                folder=run.folder,
            )
        limit = threading.Timer(self._seconds(job), self._end, args=(run, "timed out"))
        limit.daemon = True
        limit.start()
        try:
            return run.process.wait()
        finally:
            limit.cancel()

    def _seconds(self, job: dict[str, Any]) -> float:
        return float(job.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86400))

    def _end(self, run: Run, why: str) -> None:
        with run.lock:
            run.end = run.end or why
            if run.process is None:
                return
        if why == "server":
            run.process.kill()
        else:
            run.process.terminate(self.context.timing.stop_grace)

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
