"""Transform jobs: start a model's container and send every object of the input through it."""

from __future__ import annotations

import gzip
import json
import logging
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from local_aws.sagemaker.core.context import Context
from local_aws.sagemaker.core.errors import not_emulated, validation_error
from local_aws.sagemaker.core.memory_watch import OUT_OF_MEMORY
from local_aws.sagemaker.core.storage import S3Object, Storage, StorageError
from local_aws.sagemaker.core.validation import refuse_others
from local_aws.sagemaker.endpoints.container_client import Answer, ContainerUnreachableError
from local_aws.sagemaker.endpoints.models import Models
from local_aws.sagemaker.endpoints.serving_process import NotHealthyError, ServingProcess
from local_aws.sagemaker.jobs.jobs import INTERRUPTED, Host, JobFailure, Jobs, Run, share
from local_aws.sagemaker.jobs.json_path import JsonPath, PathError
from local_aws.sagemaker.jobs.transform_records import Processing, RecordError

log = logging.getLogger(__name__)

_REQUEST = frozenset(
    {"TransformJobName", "ModelName", "MaxConcurrentTransforms", "ModelClientConfig", "MaxPayloadInMB", "BatchStrategy"}
    | {"Environment", "TransformInput", "TransformOutput", "TransformResources", "DataProcessing", "Tags"}
    | {"ExperimentConfig"}
)
_OUTPUT = frozenset({"S3OutputPath", "Accept", "AssembleWith", "KmsKeyId"})
_RESOURCES = frozenset({"InstanceType", "InstanceCount", "VolumeKmsKeyId"})
_MIB = 1024**2
_MOST_MB = 100
_PARAMETERS: dict[str, Any] = {"MaxConcurrentTransforms": 1, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}
_STRATEGIES = {"MultiRecord": "MULTI_RECORD", "SingleRecord": "SINGLE_RECORD"}
_RETRIES, _SECONDS = 3, 600  # defaults of ModelClientConfig
_SEE_LOGS = "See job logs for more information"


class BadStatusError(Exception):
    """The container refused a request (with its status), or did not answer (500)."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass
class Instance:
    """One instance of a transform job: its container, and the service's own log of it."""

    host: Host
    serving: ServingProcess

    def note(self, text: str) -> None:
        """A line in the data log."""
        with (self.host.folder / "data-log").open("a") as file:
            file.write(f"[sagemaker logs]: {text}\n")


