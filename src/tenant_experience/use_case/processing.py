"""What ``use_case.yaml`` asks of a stack: which engine builds features, on how many instances, and which trainer.

It does not need pydantic, because the function that starts a release reads it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from tenant_experience.errors import UserError

# Trainers that read ``sequences``, and that are trained with JAX, which only the training image has.
NETWORKS = ("recurrent_network",)
ENGINES = ("duckdb", "spark")
MAXIMUM_INSTANCES = 100  # of a processing job (SageMaker, ProcessingClusterConfig)


@dataclass(frozen=True)
class ProcessingRequest:
    """The engine and the number of instances that build features."""

    engine: str = "duckdb"
    instances: int = 1


def check_processing(engine: object, instances: object) -> None:
    """Refuses an unknown engine, and a number of instances that the engine cannot use.

    Raises:
        ValueError: names the value and what is allowed.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)} (it is {engine!r})")
    if not isinstance(instances, int) or isinstance(instances, bool) or not 1 <= instances <= MAXIMUM_INSTANCES:
        raise ValueError(f"instances must be a whole number from 1 to {MAXIMUM_INSTANCES} (it is {instances!r})")
    if engine == "duckdb" and instances > 1:
        raise ValueError(f"engine duckdb runs on one instance (instances is {instances}): choose engine: spark")


def read_processing(use_case_yaml: bytes, spark_image_uri: str) -> ProcessingRequest:
    """Reads the engine and its instances; without the key it is duckdb on one instance.

    Args:
        use_case_yaml: the file's content.
        spark_image_uri: the Spark image of the stack; empty when it has none.

    Raises:
        UserError: ``invalid_use_case``, or ``no_spark_image`` when the stack was deployed without one.
    """
    try:
        processing = ProcessingRequest(**_given(use_case_yaml))
        check_processing(processing.engine, processing.instances)
    except ValueError as error:
        raise UserError(f"use_case.yaml: key 'processing': {error}", code="invalid_use_case") from error
    if processing.engine == "spark" and not spark_image_uri:
        raise UserError(
            "use_case.yaml asks for processing: {engine: spark}, but this stack has no Spark image: deploy it with the "
            "parameter SparkImageUri (see container/README.md), or choose engine: duckdb",
            code="no_spark_image",
        )
    return processing


def check_training_image(use_case_yaml: bytes, training_image_uri: str) -> None:
    """Refuses a trainer that this stack has no image for.

    Args:
        use_case_yaml: the file's content.
        training_image_uri: the training image of the stack; empty when it has none.

    Raises:
        UserError: ``invalid_use_case``, or ``no_training_image``.
    """
    trainer = _document(use_case_yaml).get("trainer")
    if trainer in NETWORKS and not training_image_uri:
        raise UserError(
            f"use_case.yaml asks for trainer: {trainer}, but this stack has no image that can train it: deploy it with "
            "the parameter TrainingImageUri (see container/README.md), or choose another trainer",
            code="no_training_image",
        )


def _document(use_case_yaml: bytes) -> dict[str, Any]:
    try:
        document = yaml.safe_load(use_case_yaml)
    except yaml.YAMLError as error:
        raise UserError(f"use_case.yaml is not valid YAML: {error}", code="invalid_use_case") from error
    return document if isinstance(document, dict) else {}


def _given(use_case_yaml: bytes) -> dict[str, Any]:
    given = _document(use_case_yaml).get("processing") or {}
    if not isinstance(given, dict) or not given.keys() <= {"engine", "instances"}:
        raise ValueError(f"may hold engine and instances (it is {given!r})")
    return given
