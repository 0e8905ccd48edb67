"""RegisterModels: every model becomes a package of the registry, Approved or Rejected with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience import data_layout
from tenant_experience.aws import client_errors, decisions, model_registry, objects
from tenant_experience.environment import setting
from tenant_experience.evaluation.model_card import CardLinks, model_card
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release.partition_result import ShardResult

logger = Logger(service="register_models", json_serializer=redacted_json)


@client_errors.named
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Registers every model of the release and records the decision about it, also for the job that serves features.

    Args:
        event: release, use_case, shards (the output of TrainModels), decision (approved, rejected, expired, superseded
            or withdrawn), approver, reason, decided_at.

    Returns:
        How many packages this release has now.
    """
    release, bucket = event["release"], setting("DATA_BUCKET")
    request = decisions.receive(release, event["decision"], event.get("decided_at", ""))
    decided = event["decision"] in ("approved", "rejected")
    verdict = f"{event['decision']} by {event['approver']}: {event['reason']}"
    count = 0
    rejected = []
    for shard in objects.read_outcomes(bucket, event["shards"]):
        for slug, candidate in _candidates(shard, release, event["use_case"], bucket):
            arn = model_registry.register(candidate)
            approved = decided and request.approves(slug)
            model_registry.decide(arn, approved=approved, reason=request.verdict(slug) if decided else verdict)
            rejected += [] if approved else [slug]
            logger.info("model registered", extra={"package": arn, "approved": approved})
            count += 1
    objects.write_json(bucket, data_layout.decided(release) + data_layout.REJECTED_FILE, sorted(rejected))
    return {"packages": count}


def _candidates(
    shard: ShardResult, release: str, use_case: str, bucket: str
) -> Iterator[tuple[str, model_registry.Candidate]]:
    """The models of one shard that are ready, each with the slug of its partition."""
    report = data_layout.reports(release, shard.shard)
    key = report + data_layout.EVALUATION_FILE
    evaluations = {each["slug"]: each for each in objects.read_json(bucket, key)["partitions"]} if shard.ready else {}
    for result in shard.ready:
        learned_from = (evaluations[result.slug].get("split") or {}).get("file", data_layout.FEATURES_FILE)
        links = CardLinks(
            model=f"s3://{bucket}/{data_layout.MODELS}/{result.model_key}",
            report=f"s3://{bucket}/{report}{data_layout.REPORT_FILE}",
            evaluation=f"s3://{bucket}/{key}",
            features=f"s3://{bucket}/{data_layout.features(release)}{learned_from}",
            image=setting("CONTAINER_IMAGE_URI"),
        )
        candidate = model_registry.Candidate(
            group=data_layout.model_package_group(setting("PROJECT"), setting("USE_CASE"), use_case, result.slug),
            release=release,
            links=links,
            metadata=model_registry.metadata_of(result),
            card=model_card(evaluations[result.slug], links),
        )
        yield result.slug, candidate
