"""A SageMaker whose jobs and endpoints are real processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from local_aws.sagemaker.context import Context, Timing
from local_aws.sagemaker.errors import ServiceError, not_emulated
from local_aws.sagemaker.images import Image, load_image
from local_aws.sagemaker.state import Store

__all__ = ["Image", "SageMaker", "ServiceError", "Timing", "load_image"]


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
    ) -> None:
        self._context = Context(
            state_dir=state_dir,
            endpoint_url=endpoint_url,
            region=region,
            account=account,
            images=images,
            credentials=credentials,
            store=Store(state_dir / "sagemaker.sqlite"),
            timing=timing or Timing(),
        )

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one control-plane operation."""
        del request
        raise not_emulated(operation)

    def invoke_endpoint(self, name: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Answer InvokeEndpoint."""
        del name, headers, body
        raise not_emulated("InvokeEndpoint")

    def feature_store_runtime(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer PutRecord, GetRecord, DeleteRecord and BatchGetRecord."""
        del request
        raise not_emulated(operation)

    def stop(self) -> None:
        """End every process."""
        self._context.store.close()
