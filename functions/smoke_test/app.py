"""SmokeTest: nothing is published unless the endpoint answers for sample tenants as the evaluation did."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience.aws import client_errors, smoke_tests
from tenant_experience.log_redaction import redacted_json

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
    compared = smoke_tests.compare(smoke_tests.of_release(event["release"], event["shards"]))
    logger.info("endpoint agrees", extra=asdict(compared))
    return asdict(compared)
