"""Multi-model endpoints: which models a container has loaded, and how they are loaded and unloaded.

Source: SageMaker developer guide, "Custom Containers Contract for Multi-Model Endpoints". The container answers 507
when it has no room, and the service, not the container, unloads what was used least recently.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.sagemaker.core import archives
from local_aws.sagemaker.core.storage import Storage, split_uri
from local_aws.sagemaker.endpoints.container_client import Answer
from local_aws.sagemaker.endpoints.serving_process import ServingProcess

TARGET_MODEL = "X-Amzn-SageMaker-Target-Model"
_OK, _MISSING, _LOADED_BEFORE, _NO_ROOM = 200, 404, 409, 507
_SESSION_SECONDS = 900
_JSON = {"Content-Type": "application/json", "Accept": "application/json"}


class ModelDataError(Exception):
    """The model's archive does not exist, may not be read, or is not an archive."""


class ModelNotReadyError(Exception):
    """Another request has been loading the model for too long."""


class RefusedByContainerError(Exception):
    """The container refused to load or serve the model. Its answer is passed on."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


@dataclass
class _Model:
    target: str
    name: str = ""  # opaque to the container
    loaded: bool = False
    used: float = 0.0
    busy: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class MultiModel:
    """The models of one serving process."""

    def __init__(self, serving: ServingProcess) -> None:
        self._serving = serving
        self._models: dict[str, _Model] = {}
        self._lock = threading.Lock()
        self._storage: tuple[Storage, float] | None = None
        serving.on_restart = self._forget_loaded

    def invoke(self, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """Let the target model answer, and load it first when necessary.

        Raises:
            ModelDataError: the archive cannot be used.
            ModelNotReadyError: another request loads it for too long.
            RefusedByContainerError: it cannot be loaded.
            ContainerUnreachableError: the container is down, or takes too long.
        """
        model = self._model(target)
        headers = {**headers, TARGET_MODEL: target}
        with self._lock:
            model.busy += 1
            model.used = time.monotonic()
        try:
            return self._invoke(model, headers, body)
        finally:
            with self._lock:
                model.busy -= 1

    def _invoke(self, model: _Model, headers: dict[str, str], body: bytes) -> Answer:
        reloaded = False
        while True:
            self._ensure_loaded(model)
            answer = self._serving.request("POST", f"/models/{model.name}/invoke", headers, body)
            if answer.status == _NO_ROOM and self._unload_least_used(model):
                continue
            if answer.status == _MISSING and not reloaded and not self._is_loaded(model):
                # Unloaded between the two requests, or lost by a worker that restarted: once more.
                model.loaded, reloaded = False, True
                continue
            return answer

    def _is_loaded(self, model: _Model) -> bool:
        return self._serving.request("GET", f"/models/{model.name}", {}, None).status == _OK

    def _ensure_loaded(self, model: _Model) -> None:
        if model.loaded:
            return
        if not model.lock.acquire(timeout=self._serving.context.timing.model_load):
            raise ModelNotReadyError(model.target)
        try:
            if not model.loaded:
                self._load(model)
        finally:
            model.lock.release()

    def _load(self, model: _Model) -> None:
        if not model.name:
            model.name = self._fetch(model.target)
        url = self._serving.ml / "models" / model.name / "model"
        body = json.dumps({"model_name": model.name, "url": str(url)}).encode()
        headers = {**_JSON, TARGET_MODEL: model.target}
        while True:
            answer = self._serving.request("POST", "/models", headers, body)
            if answer.status in {_OK, _LOADED_BEFORE}:
                model.loaded = True
                return
            if answer.status != _NO_ROOM or not self._unload_least_used(model):
                raise RefusedByContainerError(answer)

    def _unload_least_used(self, keep: _Model) -> bool:
        """Unload a model, an idle one first. False when there is nothing left to unload."""
        with self._lock:
            loaded = [model for model in self._models.values() if model.loaded and model is not keep]
            if not loaded:
                return False
            victim = min(loaded, key=lambda model: (model.busy > 0, model.used))
            victim.loaded = False
        self._serving.request("DELETE", f"/models/{victim.name}", {}, None)
        return True

    def _fetch(self, target: str) -> str:
        """Download and unpack the archive; returns the model's opaque name, which depends on key and content."""
        prefix = self._serving.model["PrimaryContainer"]["ModelDataUrl"]
        bucket, key = split_uri(f"{prefix.rstrip('/')}/{target.lstrip('/')}")
        where = f"(bucket: {bucket}, key: {key})"
        if ".." in key.split("/"):
            raise ModelDataError(f"Failed to download model data{where}. A key may not contain '..'.")
        archive = self._serving.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.tar.gz"
        try:
            found = self._s3().client.get_object(Bucket=bucket, Key=key)
            with archive.open("wb") as file:
                for chunk in found["Body"].iter_chunks(1 << 20):
                    file.write(chunk)
        except (ClientError, BotoCoreError) as error:
            raise ModelDataError(
                f"Failed to download model data{where}. Please ensure that there is an object located at the URL and "
                f"that the role passed to CreateModel has permissions to download the model. ({error})"
            ) from error
        name = hashlib.sha256(f"{bucket}/{key}@{found['ETag']}".encode()).hexdigest()[:32]
        self._unpack(archive, self._serving.ml / "models" / name / "model", where)
        return name

    def _unpack(self, archive: Path, folder: Path, where: str) -> None:
        try:
            if not folder.exists():
                archives.unpack(archive, folder)
        except archives.ArchiveError as error:
            raise ModelDataError(
                f"Failed to extract model data archive{where}. Please ensure that the object located at the URL is a "
                f"valid tar.gz archive. ({error})"
            ) from error
        finally:
            archive.unlink()

    def _s3(self) -> Storage:
        with self._lock:
            if self._storage is None or time.monotonic() > self._storage[1]:
                role = self._serving.model["ExecutionRoleArn"]
                storage = self._serving.context.storage(role, "SageMaker")
                self._storage = (storage, time.monotonic() + _SESSION_SECONDS)
            return self._storage[0]

    def _model(self, target: str) -> _Model:
        with self._lock:
            return self._models.setdefault(target, _Model(target))

    def _forget_loaded(self) -> None:
        with self._lock:
            for model in self._models.values():
                model.loaded = False
