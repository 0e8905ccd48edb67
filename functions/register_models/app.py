"""RegisterModels: every model becomes a package of the registry, pending, then Approved or Rejected with the reason."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience import data_layout
from tenant_experience.aws import client_errors, model_registry, objects
from tenant_experience.environment import setting
from tenant_experience.release import ready_rows

logger = Logger(service="register_models")


@client_errors.named
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Register and decide.

    Args:
        event: release, shards (what TrainModels answered), decision (approved, rejected or expired), approver, reason.

    Returns:
        how many packages there are now for this release.
    """
    release, bucket = event["release"], setting("DATA_BUCKET")
    approved = event["decision"] == "approved"
    verdict = f"{event['decision']} by {event['approver']}: {event['reason']}"
    count = 0
    for row in ready_rows(objects.read_outcomes(bucket, event["shards"])):
        report = data_layout.reports(release, row["shard"])
        arn = model_registry.register(
            model_registry.Candidate(
                group=f"{setting('PROJECT')}-{row['slug']}",
                release=release,
                image=setting("CONTAINER_IMAGE_URI"),
                model_url=f"s3://{bucket}/{data_layout.MODELS}/{row['model_key']}",
                evaluation_url=f"s3://{bucket}/{report}{data_layout.EVALUATION_FILE}",
                report_url=f"s3://{bucket}/{report}{data_layout.REPORT_FILE}",
                metadata=model_registry.metadata_of(row),
            )
        )
        model_registry.decide(arn, "Approved" if approved else "Rejected", verdict)
        logger.info("model registered", extra={"package": arn, "decision": event["decision"]})
        count += 1
    return {"packages": count}
