"""Messages of the queue: ask the models about their rows, and keep each row once.

A message whose rows could not all be asked about fails alone, and comes again: that is the back-pressure of an endpoint
that throttles. Its other rows are kept, and are not counted a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from tenant_experience.api.prediction import ServedTenant
from tenant_experience.aws import inference_table, model_answers, model_endpoint, release_table, served_features
from tenant_experience.aws.file_completion import tell_if_complete
from tenant_experience.errors import PlatformError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.queue.message import QueueRow, RowMessage
from tenant_experience.queue.row_scoring import RowScoring
from tenant_experience.use_case import served as served_use_case
from tenant_experience.use_case.served import ServedUseCase

logger = Logger(service="score_rows", json_serializer=redacted_json)

_IDS_AT_ONCE = 100


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Takes SQS records, and answers which of them failed."""
    by_file: dict[str, dict[str, RowMessage]] = {}
    failed: list[str] = []
    for record in event["Records"]:
        try:
            message = RowMessage.read(record["body"])
        except (ValueError, TypeError, LookupError) as error:
            logger.warning("no message of this queue", extra={"cause": type(error).__name__})
            failed.append(record["messageId"])
            continue
        by_file.setdefault(message.file, {})[record["messageId"]] = message
    for file, some in by_file.items():
        try:
            again = _score(file, some.values())
        except (PlatformError, ClientError, BotoCoreError) as error:
            logger.warning("rows must come again", extra={"cause": str(error)})
            failed += some
            continue
        failed += [message_id for message_id, message in some.items() if again & {row.row for row in message.rows}]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _score(file: str, messages: Iterable[RowMessage]) -> set[int]:
    """Scores and keeps the rows of one file; the numbers of those that must come again.

    Raises:
        PlatformError: nothing of it could be done.
    """
    given = list(messages)
    rows = {row.row: row for message in given for row in message.rows}  # a message may come twice at once
    use_case = served_use_case.read(given[0].use_case)
    live = release_table.read_live(use_case.name)
    scoring = RowScoring(use_case, live, model_answers.ask_model, model_endpoint.refusal)
    outcomes, again = scoring.score(rows.values(), _records(rows.values(), use_case))
    for code, cause in {(error.code, error.message) for error in again.values()}:
        logger.warning("model unavailable", extra={"code": code, "cause": cause})
    created_at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    kept = inference_table.keep(file, [outcome.item(created_at, given[0].expires_at) for outcome in outcomes])
    told = tell_if_complete(file)
    counts = {"rows": len(rows), "kept": kept, "again": len(again), "complete": told}
    logger.info("rows scored", extra={"use_case": use_case.name, **counts})
    return set(again)


def _records(rows: Iterable[QueueRow], use_case: ServedUseCase) -> dict[str, ServedTenant]:
    """What the online store knows of the rows that are ids alone. Their ids are as it knows them."""
    ids = list(dict.fromkeys(row.id for row in rows if row.features is None and row.id is not None))
    found: dict[str, ServedTenant] = {}
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[start : start + _IDS_AT_ONCE]
        found |= served_features.read_stored({each: each for each in some}, use_case)
    return found
