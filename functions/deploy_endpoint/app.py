"""DeployEndpoint: one step towards the template's endpoint; the state machine calls it until that is in service."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience.aws import client_errors, endpoint
from tenant_experience.environment import setting, whole_number
from tenant_experience.log_redaction import redacted_json

logger = Logger(service="deploy_endpoint", json_serializer=redacted_json)


@client_errors.named
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answers the endpoint's name and status.

    Args:
        event: attempt (the state's RetryCount: 0 for the first call of an execution or of its redrive).

    Raises:
        EndpointNotReadyError: while it is not in service; the state machine retries this error by its name.
    """
    settings = endpoint.EndpointSettings(
        name=setting("ENDPOINT"),
        image=setting("CONTAINER_IMAGE_URI"),
        models_url=setting("MODELS_URL"),
        role_arn=setting("ENDPOINT_ROLE_ARN"),
        instance_type=setting("ENDPOINT_INSTANCE_TYPE"),  # type: ignore[arg-type]  # the template's AllowedPattern
        instance_count=whole_number("ENDPOINT_INSTANCE_COUNT"),
    )
    try:
        status = endpoint.ensure_in_service(settings, first_call=event["attempt"] == 0)
    except endpoint.EndpointNotReadyError as waiting:
        logger.info(waiting.message)
        raise
    return {"endpoint": settings.name, "status": status}
