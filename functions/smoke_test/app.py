"""SmokeTest: nothing is published unless the endpoint answers for sample tenants as the evaluation did."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience import data_layout
from tenant_experience.aws import client_errors, model_endpoint, objects
from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release import smoke_comparison

logger = Logger(service="smoke_test", json_serializer=redacted_json)


@client_errors.named
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Compares every model of the release.

    Args:
        event: release, shards (the output of TrainModels).

    Returns:
        How many models and predictions were compared, and the largest difference.

    Raises:
        ModelDiffersError: when the endpoint loaded another archive than the evaluation packed.
        PlatformError: ``smoke_test_failed``, naming the model and both answers.
    """
    models = compared = 0
    largest = 0.0
    for shard in event["shards"]:
        if shard["status"] != "ok":
            continue
        key = data_layout.reports(event["release"], shard["shard"]) + data_layout.SMOKE_TEST_FILE
        test = objects.read_json(setting("DATA_BUCKET"), key)
        for model in test["models"]:
            answer = model_endpoint.predict(
                model["model_key"],
                [each["instance"] for each in model["samples"]],
                digest=model.get("digest", ""),  # absent from an evaluation by an earlier version
            )
            for given, sample in zip(answer.predictions, model["samples"], strict=True):
                for name, offline in sample["answer"].items():
                    apart = smoke_comparison.difference(given.get(name), offline)
                    if not apart <= test["tolerance"]:
                        raise PlatformError(
                            f"model {model['model_key']} answers {name}: {given.get(name)} through the endpoint but "
                            f"{offline} in the evaluation; nothing was published",
                            code="smoke_test_failed",
                        )
                    largest = max(largest, apart)
                compared += 1
            models += 1
    logger.info("endpoint agrees", extra={"models": models, "predictions": compared, "largest_difference": largest})
    return {"models": models, "predictions": compared, "largest_difference": largest}