class TransformJobs(Jobs):
    """CreateTransformJob and related operations."""

    kind = "TransformJob"
    arn_kind = "transform-job"
    words = "transform job"

    def __init__(self, context: Context, models: Models) -> None:
        self._models = models
        self._serving: dict[str, list[ServingProcess]] = {}
        super().__init__(context)

    def operations(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """The operations of every kind of job, without Delete, which the service does not have."""
        found = super().operations()
        del found["DeleteTransformJob"]
        return found

    def check(self, request: dict[str, Any]) -> None:
        """Refuse what is not emulated, and what SageMaker refuses at creation."""
        operation = "CreateTransformJob"
        refuse_others(operation, request, _REQUEST)
        refuse_others(operation, request["TransformOutput"], _OUTPUT, "TransformOutput.")
        refuse_others(operation, request["TransformResources"], _RESOURCES, "TransformResources.")
        given = request["TransformInput"]
        if given.get("SplitType", "None") not in {"None", "Line"}:
            raise not_emulated(operation, f"SplitType {given['SplitType']}")
        if given["DataSource"]["S3DataSource"]["S3DataType"] not in {"S3Prefix", "ManifestFile"}:
            raise not_emulated(operation, f"S3DataType {given['DataSource']['S3DataSource']['S3DataType']}")
        if given.get("SplitType", "None") == "None" and request.get("BatchStrategy") == "MultiRecord":
            raise validation_error("BatchStrategy MultiRecord requires a SplitType other than None.")
        megabytes, at_once = request.get("MaxPayloadInMB", 6), request.get("MaxConcurrentTransforms", 0)
        if megabytes * max(at_once, 1) > _MOST_MB:
            raise validation_error(f"MaxConcurrentTransforms * MaxPayloadInMB must not be greater than {_MOST_MB} MB.")
        for key in ("InputFilter", "OutputFilter"):
            try:
                JsonPath(request.get("DataProcessing", {}).get(key, "$"))
            except PathError as error:
                raise validation_error(f"DataProcessing.{key}: {error}.") from error
        model = self._models.model(request["ModelName"])
        if model["PrimaryContainer"]["Mode"] == "MultiModel":
            raise validation_error("A transform job cannot use a multi-model container.")

    def begin(self, job: dict[str, Any]) -> None:
        """Add the defaults that the service shows."""
        job["TransformInput"].setdefault("SplitType", "None")
        job["TransformInput"].setdefault("CompressionType", "None")
        job["TransformOutput"].setdefault("AssembleWith", "None")
        job.setdefault("DataProcessing", {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"})
        job["_model"] = self._models.model(job["ModelName"])

    def cluster(self, job: dict[str, Any]) -> tuple[str, int]:
        """Read TransformResources."""
        return job["TransformResources"]["InstanceType"], job["TransformResources"]["InstanceCount"]

    def prepare(self, run: Run, job: dict[str, Any], storage: Storage) -> None:
        """Download nothing: objects are read one after another."""

    def command(self, job: dict[str, Any]) -> tuple[str, list[str], dict[str, str]]:
        """Start like an endpoint's container."""
        return job["_model"]["PrimaryContainer"]["Image"], ["serve"], {}

    def finish(self, run: Run, job: dict[str, Any], exit_code: int) -> None:
        """Upload nothing: outputs are written one by one."""

    def salvage(self, run: Run, job: dict[str, Any]) -> None:
        """Keep the outputs written so far."""

    def _lead(self, run: Run, job: dict[str, Any]) -> tuple[str, str | None]:
        role = job["_model"]["ExecutionRoleArn"]
        storage = self.context.storage(role, "SageMaker")
        source = job["TransformInput"]["DataSource"]["S3DataSource"]
        try:
            objects = storage.objects(source["S3Uri"], source["S3DataType"])
        except StorageError as error:
            raise JobFailure(f"ClientError: Failed to list the input. {error}") from error
        instances = [Instance(host, self._container(run, host, job)) for host in run.hosts]
        with run.lock:
            self._serving[run.name] = [instance.serving for instance in instances]
        logs = self._follow_data_logs(instances, role)
        try:
            for instance in instances:
                self._start_container(instance)
            now = self.context.now()
            self.change(run.name, lambda found: found.update({"TransformStartTime": now}))
            self._transform_all(run, job, instances, objects, storage)
        except JobFailure:
            if run.end is None:
                raise
        finally:
            for instance in instances:
                instance.serving.stop(at_once=run.end == "server")
            self._serving.pop(run.name, None)
            if run.end != "server":
                for each in logs:
                    self.context.logs.finish(each)
        if run.end == "server":
            raise JobFailure(INTERRUPTED)
        return ("Completed", None) if run.end is None else ("Stopped", None)

    def _container(self, run: Run, host: Host, job: dict[str, Any]) -> ServingProcess:
        model = job["_model"]
        container = model["PrimaryContainer"]
        batch = {"SAGEMAKER_BATCH": "true"}
        for key, name in (
            ("MaxPayloadInMB", "SAGEMAKER_MAX_PAYLOAD_IN_MB"),
            ("BatchStrategy", "SAGEMAKER_BATCH_STRATEGY"),
            ("MaxConcurrentTransforms", "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"),
        ):
            if key in job:
                batch[name] = _STRATEGIES.get(job[key], str(job[key]))
        variables = {**container.get("Environment", {}), **batch, **job.get("Environment", {})}
        variant = {"VariantName": run.name, "InstanceType": job["TransformResources"]["InstanceType"]}
        changed = {**model, "PrimaryContainer": {**container, "Environment": variables}}
        serving = ServingProcess(self.context, changed, variant, host.folder, "TransformJobs")
        serving.log_stream += f"-{int(self.context.now().timestamp())}"
        return serving

    def _follow_data_logs(self, instances: list[Instance], role: str) -> list[Any]:
        credentials = self.context.assume(role, "SageMaker")
        return [
            self.context.follow_log(
                each.host.folder / "data-log", "TransformJobs", f"{each.serving.log_stream}/data-log", credentials
            )
            for each in instances
        ]

    def _start_container(self, instance: Instance) -> None:
        try:
            instance.serving.start()
        except NotHealthyError as error:
            if instance.serving.out_of_memory:
                raise JobFailure(OUT_OF_MEMORY) from error
            instance.note(str(error))
            raise JobFailure(f"AlgorithmError: {_SEE_LOGS}") from error

    def _transform_all(
        self, run: Run, job: dict[str, Any], instances: list[Instance], objects: list[S3Object], storage: Storage
    ) -> None:
        failures: list[str] = []

        def work(instance: Instance, mine: list[S3Object]) -> None:
            parameters = _parameters(instance, job)
            processing = _processing(job, parameters)
            at_once = int(job.get("MaxConcurrentTransforms") or parameters["MaxConcurrentTransforms"])
            for each in mine:
                if run.end is not None:
                    return
                try:
                    self._transform(run, job, instance, each, storage, processing, at_once)
                except JobFailure as failure:
                    failures.append(str(failure))
                except Exception as error:  # a thread that dies must not leave a job that seems complete
                    log.exception("transform job %s: %s", run.name, each.uri)
                    failures.append(f"InternalServerError: {type(error).__name__}: {error}")

        shared = share(run.hosts, objects, "ShardedByS3Key")
        threads = [
            threading.Thread(target=work, args=(instance, mine), daemon=True)
            for instance, (_, mine) in zip(instances, shared, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if any(instance.serving.out_of_memory for instance in instances):
            raise JobFailure(OUT_OF_MEMORY)
        if failures:
            raise JobFailure(failures[0])

    def _transform(
        self,
        run: Run,
        job: dict[str, Any],
        instance: Instance,
        source: S3Object,
        storage: Storage,
        processing: Processing,
        at_once: int,
    ) -> None:
        """Transform one object. Its output is written completely or not at all.

        Both are files, so that of an object of gigabytes only the requests under way are in memory.
        """
        disk = instance.host.ml.parent
        given, written = disk / "object", disk / "object.out"

        def send(records: list[bytes]) -> bytes:
            if run.end is not None:
                raise JobFailure("stopped")
            answer = _ask(instance, job, processing, processing.payload(records))
            return processing.result(records, answer.body, answer.header("Content-Type") or "")

        output = f"{job['TransformOutput']['S3OutputPath'].rstrip('/')}/{source.path}.out"
        try:
            storage.download_file(source.uri, given)
            zipped = job["TransformInput"]["CompressionType"] == "Gzip"
            with gzip.open(given) if zipped else given.open("rb") as file, written.open("wb") as out:
                for part in _in_order(send, processing.batches(file), at_once):
                    out.write(part)
            storage.upload_file(written, output)
        except BadStatusError as error:
            instance.note(f"{source.bucket}/{source.key}: Bad HTTP status received from algorithm: {error.status}")
            instance.note(f"{source.bucket}/{source.key}: {error}")
            side = "ClientError" if error.status < 500 else "AlgorithmError"
            raise JobFailure(f"{side}: {_SEE_LOGS}") from error
        except (RecordError, StorageError, OSError, EOFError, zlib.error) as error:
            instance.note(f"{source.bucket}/{source.key}: {error}")
            raise JobFailure(f"ClientError: {source.uri}: {error}") from error
        finally:
            given.unlink(missing_ok=True)
            written.unlink(missing_ok=True)

    def _end(self, run: Run, why: str) -> None:
        with run.lock:
            run.end = run.end or why
            serving = self._serving.get(run.name, [])
        for each in serving:
            each.stop(at_once=True)

    def closing(self, run: Run | None, status: str, reason: str | None) -> Callable[[dict[str, Any]], None]:
        """Set the final status and its reason."""
        del run

        def apply(job: dict[str, Any]) -> None:
            job["TransformJobStatus"] = status
            job["TransformEndTime"] = self.context.now()
            if reason:
                job["FailureReason"] = reason

        return apply

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """Everything about a job; this kind has no LastModifiedTime."""
        found = super().describe(request)
        del found["LastModifiedTime"]
        return found

    def summary(self, job: dict[str, Any]) -> dict[str, Any]:
        """A line of ListTransformJobs."""
        shown = ("TransformJobName", "TransformJobArn", "CreationTime", "TransformEndTime", "LastModifiedTime")
        return {key: job[key] for key in (*shown, "TransformJobStatus", "FailureReason") if key in job}


def _parameters(instance: Instance, job: dict[str, Any]) -> dict[str, Any]:
    """The container's own settings, for those that the request leaves open ("How Containers Serve Requests")."""
    if job.get("MaxConcurrentTransforms"):
        return _PARAMETERS
    try:
        answer = instance.serving.request("GET", "/execution-parameters", {}, None)
        found = json.loads(answer.body) if answer.status == 200 else {}
        wanted: dict[str, Any] = {
            key: type(default)(found[key]) for key, default in _PARAMETERS.items() if key in found
        }
    except (ContainerUnreachableError, ValueError, TypeError):
        return _PARAMETERS
    return {**_PARAMETERS, **wanted, "MaxConcurrentTransforms": max(1, wanted.get("MaxConcurrentTransforms", 1))}


def _processing(job: dict[str, Any], parameters: dict[str, Any]) -> Processing:
    given, wanted, how = job["TransformInput"], job["TransformOutput"], job["DataProcessing"]
    strategy = job.get("BatchStrategy") or parameters["BatchStrategy"]
    return Processing(
        split=given["SplitType"] == "Line",
        single=strategy in {"SingleRecord", "SINGLE_RECORD"},
        maximum=int(job.get("MaxPayloadInMB", parameters["MaxPayloadInMB"])) * _MIB,
        assemble=wanted["AssembleWith"] == "Line",
        content_type=given.get("ContentType", ""),
        accept=wanted.get("Accept", ""),
        input_filter=JsonPath(how.get("InputFilter", "$")),
        output_filter=JsonPath(how.get("OutputFilter", "$")),
        join=how.get("JoinSource", "None") == "Input",
    )


def _in_order(send: Callable[[list[bytes]], bytes], batches: Iterable[list[bytes]], at_once: int) -> Iterator[bytes]:
    """The answers in the order of the batches, of which ``at_once`` are under way."""
    waiting: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(at_once, thread_name_prefix="transform") as pool:
        try:
            for batch in batches:
                if len(waiting) == at_once:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(send, batch))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()


def _ask(instance: Instance, job: dict[str, Any], processing: Processing, payload: bytes) -> Answer:
    """Send one request, and repeat it as often as ModelClientConfig says when the container fails.

    Raises:
        BadStatusError: the container's last answer.
    """
    headers = {"Content-Type": processing.content_type, "Accept": processing.accept}
    given = {name: value for name, value in headers.items() if value}
    client = job.get("ModelClientConfig", {})
    error = BadStatusError(500, "no answer")
    for _ in range(1 + client.get("InvocationsMaxRetries", _RETRIES)):
        try:
            answer = instance.serving.request(
                "POST", "/invocations", given, payload, client.get("InvocationsTimeoutInSeconds", _SECONDS)
            )
        except ContainerUnreachableError as unreachable:
            error = BadStatusError(500, str(unreachable))
            continue
        if answer.status < 400:
            return answer
        error = BadStatusError(answer.status, answer.body.decode(errors="replace")[:1000])
        if answer.status < 500:
            break
    raise error
