"""A file has arrived below ``inference/``: send its rows to the queue, or the file to score_batch.

A repeated event sends the same rows once more at most, and each row is kept once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from tenant_experience.aws import event_bus, inference_table, notifications, objects, row_queue
from tenant_experience.aws.file_completion import tell_if_complete
from tenant_experience.aws.pseudonym_key import read_key
from tenant_experience.environment import whole_number
from tenant_experience.errors import UserError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.queue import refusal_email
from tenant_experience.queue.arrival import FileArrival
from tenant_experience.queue.message import bodies, calls
from tenant_experience.queue.progress import State
from tenant_experience.queue.size import LARGEST_FILE, SizeCheck, TooLargeForQueueError, too_long
from tenant_experience.use_case import files as use_case_files
from tenant_experience.use_case import served as served_use_case

logger = Logger(service="split_file", json_serializer=redacted_json)

_BLOCK_BYTES = 1 << 20
_NOTED_EVERY = 5_000  # rows


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Takes an EventBridge ``Object Created`` event, and answers how far the file is."""
    arrival = FileArrival.from_event(event)
    if arrival.is_folder or (found := _found(arrival)) is None:
        return {"file": None, "state": None}
    arrival, size = found
    expires = arrival.arrived_at + timedelta(days=whole_number("INFERENCE_RETENTION_DAYS"))
    progress = inference_table.begin(
        arrival.name, arrival.use_case, f"{arrival.arrived_at:%Y-%m-%dT%H:%M:%SZ}", int(expires.timestamp())
    )
    if progress.state == State.SPLITTING:
        try:
            rows = _split(arrival, size, int(expires.timestamp()))
            inference_table.end_splitting(arrival.name, rows)
        except TooLargeForQueueError as reason:
            return _hand_over(arrival, str(reason))
        except UserError as refusal:
            return _refuse(arrival, refusal)
    tell_if_complete(arrival.name)
    ended = inference_table.read_progress(arrival.name) or progress
    logger.info("file split", extra={"use_case": arrival.use_case, "rows": ended.rows, "state": ended.state})
    return {"file": arrival.name, "state": ended.state}


def _found(arrival: FileArrival) -> tuple[FileArrival, int] | None:
    """The file in the version that the event is about, and its size; None when that is no longer there."""
    wanted: dict[str, Any] = {"VersionId": arrival.version} if arrival.version else {}
    try:
        head = objects.s3().head_object(Bucket=arrival.bucket, Key=arrival.key, **wanted)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey", "NoSuchVersion"):
            raise
        logger.warning("the file was deleted before it was read", extra={"use_case": arrival.use_case})
        return None
    if not arrival.version and arrival.etag and head["ETag"].strip('"') != arrival.etag:
        logger.warning("the file was replaced before it was read", extra={"use_case": arrival.use_case})
        return None  # the newer version has an event of its own
    return arrival.of_version(arrival.version or head.get("VersionId", "null")), head["ContentLength"]


def _split(arrival: FileArrival, size: int, expires_at: int) -> int:
    """Sends every row; how many there are.

    Raises:
        TooLargeForQueueError: the file is for score_batch.
        UserError: it cannot be read.
    """
    definition = use_case_files.find(arrival.use_case)
    use_case = served_use_case.read(arrival.use_case)
    if size > LARGEST_FILE:
        raise too_long()
    with TemporaryDirectory(prefix="split-", ignore_cleanup_errors=True) as made:
        folders = {name: Path(made) / name for name in ("file", "use_case", "scratch")}
        for folder in folders.values():
            folder.mkdir()
        for name, content in definition.items():
            (folders["use_case"] / name).parent.mkdir(parents=True, exist_ok=True)
            (folders["use_case"] / name).write_bytes(content)
        _download(arrival, folders["file"] / Path(arrival.file).name, use_case.queue_rows)

        from tenant_experience.queue.reading import read_rows

        with read_rows(
            folders["file"], folders["use_case"], arrival.arrived_at, read_key(), folders["scratch"]
        ) as found:
            sent, noted = 0, 0
            messages = bodies(arrival.use_case, arrival.name, expires_at, found.rows)
            for some in calls(messages):
                row_queue.send([body for body, _ in some])
                sent += sum(rows for _, rows in some)
                if sent - noted >= _NOTED_EVERY:
                    inference_table.note_sent(arrival.name, sent)
                    noted = sent
            return sent


def _download(arrival: FileArrival, path: Path, limit: int) -> None:
    """Streams the file to this disk, until it is known to be too large."""
    extension = "".join(path.suffixes[-2:]).lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    answer = objects.s3().get_object(Bucket=arrival.bucket, Key=arrival.key, VersionId=arrival.version)
    check = SizeCheck(extension, limit)
    try:
        with path.open("wb") as target:
            target.writelines(check.passed(answer["Body"].iter_chunks(_BLOCK_BYTES)))
    finally:
        answer["Body"].close()


def _hand_over(arrival: FileArrival, reason: str) -> dict[str, Any]:
    """Gives the file to score_batch. The event comes first: one that is sent twice starts one run."""
    detail = {
        "use_case": arrival.use_case,
        "batch": arrival.batch,
        "key": arrival.key,
        "version_id": arrival.version,
    }
    event_bus.send("Scoring Requested", detail)
    inference_table.end_without_rows(arrival.name, State.HANDED_OVER, f"{reason}: score_batch scores it", "too_large")
    logger.info("file handed over to score_batch", extra={"use_case": arrival.use_case, "reason": reason})
    return {"file": arrival.name, "state": State.HANDED_OVER}


def _refuse(arrival: FileArrival, refusal: UserError) -> dict[str, Any]:
    """Says why nothing of the file is scored. The e-mail comes first: rather twice than never."""
    notifications.send(*refusal_email.write(arrival.key, refusal.message, refusal.code))
    inference_table.end_without_rows(arrival.name, State.REFUSED, refusal.message, refusal.code)
    logger.warning("file refused", extra={"use_case": arrival.use_case, "code": refusal.code})
    return {"file": arrival.name, "state": State.REFUSED}
