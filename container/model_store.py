"""The models in memory, by the opaque name that SageMaker gives each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from container.serving_errors import (
    ModelAlreadyLoadedError,
    ModelLoadTimeoutError,
    ModelMemoryError,
    ModelNotLoadedError,
    ModelRefusedError,
)
from tenant_experience.data_layout import MODEL_FILES
from tenant_experience.errors import PlatformError, UserError
from tenant_experience.models.served_model import ServedModel

# A booster takes 1.0 to 1.5 times its file (tests/contract/container/test_container_memory.py measures it). A network
# takes twice its file: 64 bits for each number of 32.
MEMORY_PER_FILE_BYTE = 2
MEMORY_PER_MODEL = 64 << 10


# SageMaker waits 60 s for a load.
LOAD_SECONDS = 50


@dataclass(frozen=True)
class StoredModel:
    """A loaded model, the folder it came from, and the memory it is estimated to use, in bytes."""

    name: str
    url: str
    served: ServedModel
    memory: int


class ModelStore:
    """Loads, lists, returns and unloads models; safe to use from several threads.

    Args:
        memory_budget: bytes that all models together may take, estimated from the size of their files. The resident
            size of the process is no measure, because it need not shrink when a model is unloaded.
    """

    def __init__(self, memory_budget: int) -> None:
        self._budget = memory_budget
        self._models: dict[str, StoredModel] = {}
        self._loading: dict[str, int] = {}
        self._lock = threading.Lock()

    def load(self, name: str, url: str) -> StoredModel:
        """Loads the model in the folder ``url``.

        Raises:
            ModelAlreadyLoadedError: a model of that name is loaded, or being loaded.
            ModelMemoryError: the budget has no room for it.
            ModelRefusedError: the folder holds no readable model of ours.
            ModelLoadTimeoutError: it did not end in time; the name is free again.
        """
        folder = Path(url)
        try:
            sizes = [path.stat().st_size for file in MODEL_FILES if (path := folder / file).is_file()]
        except OSError:  # such as a name that is too long for any file
            sizes = []
        if not sizes:
            raise ModelRefusedError(f"model {name}: {' or '.join(MODEL_FILES)} is missing in {url[:200]}")
        size = sum(sizes)
        memory = MEMORY_PER_MODEL + MEMORY_PER_FILE_BYTE * size
        with self._reserved(name, memory):
            served = _load_in_time(name, folder)
            model = StoredModel(name, url, served, memory)
            with self._lock:
                self._models[name] = model
        return model

    def get(self, name: str) -> StoredModel:
        """The loaded model.

        Raises:
            ModelNotLoadedError: no model of that name is loaded.
        """
        model = self._models.get(name)
        if model is None:
            raise ModelNotLoadedError(f"model {name} is not loaded")
        return model

    def unload(self, name: str) -> None:
        """Unloads the model; requests that already use it still finish.

        Raises:
            ModelNotLoadedError: no model of that name is loaded.
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
        """Reserves the name and the memory while loading, so that two loads cannot both take the last of it."""
        with self._lock:
            if name in self._models or name in self._loading:
                raise ModelAlreadyLoadedError(f"model {name} is already loaded")
            used = sum(model.memory for model in self._models.values()) + sum(self._loading.values())
            if used + memory > self._budget:
                raise ModelMemoryError(
                    f"model {name} needs about {memory >> 10} KiB, but only {max(self._budget - used, 0) >> 10} KiB of "
                    f"the {self._budget >> 10} KiB for models are free; unload another model first"
                )
            self._loading[name] = memory
        try:
            yield
        finally:
            with self._lock:
                del self._loading[name]


def _load_in_time(name: str, folder: Path) -> ServedModel:
    """Loads in a thread of its own, which is left behind when it hangs: a disk that does not answer cannot be stopped.

    Raises:
        ModelRefusedError: the folder holds no readable model of ours.
        ModelLoadTimeoutError: it did not end within ``LOAD_SECONDS``.
    """
    loaded: Future[ServedModel] = Future()

    def load() -> None:
        try:
            loaded.set_result(ServedModel.load(folder))
        except BaseException as error:  # noqa: BLE001 - raised again by result()
            loaded.set_exception(error)

    threading.Thread(target=load, name=f"load {name}", daemon=True).start()
    try:
        return loaded.result(timeout=LOAD_SECONDS)
    except TimeoutError as error:
        raise ModelLoadTimeoutError(f"model {name} did not load within {LOAD_SECONDS} s; load it again") from error
    except (UserError, PlatformError) as refusal:
        raise ModelRefusedError(f"model {name}: {refusal.message}") from refusal
    except (OSError, ValueError, ArithmeticError, MemoryError) as error:
        raise ModelRefusedError(f"model {name} cannot be read: {type(error).__name__}") from error
