"""Processing jobs: S3 in, a container's own arguments, S3 out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_aws.sagemaker.core import job_contract
from local_aws.sagemaker.core.errors import not_emulated, validation_error
from local_aws.sagemaker.core.storage import Storage, StorageError
from local_aws.sagemaker.core.validation import refuse_others
from local_aws.sagemaker.jobs.jobs import JobFailure, Jobs, Run, share

_REQUEST = frozenset(
    {"ProcessingInputs", "ProcessingOutputConfig", "ProcessingJobName", "ProcessingResources", "StoppingCondition"}
    | {"AppSpecification", "Environment", "NetworkConfig", "RoleArn", "Tags", "ExperimentConfig"}
)
_INPUT = frozenset(["InputName", "S3Input", "AppManaged"])
_OUTPUT = frozenset(["OutputName", "S3Output", "AppManaged"])
_LOCAL = "/opt/ml/processing/"


class ProcessingJobs(Jobs):
    """CreateProcessingJob and related operations."""

    kind = "ProcessingJob"
    arn_kind = "processing-job"
    words = "processing job"

    def check(self, request: dict[str, Any]) -> None:
        """Refuse what is not emulated, and paths that SageMaker does not mount."""
        operation = "CreateProcessingJob"
        refuse_others(operation, request, _REQUEST)
        for given in request.get("ProcessingInputs", []):
            refuse_others(operation, given, _INPUT, "ProcessingInputs.")
            _check_input(operation, given)
        for output in request.get("ProcessingOutputConfig", {}).get("Outputs", []):
            refuse_others(operation, output, _OUTPUT, "ProcessingOutputConfig.Outputs.")
            _check_output(operation, output)
        self.context.image(request["AppSpecification"]["ImageUri"])
        self.context.assume(request["RoleArn"], "SageMaker")

    def begin(self, job: dict[str, Any]) -> None:
        """Add nothing: a processing job has one status."""

    def prepare(self, run: Run, job: dict[str, Any], storage: Storage) -> None:
        """Write the configuration, then download every input to its LocalPath."""
        for host in run.hosts:
            job_contract.write_processing_configuration(host.ml, job, host.name)
        for given in job.get("ProcessingInputs", []):
            source = given["S3Input"]
            try:
                objects = storage.objects(source["S3Uri"], source["S3DataType"])
                for host, mine in share(run.hosts, objects, source.get("S3DataDistributionType")):
                    folder = job_contract.on_disk(host.ml, source["LocalPath"])
                    folder.mkdir(parents=True, exist_ok=True)
                    storage.download(mine, folder)
            except StorageError as error:  # wording: aws-samples/sagemaker-run-notebook issue 32
                raise JobFailure(f"ClientError: Failed to download data. {error}") from error
        now = self.context.now()
        self.change(run.name, lambda found: found.update({"ProcessingStartTime": now}))

    def cluster(self, job: dict[str, Any]) -> tuple[str, int]:
        """Read ProcessingResources."""
        found = job["ProcessingResources"]["ClusterConfig"]
        return found["InstanceType"], found["InstanceCount"]

    def command(self, job: dict[str, Any]) -> tuple[str, list[str], dict[str, str]]:
        """The request's own entry point and arguments."""
        application = job["AppSpecification"]
        words = [*application.get("ContainerEntrypoint", []), *application.get("ContainerArguments", [])]
        if not words:
            raise JobFailure(
                "ClientError: the image has no entry point here: give AppSpecification.ContainerEntrypoint"
            )
        return application["ImageUri"], words, {"PROCESSING_JOB_ARN": job["ProcessingJobArn"]}

    def finish(self, run: Run, job: dict[str, Any], exit_code: int) -> None:
        """Upload the outputs of a job that succeeded. A failed one leaves S3 unchanged.

        The service documents EndOfJob only as "after the job completes" (API reference, S3UploadMode), and Completed
        is the status of success.
        """
        if exit_code != 0:
            # The service always gives this text. The container's message is in ExitMessage.
            raise JobFailure("AlgorithmError: See job logs for more information")
        storage = self.context.storage(job["RoleArn"], "SageMaker")
        for output in job.get("ProcessingOutputConfig", {}).get("Outputs", []):
            try:
                for host in run.hosts:
                    folder = job_contract.on_disk(host.ml, output["S3Output"]["LocalPath"])
                    storage.upload_folder(folder, output["S3Output"]["S3Uri"])
            except StorageError as error:
                raise JobFailure(f"ClientError: Failed to upload output {output['OutputName']}. {error}") from error

    def salvage(self, run: Run, job: dict[str, Any]) -> None:
        """Nothing: outputs are uploaded by a job that completes."""

    def closing(self, run: Run | None, status: str, reason: str | None) -> Callable[[dict[str, Any]], None]:
        """After its time "the processing job is stopped" (API reference, ProcessingJob): Stopped, not Failed."""
        message = job_contract.exit_message(run.told_by.ml) if run else None
        if status == "Stopped" and run is not None and run.end == "timed out":
            reason = (
                "The processing job exceeded its MaxRuntimeInSeconds and was stopped."  # our text: AWS gives no reason
            )

        def apply(job: dict[str, Any]) -> None:
            job["ProcessingJobStatus"] = status
            job["ProcessingEndTime"] = self.context.now()
            if message:
                job["ExitMessage"] = message
            if reason:
                job["FailureReason"] = reason

        return apply

    def summary(self, job: dict[str, Any]) -> dict[str, Any]:
        """A line of ListProcessingJobs."""
        shown = ("ProcessingJobName", "ProcessingJobArn", "CreationTime", "ProcessingEndTime", "LastModifiedTime")
        more = ("ProcessingJobStatus", "FailureReason", "ExitMessage")
        return {key: job[key] for key in (*shown, *more) if key in job}


def _check_input(operation: str, given: dict[str, Any]) -> None:
    if given.get("AppManaged") or "S3Input" not in given:
        raise not_emulated(operation, f"input {given['InputName']}, which is not a plain S3Input")
    source = given["S3Input"]
    if source["S3DataType"] not in {"S3Prefix", "ManifestFile"}:
        raise not_emulated(operation, f"S3DataType {source['S3DataType']}")
    for key, only in (("S3InputMode", "File"), ("S3CompressionType", "None")):
        if source.get(key, only) != only:
            raise not_emulated(operation, f"{key} {source[key]}")
    _check_path(source)


def _check_output(operation: str, output: dict[str, Any]) -> None:
    if output.get("AppManaged") or "S3Output" not in output:
        raise not_emulated(operation, f"output {output['OutputName']}, which is not a plain S3Output")
    if output["S3Output"]["S3UploadMode"] != "EndOfJob":
        raise not_emulated(operation, f"S3UploadMode {output['S3Output']['S3UploadMode']}")
    _check_path(output["S3Output"])


def _check_path(place: dict[str, Any]) -> None:
    path = place.get("LocalPath", "")
    if not path.startswith(_LOCAL) or ".." in path.split("/"):
        raise validation_error(f"LocalPath {path!r} is an absolute path and must begin with {_LOCAL}")
