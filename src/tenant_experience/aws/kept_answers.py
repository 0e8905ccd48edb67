"""The answer table: the last answer of every record, by its id, and by its portfolio in order of attention.

An item: ``record`` (``<use case>#<id>``), ``portfolio`` (``<use case>#<portfolio>``), ``attention``, ``as_of``,
``scored`` (moment and run), ``answer`` (the row as JSON) and ``expires_at``.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tenant_experience.api.kept_answer import Row, attention
from tenant_experience.aws.pseudonym_key import read_key
from tenant_experience.environment import setting
from tenant_experience.errors import UserError
from tenant_experience.pseudonyms import pseudonym

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BY_PORTFOLIO = "by_portfolio"
MOST_OF_A_PAGE = 100
_THREADS = 32
_AHEAD = 8 * _THREADS
_SECONDS_BETWEEN_REPORTS = 3.0
# A later moment of the features wins, and of the same moment the later run; the same run again changes nothing.
_NEWER = "attribute_not_exists(#record) OR as_of < :as_of OR (as_of = :as_of AND scored < :scored)"
# What a client may send as a cursor: more than DynamoDB's longest keys, as base64, is none. The other is what
# ``attention`` writes.
_LONGEST_CURSOR, _LONGEST_KEY_BYTES = 16_384, 2_048
_ATTENTION = re.compile(r"[012]#[0-9a-f]{16}#[0-9]{7}")
_log = logging.getLogger("kept_answers")


@cache
def dynamodb() -> DynamoDBClient:
    """One client per process, made on first use; all threads share it."""
    config = Config(max_pool_connections=_THREADS, retries={"mode": "adaptive", "total_max_attempts": 10})
    return boto3.client("dynamodb", config=config)


@dataclass
class Written:
    """How many answers were written, and how many were not, because the table has a newer one or the same."""

    written: int = 0
    kept: int = 0


@dataclass(frozen=True)
class Page:
    """One page of a portfolio.

    Attributes:
        rows: in order of attention.
        cursor: gives the next page; None after the last one.
    """

    rows: list[Row]
    cursor: str | None


def write(rows: Iterable[Row], use_case: str, positive: str | None, *, retention_days: int) -> Written:
    """Keeps answers, unless the table has a newer one of the record.

    Args:
        rows: as ``answer_row`` makes them; read lazily.
        use_case: whose records they are.
        positive: the label that needs attention.
        retention_days: how long an answer is kept after ``scored_at``.
    """
    table, total, started = setting("ANSWER_TABLE"), Written(), time.monotonic()
    dynamodb()  # threads that make their first client at the same moment disturb each other in boto3's session
    reported, left = started, iter(rows)
    pending: set[Future[bool]] = set()
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            while True:
                for row in islice(left, _AHEAD - len(pending)):
                    item = _item(row, use_case, positive, retention_days)
                    pending.add(pool.submit(_put, table, item))
                if not pending:
                    break
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                new = sum(future.result() for future in done)
                total.written, total.kept = total.written + new, total.kept + len(done) - new
                if time.monotonic() - reported >= _SECONDS_BETWEEN_REPORTS:
                    reported = time.monotonic()
                    _log.info("%s after %.0f s", total, reported - started)
        except BaseException:
            pool.shutdown(cancel_futures=True)  # what failed for one would fail for the others
            raise
    _log.info("%s after %.0f s", total, time.monotonic() - started)
    return total


def read_answer(record_id: str, use_case: str) -> Row | None:
    """The kept answer of one record; None when there is none, or it has expired."""
    stored = _stored(record_id)
    asked = {"record": {"S": f"{use_case}#{stored}"}}
    item = dynamodb().get_item(TableName=setting("ANSWER_TABLE"), Key=asked).get("Item")
    if item is None or _is_expired(item):
        return None
    return _row(item) | {"record_id": record_id}


def read_page(portfolio: str, use_case: str, *, limit: int = 50, cursor: str | None = None) -> Page:
    """The answers of one portfolio in order of attention.

    Raises:
        UserError: ``malformed_cursor``, when it is none that a page of this portfolio gave; ``malformed_limit``.
    """
    if not 1 <= limit <= MOST_OF_A_PAGE:
        raise UserError(f"a page has 1 to {MOST_OF_A_PAGE} answers, not {limit}", code="malformed_limit")
    key = f"{use_case}#{portfolio}"
    begin: dict[str, Any] = {} if cursor is None else {"ExclusiveStartKey": _start_key(cursor, use_case, key)}
    found = dynamodb().query(
        TableName=setting("ANSWER_TABLE"),
        IndexName=BY_PORTFOLIO,
        KeyConditionExpression="#partition = :key",
        ExpressionAttributeNames={"#partition": "portfolio"},
        ExpressionAttributeValues={":key": {"S": key}},
        Limit=limit,
        **begin,
    )
    last = found.get("LastEvaluatedKey")
    return Page([_row(item) for item in found["Items"] if not _is_expired(item)], _cursor(last) if last else None)


def _item(row: Row, use_case: str, positive: str | None, retention_days: int) -> dict[str, Any]:
    expires = datetime.fromisoformat(row["scored_at"]) + timedelta(days=retention_days)
    known = {name: value for name, value in row.items() if value is not None}
    return {
        "record": {"S": f"{use_case}#{row['record_id']}"},
        "portfolio": {"S": f"{use_case}#{row['portfolio_id']}"},
        "attention": {"S": attention(row, positive)},
        "as_of": {"S": row["as_of"]},
        "scored": {"S": f"{row['scored_at']}#{row['run']}"},
        "expires_at": {"N": str(int(expires.timestamp()))},
        "answer": {"S": json.dumps(known, ensure_ascii=False, separators=(",", ":"), allow_nan=False)},
    }


def _put(table: str, item: dict[str, Any]) -> bool:
    """Whether the item was written."""
    try:
        dynamodb().put_item(
            TableName=table,
            Item=item,
            ConditionExpression=_NEWER,
            ExpressionAttributeNames={"#record": "record"},
            ExpressionAttributeValues={":as_of": item["as_of"], ":scored": item["scored"]},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def _row(item: Mapping[str, Any]) -> Row:
    row: Row = json.loads(item["answer"]["S"])
    return row


def _is_expired(item: Mapping[str, Any]) -> bool:
    """DynamoDB deletes what has expired within a few days, and answers it until then."""
    return int(item["expires_at"]["N"]) <= time.time()


def _stored(record_id: str) -> str:
    key = read_key()
    return record_id if key is None else pseudonym(key, record_id)


def _cursor(key: Mapping[str, Any]) -> str:
    texts = [key[name]["S"] for name in ("portfolio", "attention", "record")]
    return base64.urlsafe_b64encode(json.dumps(texts).encode()).decode()


def _start_key(cursor: str, use_case: str, portfolio: str) -> dict[str, Any]:
    """What DynamoDB continues after. A client sends the cursor, so it may hold anything."""
    match _read_cursor(cursor):
        case [str(of), str(order), str(record)] if of == portfolio and record.startswith(f"{use_case}#"):
            if _ATTENTION.fullmatch(order) and len(record.encode()) <= _LONGEST_KEY_BYTES:
                return {"portfolio": {"S": of}, "attention": {"S": order}, "record": {"S": record}}
    raise UserError("the cursor is not one of this list: begin with the first page", code="malformed_cursor")


def _read_cursor(cursor: str) -> object:
    """The JSON in a cursor; None where there is none, or where it has halves of characters, which no key has."""
    if len(cursor) > _LONGEST_CURSOR:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):  # no base64, no JSON, such a half, or lists in lists
        return None
    return found
