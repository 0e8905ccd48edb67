"""Every operation of the laptop's SageMaker, and the class that answers it.

A class of one resource (in ``jobs``, ``endpoints``, ``feature_store`` or ``registry``) lists its operations in
``operations()``. A new kind of resource is added here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from local_aws.sagemaker.core import tags
from local_aws.sagemaker.core.context import Context, RecordMetric, Timing
from local_aws.sagemaker.core.errors import not_emulated
from local_aws.sagemaker.core.images import Image
from local_aws.sagemaker.core.instance_types import InstanceType, instance_type
from local_aws.sagemaker.core.state import Store
from local_aws.sagemaker.core.state_events import PublishEvent
from local_aws.sagemaker.core.validation import check_answer, check_request
from local_aws.sagemaker.endpoints.endpoints import Endpoints
from local_aws.sagemaker.endpoints.invocation import Invocations
from local_aws.sagemaker.endpoints.models import Models
from local_aws.sagemaker.feature_store.feature_groups import FeatureGroups
from local_aws.sagemaker.feature_store.feature_records import FeatureRecords
from local_aws.sagemaker.feature_store.offline_store import OfflineStore
from local_aws.sagemaker.feature_store.online_store import OnlineStore
from local_aws.sagemaker.jobs.jobs import Jobs
from local_aws.sagemaker.jobs.processing_jobs import ProcessingJobs
from local_aws.sagemaker.jobs.training_jobs import TrainingJobs
from local_aws.sagemaker.jobs.transform_jobs import TransformJobs
from local_aws.sagemaker.jobs.tuning_jobs import TuningJobs
from local_aws.sagemaker.registry.registry import Registry

Operation = Callable[[dict[str, Any]], dict[str, Any]]


class SageMaker:
    """One account's SageMaker."""

    def __init__(
        self,
        *,
        state_dir: Path,
        endpoint_url: str,
        region: str,
        account: str,
        images: Sequence[Image],
        credentials: Callable[[str, str], dict[str, str]],
        timing: Timing | None = None,
        publish_event: PublishEvent | None = None,
        record_metric: RecordMetric | None = None,
        instance_type: Callable[[str], InstanceType | None] = instance_type,
    ) -> None:
        context = Context(
            state_dir=state_dir,
            endpoint_url=endpoint_url,
            region=region,
            account=account,
            images=images,
            credentials=credentials,
            store=Store(state_dir / "sagemaker.sqlite"),
            timing=timing or Timing(),
            publish_event=publish_event,
            record_metric=record_metric,
            instance_type=instance_type,
        )
        self._context = context
        models = Models(context)
        training = TrainingJobs(context)
        self._jobs: tuple[Jobs, ...] = (training, ProcessingJobs(context), TransformJobs(context, models))
        self._operations: dict[str, Operation] = tags.operations(context)
        for jobs in self._jobs:
            self._operations |= jobs.operations()
        self._tuning = TuningJobs(context, training)
        self._operations |= self._tuning.operations()
        self._endpoints = Endpoints(context, models)
        self._invocations = Invocations(self._endpoints)
        self._operations |= models.operations() | self._endpoints.operations()
        self._operations |= Registry(context).operations()
        self._online = OnlineStore(state_dir / "feature_store.sqlite")
        groups = FeatureGroups(context, self._online)
        self._operations |= groups.operations()
        self._offline = OfflineStore(context, groups, self._online)
        self._records = FeatureRecords(groups, self._online, self._offline.wake)

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one control-plane operation.

        Args:
            operation: PascalCase, e.g. ``CreateTrainingJob``.
            request: as boto3 takes it.

        Returns:
            As boto3 gives it, times as datetime objects.

        Raises:
            ServiceError: AWS's refusal, UnsupportedOperation for what is not emulated, or InternalFailure for an
                answer that AWS's own model does not allow.
        """
        answer = self._operations.get(operation)
        if answer is None:
            raise not_emulated(operation)
        check_request(operation, request)
        found = answer(copy.deepcopy(request))  # so that the caller cannot change what is kept
        check_answer(operation, found)
        return found

    @property
    def operations(self) -> frozenset[str]:
        """The control plane's operations that are emulated."""
        return frozenset(self._operations)

    def job_log_path(self, name: str) -> Path | None:
        """The file with a job's output (the training job's when two kinds have the name); None for an unknown name."""
        return next((path for jobs in self._jobs if (path := jobs.log_path(name))), None)

    def invoke_endpoint(self, name: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Answer InvokeEndpoint, refusals included: status, headers, body."""
        return self._invocations.invoke(name, headers, body)

    def feature_store_runtime(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one of the record operations.

        Raises:
            ServiceError: AWS's refusal, or UnsupportedOperation.
        """
        return self._records.call(operation, request)

    def feature_store_json(self, operation: str, request: dict[str, Any]) -> str:
        """Like ``feature_store_runtime``, with the answer in JSON."""
        return self._records.call_json(operation, request)

    def stop(self) -> None:
        """End every process."""
        self._context.logs.stop()
        self._context.memory.stop()
        self._tuning.stop()
        for jobs in self._jobs:
            jobs.stop()
        self._endpoints.stop()
        self._offline.stop()
        self._online.close()
        self._context.store.close()
