"""PublishRelease: checks the archives against the registry, and makes them live by one conditional write."""

from __future__ import annotations

from functools import partial
from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience import data_layout
from tenant_experience.aws import (
    approvals,
    audit,
    client_errors,
    model_archives,
    model_registry,
    objects,
    release_table,
)
from tenant_experience.environment import setting
from tenant_experience.errors import UserError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release.partition_result import ready_partitions
from tenant_experience.release.release import PublishedModel, next_live

logger = Logger(service="publish_release", json_serializer=redacted_json)


class ReleaseSupersededError(UserError):
    """A release that began later is live. The state machine ends in a state of this name."""


@client_errors.named
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Moves the release pointer of the approved partitions; each model's digest is that of the registry.

    Args:
        event: release, use_case, started_at (the execution's), shards (the output of TrainModels; none of a batch of
            features alone).

    Raises:
        ReleaseSupersededError: when a later release is live in one of its partitions.
        ModelDiffersError: when an archive is not the one that was registered; nothing is published.
        PlatformError: ``pointer_moved``; the state machine retries. ``not_registered``.
    """
    release, use_case = event["release"], event["use_case"]
    ready = ready_partitions(objects.read_outcomes(setting("DATA_BUCKET"), event["shards"]))
    rejected: list[str] = []
    if ready:  # a batch of features alone asks nobody
        request, _ = approvals.read_approval(release)
        rejected = [partition.slug for partition in ready if not request.approves(partition.slug)]
        ready = [partition for partition in ready if request.approves(partition.slug)]
    models = [_registered(release, use_case, partition.slug) for partition in ready]
    for model in models:
        if model.digest:
            model_archives.check_registered(model)
        else:
            logger.warning("registered without a digest", extra={"release": release, "partition": model.slug})
    move = partial(next_live, release=release, started_at=event["started_at"], models=models, rejected=rejected)
    try:
        live = release_table.move_live(use_case, release, move)
    except UserError as error:
        if error.code == "superseded":
            raise ReleaseSupersededError(error.message, code=error.code) from error
        raise
    described = {model.slug: {"version": model.version, "digest": model.digest} for model in models}
    audit.append(release, "published", use_case=use_case, models=described)
    logger.info("release published", extra={"release": release, "models": len(models), "revision": live.revision})
    return {"release": release, "models": len(models), "previous": live.previous or ""}


def _registered(release: str, use_case: str, slug: str) -> PublishedModel:
    group = data_layout.model_package_group(setting("PROJECT"), setting("USE_CASE"), use_case, slug)
    return PublishedModel(slug, release, model_registry.registered_digest(group, release))
