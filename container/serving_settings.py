"""The server's settings, read from the environment; an error names the wrong variable.

SageMaker sets ``SAGEMAKER_BIND_TO_PORT`` and ``SAGEMAKER_MULTI_MODEL``; the others are set in the model's
``Environment`` (see README.md in this folder).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tenant_experience.data_layout import ml_root
from tenant_experience.errors import UserError
from tenant_experience.jobs.instance_resources import available_cpus, available_memory

MIB = 1 << 20
# Bodies may come slowly. A thread that waits for one costs little, so there are many, and a few more that only answer
# what has no body: /ping must answer while bodies are open.
BODIES_AT_ONCE = 128
_SPARE_THREADS = 8


@dataclass(frozen=True)
class ServingSettings:
    """How to serve.

    Attributes:
        host: the address to listen on. All addresses in a container, where only SageMaker can reach it; 127.0.0.1 for a
            plain process (``SAGEMAKER_BASE_DIR`` is set), because the server does not authenticate its callers.
        port: TCP port.
        multi_model: whether SageMaker loads and unloads many models; else the one in ``/opt/ml/model`` is served.
        workers: processes; always 1 with many models (see gunicorn_settings.py).
        threads: requests that one process parses and predicts at the same time.
        max_payload_mib: a larger request is refused with 413.
        model_memory_mib: what all loaded models together may take; a model that does not fit is refused with 507.
        model_folder: the folder of the single model.
        silence_seconds: a caller that sends no part of a body for this long gets 408.
        body_seconds: so does one whose body has not come whole after so long, however often a part of it comes.
        explain: whether answers to JSON lines have contributions, which JSON asks for in each request.
    """

    host: str
    port: int
    multi_model: bool
    workers: int
    threads: int
    max_payload_mib: int
    model_memory_mib: int
    model_folder: Path
    silence_seconds: int = 60
    body_seconds: int = 60
    explain: bool = False

    @property
    def connections(self) -> int:
        """Requests that one process may have in hand, most of them waiting for their bodies: gunicorn's threads."""
        return BODIES_AT_ONCE + _SPARE_THREADS

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> ServingSettings:
        """Reads the settings.

        Raises:
            UserError: ``serving_setting``, naming the variable.
        """
        multi_model = environment.get("SAGEMAKER_MULTI_MODEL", "").lower() == "true"
        bound_to = "127.0.0.1" if "SAGEMAKER_BASE_DIR" in environment else "0.0.0.0"  # noqa: S104
        return cls(
            host=environment.get("SERVING_HOST") or bound_to,
            port=_positive(environment, "SAGEMAKER_BIND_TO_PORT", 8080),
            multi_model=multi_model,
            workers=1 if multi_model else _positive(environment, "SERVING_WORKERS", available_cpus()),
            threads=_positive(environment, "SERVING_THREADS", 2 * available_cpus() + 2),
            max_payload_mib=_positive(environment, "SERVING_MAX_PAYLOAD_MIB", 6),
            model_memory_mib=_positive(environment, "SERVING_MODEL_MEMORY_MIB", available_memory() // 2 // MIB),
            model_folder=ml_root() / "model",
            silence_seconds=_positive(environment, "SERVING_SILENCE_SECONDS", 60),
            body_seconds=_positive(environment, "SERVING_BODY_SECONDS", 60),
            explain=_flag(environment, "SERVING_EXPLAIN"),
        )


def _positive(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"{name}={text!r} is not a whole number above 0", code="serving_setting")
    return int(text)


def _flag(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "")
    if text.lower() not in ("", "true", "false"):
        raise UserError(f"{name}={text!r} is neither true nor false", code="serving_setting")
    return text.lower() == "true"
