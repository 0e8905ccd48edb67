"""The models in memory, by the opaque name SageMaker gave each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from container.serving_errors import (
    ModelAlreadyLoadedError,
    ModelMemoryError,
    ModelNotLoadedError,
    ModelRefusedError,
)
from tenant_experience.data_layout import MODEL_FILE
from tenant_experience.errors import PlatformError, UserError
from tenant_experience.models.served_model import ServedModel

# A booster takes 1.0 to 1.5 times its file (tests/contract/container/test_container_memory.py measures it).
MEMORY_PER_FILE_BYTE = 2
MEMORY_PER_MODEL = 64 << 10


@dataclass(frozen=True)
class StoredModel:
    """A loaded model, where it came from, and the memory it is taken to use, in bytes."""

    name: str
    url: str
    served: ServedModel
    memory: int


class ModelStore:
    """Loads, lists, gives and drops models; safe to use from several threads.

    Args:
        memory_budget: bytes all models together may take. An estimate from the size of their files decides, not the
            resident size of the process: that one only shrinks when the allocator pleases.
    """

    def __init__(self, memory_budget: int) -> None:
        self._budget = memory_budget
        self._models: dict[str, StoredModel] = {}
        self._loading: dict[str, int] = {}
        self._lock = threading.Lock()

    def load(self, name: str, url: str) -> StoredModel:
        """Loads the model in the folder ``url``.

        Raises:
            ModelAlreadyLoadedError: the name is taken, or being loaded.
            ModelMemoryError: the budget does not suffice.
            ModelRefusedError: the folder holds no readable model of ours.
        """
        folder = Path(url)
        model_file = folder / MODEL_FILE
        try:
            size = model_file.stat().st_size
        except (OSError, ValueError) as error:
            raise ModelRefusedError(f"model {name}: {MODEL_FILE} is missing in {url[:200]}") from error
        memory = MEMORY_PER_MODEL + MEMORY_PER_FILE_BYTE * size
        with self._reserved(name, memory):
            try:
                served = ServedModel.load(folder)
            except (UserError, PlatformError) as refusal:
                raise ModelRefusedError(f"model {name}: {refusal.message}") from refusal
            model = StoredModel(name, url, served, memory)
            with self._lock:
                self._models[name] = model
        return model

    def get(self, name: str) -> StoredModel:
        """The loaded model.

        Raises:
            ModelNotLoadedError: there is none of that name.
        """
        model = self._models.get(name)
        if model is None:
            raise ModelNotLoadedError(f"model {name} is not loaded")
        return model

    def unload(self, name: str) -> None:
        """Drops the model; requests that hold it already still finish.

        Raises:
            ModelNotLoadedError: there is none of that name.
        """
        with self._lock:
            if self._models.pop(name, None) is None:
                raise ModelNotLoadedError(f"model {name} is not loaded")

    def all(self) -> list[StoredModel]:
        """Every loaded model, by name."""
        with self._lock:
            return sorted(self._models.values(), key=lambda model: model.name)

    @contextmanager
    def _reserved(self, name: str, memory: int) -> Iterator[None]:
        """Holds name and memory while loading, so that two loads cannot both take the last of it."""
        with self._lock:
            if name in self._models or name in self._loading:
                raise ModelAlreadyLoadedError(f"model {name} is already loaded")
            used = sum(model.memory for model in self._models.values()) + sum(self._loading.values())
            if used + memory > self._budget:
                raise ModelMemoryError(
                    f"model {name} needs about {memory >> 10} KiB, and {max(self._budget - used, 0) >> 10} KiB of the "
                    f"{self._budget >> 10} KiB for models are free: unload one first"
                )
            self._loading[name] = memory
        try:
            yield
        finally:
            with self._lock:
                del self._loading[name]
