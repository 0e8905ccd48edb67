"""DeployEndpoint: one step towards the template's endpoint; the state machine calls it until that is in service."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience.aws import client_errors, endpoint, smoke_tests
from tenant_experience.environment import setting, whole_number
from tenant_experience.errors import PlatformError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.models.digests import ModelDiffersError
from tenant_experience.release.roll_out import RollOut
from tenant_experience.use_case import files
from tenant_experience.use_case.manifest import parse_utc

logger = Logger(service="deploy_endpoint", json_serializer=redacted_json)

_ATTEMPTS = 5  # a model loads on its first request, which may not wait for it


class ImageDiffersError(endpoint.EndpointNotUpdatedError):
    """The new image answers otherwise than the evaluations did. The state machine's failure has this name."""


@client_errors.named
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answers the endpoint's name and status.

    Args:
        event: release, shards (the output of TrainModels), attempt (the state's RetryCount: 0 for the first call of an
            execution or of its redrive), entered (when the state began).

    Raises:
        EndpointNotReadyError: while it is not in service; the state machine retries this error by its name.
        EndpointNotUpdatedError: when the earlier image goes on answering, because the new one cannot.
        ImageDiffersError: the same, because the new one answers otherwise.
        ModelDiffersError: when the archive of a model is not the one that was registered.
    """
    settings = endpoint.EndpointSettings(
        name=setting("ENDPOINT"),
        image=setting("CONTAINER_IMAGE_URI"),
        models_url=setting("MODELS_URL"),
        role_arn=setting("ENDPOINT_ROLE_ARN"),
        instance_type=setting("ENDPOINT_INSTANCE_TYPE"),  # type: ignore[arg-type]  # the template's AllowedPattern
        instance_count=whole_number("ENDPOINT_INSTANCE_COUNT"),
    )
    roll_out = RollOut(setting("ENDPOINT_ALARMS").split(","), whole_number("ENDPOINT_BAKING_SECONDS"))
    try:
        status = endpoint.ensure_in_service(
            settings,
            roll_out,
            first_call=event["attempt"] == 0,
            entered=parse_utc(event["entered"]),
            check=lambda candidate: _check(candidate, settings.image, event),
        )
    except endpoint.EndpointNotReadyError as waiting:
        logger.info(waiting.message)
        raise
    return {"endpoint": settings.name, "status": status}


def _check(candidate: str, image: str, event: dict[str, Any]) -> None:
    """Asks a new image, before it gets any request, for the samples of the live models and of the release's own."""
    live, without = smoke_tests.of_live_models(files.names())
    if without:
        logger.warning("live models without samples were not compared", extra={"models": without})
    own = smoke_tests.of_release(event["release"], event["shards"])
    try:
        compared = smoke_tests.compare([*live, *own], endpoint=candidate, attempts=_ATTEMPTS)
    except ModelDiffersError:
        raise
    except PlatformError as error:
        if error.code == smoke_tests.DIFFERS and image == os.environ.get("ACCEPTED_IMAGE_URI"):
            logger.warning("the accepted image answers otherwise", extra={"image": image, "difference": error.message})
            return
        raise ImageDiffersError(
            f"image {image} was asked for samples before it answers anybody: {error.message}. The earlier image goes "
            "on answering. Correct the image, deploy it, and redrive the execution; or accept the new answers, with "
            "this image as the stack's parameter AcceptedImageUri",
            code="image_differs",
        ) from error
    logger.info("the new image agrees", extra={**asdict(compared), "image": image})
