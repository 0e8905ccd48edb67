"""The messages of the queue: some rows of one file each, and how many fit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tenant_experience.data_layout import GLOBAL_PARTITION, partition_slug

ROWS = 50
# SQS takes ten messages and 256 KiB in one call; a message is far smaller, so that one call takes ten.
_MESSAGE_BYTES = 24_000
_CALL_BYTES = 250_000
_CALL_MESSAGES = 10
# A row that is larger goes into no message.
LARGEST_ROW = 200_000


@dataclass(frozen=True)
class QueueRow:
    """One row of a file.

    Attributes:
        row: its number in the file, from 1.
        id: of the record, or its pseudonym; None where the row could not be read.
        partition: the name of its partition; None where the file does not say it.
        features: what is known, by name; None in a file of ids alone.
        truth: what really happened, where the file says it: a class, or a number.
        failure: why the row cannot be scored; empty where it can.
        line: the line of the file it begins in, where it cannot be scored.
    """

    row: int
    id: str | None = None
    partition: str | None = None
    features: Mapping[str, float | str] | None = None
    truth: str | float | None = None
    failure: str = ""
    line: int | None = None

    @property
    def partition_slug(self) -> str:
        """The partition whose model answers."""
        return partition_slug(self.partition or GLOBAL_PARTITION)

    def instance(self, partition_column: str) -> dict[str, Any]:
        """The row as the model reads it; its partition too, because a pooled model has a level for it.

        It does not name the record: answers come in the order of the rows.
        """
        return {"features": {partition_column: self.partition} | dict(self.features or {})}

    def document(self) -> dict[str, Any]:
        """As it is in a message: what is not known is left out."""
        known = {
            "row": self.row,
            "id": self.id,
            "partition": self.partition,
            "features": self.features,
            "truth": self.truth,
            "failure": self.failure or None,
            "line": self.line,
        }
        return {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True)
class RowMessage:
    """Some rows of one file.

    Attributes:
        use_case: the use case.
        file: the name that the file's items are kept under.
        expires_at: when they may be removed, in Unix seconds.
        rows: at least one.
    """

    use_case: str
    file: str
    expires_at: int
    rows: Sequence[QueueRow]

    @classmethod
    def read(cls, body: str) -> RowMessage:
        """Read the body of a message."""
        document = json.loads(body)
        rows = [QueueRow(**row) for row in document["rows"]]
        return cls(document["use_case"], document["file"], document["expires_at"], rows)


def bodies(use_case: str, file: str, expires_at: int, rows: Iterable[QueueRow]) -> Iterator[tuple[str, int]]:
    """The bodies of the messages, each with the number of its rows; the same rows give the same bodies."""
    head = json.dumps({"use_case": use_case, "file": file, "expires_at": expires_at})[:-1]
    some: list[str] = []
    size = 0
    for row in rows:
        text = json.dumps(row.document(), ensure_ascii=False, separators=(",", ":"))
        length = len(text.encode())
        if length > LARGEST_ROW:
            reason = f"row_too_large: it has {length} bytes, and a row of the queue may have {LARGEST_ROW}"
            text = json.dumps(QueueRow(row.row, id=row.id, failure=reason).document(), ensure_ascii=False)
            length = len(text.encode())
        if some and (len(some) == ROWS or size + length > _MESSAGE_BYTES):
            yield f'{head}, "rows": [{",".join(some)}]}}', len(some)
            some, size = [], 0
        some.append(text)
        size += length + 1
    if some:
        yield f'{head}, "rows": [{",".join(some)}]}}', len(some)


def calls(messages: Iterable[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
    """The messages as they fit into calls of SendMessageBatch."""
    some: list[tuple[str, int]] = []
    size = 0
    for body, rows in messages:
        length = len(body.encode())
        if some and (len(some) == _CALL_MESSAGES or size + length > _CALL_BYTES):
            yield some
            some, size = [], 0
        some.append((body, rows))
        size += length
    if some:
        yield some
