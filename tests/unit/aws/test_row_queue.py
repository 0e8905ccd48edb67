"""Messages that SQS did not take are sent again, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from tenant_experience.aws import row_queue
from tenant_experience.errors import PlatformError


class Queue:
    """A queue that refuses some entries of its first calls."""

    def __init__(self, *refused: set[str]) -> None:
        self.refused = list(refused)
        self.taken: list[str] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl == "https://queue"
        refused = self.refused.pop(0) if self.refused else set()
        self.taken += [entry["MessageBody"] for entry in Entries if entry["Id"] not in refused]
        return {"Failed": [{"Id": each, "Code": "InternalError"} for each in refused]} if refused else {}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROW_QUEUE", "https://queue")
    monkeypatch.setattr(row_queue.time, "sleep", lambda _seconds: None)


def test_only_what_was_refused_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue({"1", "3"}, {"3"})
    monkeypatch.setattr(row_queue, "sqs", lambda: queue)
    row_queue.send(["a", "b", "c", "d"])
    assert queue.taken == ["a", "c", "b", "d"]


def test_a_queue_that_takes_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(*[{"0"}] * 20)
    monkeypatch.setattr(row_queue, "sqs", lambda: queue)
    with pytest.raises(PlatformError, match="did not take 1 of 2 messages"):
        row_queue.send(["a", "b"])
