"""SmokeTest: nothing is published unless the endpoint answers for sample tenants as the evaluation did."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience.aws import client_errors, smoke_tests
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release.release import PublishedModel

logger = Logger(service="smoke_test", json_serializer=redacted_json)


@client_errors.named
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Compares every model of the release.

    Args:
        event: release, shards (the output of TrainModels). Of a roll-back: models, each with slug and version.

    Returns:
        How many models and predictions were compared, and the largest difference.

    Raises:
        ModelDiffersError: when the endpoint loaded another archive than the evaluation packed.
        PlatformError: ``smoke_test_failed``, naming the model and both answers.
    """
    if "models" in event:
        tests = smoke_tests.of_models(PublishedModel(**model) for model in event["models"])
    else:
        tests = smoke_tests.of_release(event["release"], event["shards"])
    compared = smoke_tests.compare(tests)
    logger.info("endpoint agrees", extra=asdict(compared))
    return asdict(compared)
