"""A file of the queue is complete: say how good its answers were, where its rows brought the truth along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger

from tenant_experience.aws import event_bus, figure_metrics, inference_table, notifications, objects
from tenant_experience.data_layout import GLOBAL_PARTITION, file_evaluation
from tenant_experience.environment import setting
from tenant_experience.log_redaction import redacted_json
from tenant_experience.queue import evaluation_email
from tenant_experience.queue.file_evaluation import KnownRow, evaluate
from tenant_experience.queue.row_scoring import SCORED
from tenant_experience.use_case import served as served_use_case
from tenant_experience.use_case.served import ServedUseCase

logger = Logger(service="evaluate_file", json_serializer=redacted_json)


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Takes the event ``File Scored``, and answers where the evaluation lies."""
    detail = event["detail"]
    if not detail["truths"]:
        return {"evaluation": None}
    use_case = served_use_case.read(detail["use_case"])
    name = f"{use_case.name}/{detail['file']}#{detail['version_id']}"
    rows = list(_known_rows(name, use_case))
    completed = datetime.fromtimestamp(detail["completed_at"], UTC)
    document = {
        **{key: detail[key] for key in ("use_case", "file", "version_id", "rows", "scored", "failed")},
        "with_truth": len(rows),
        "completed_at": f"{completed:%Y-%m-%dT%H:%M:%SZ}",
        "evaluation": evaluate(rows, use_case.labels, use_case.positive),
    }
    key = file_evaluation(use_case.name, detail["file"])
    objects.write_json(setting("DATA_BUCKET"), key, document)
    figure_metrics.put(use_case.name, document["evaluation"], completed)
    event_bus.send("File Evaluated", evaluation_email.summary(document, key))
    notifications.send(*evaluation_email.write(document, key))
    logger.info("file evaluated", extra={"use_case": use_case.name, "with_truth": len(rows)})
    return {"evaluation": key}


def _known_rows(name: str, use_case: ServedUseCase) -> Iterator[KnownRow]:
    for row in inference_table.read_rows(name):
        truth, prediction = row.get("truth"), row.get("prediction")
        if row["status"] != SCORED or truth is None or prediction is None:
            continue
        if use_case.labels and not {truth, prediction} <= set(use_case.labels):
            continue  # the classes of the use case have changed since
        yield KnownRow(str(row.get("dimension", GLOBAL_PARTITION)), truth, prediction, row.get("probability"))
