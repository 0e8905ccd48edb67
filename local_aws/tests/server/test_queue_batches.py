"""When a queue's messages become a batch: enough of them, too many bytes, or the end of the window."""

from __future__ import annotations

from typing import Any

from local_aws.ministack_patches.lambda_.queue_batches import EVENT_BYTES, Batches


class Queue:
    """Messages, and a clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waiting: list[dict[str, Any]] = []
        self.batches = Batches(lambda: self.now)

    def send(self, count: int, body: str = "b") -> None:
        self.waiting += [{"body": body} for _ in range(count)]

    def receive(self, most: int) -> list[dict[str, Any]]:
        assert most <= 10
        given, self.waiting = self.waiting[:most], self.waiting[most:]
        return [{**message, "visible_at": self.now + 60} for message in given]

    def take(self, size: int = 10, window_s: float = 0) -> int:
        return len(self.batches.take("m", size=size, window_s=window_s, receive=self.receive))


def test_without_a_window_messages_are_passed_on_at_once() -> None:
    queue = Queue()
    assert queue.take() == 0
    queue.send(12)
    assert [queue.take(), queue.take(), queue.take()] == [10, 2, 0]


def test_a_window_begins_with_the_first_message_and_gathers_until_it_ends() -> None:
    queue = Queue()
    queue.send(2)
    assert queue.take(window_s=5) == 0
    queue.now += 4.9
    queue.send(1)
    assert queue.take(window_s=5) == 0
    queue.now += 0.1
    assert queue.take(window_s=5) == 3
    queue.send(1)
    assert queue.take(window_s=5) == 0


def test_a_full_batch_does_not_wait_for_its_window() -> None:
    queue = Queue()
    queue.send(250)
    assert [queue.take(100, 5), queue.take(100, 5), queue.take(100, 5)] == [100, 100, 0]
    queue.now += 5
    assert queue.take(100, 5) == 50


def test_a_batch_ends_before_its_event_is_too_large_and_the_rest_comes_next() -> None:
    queue = Queue()
    queue.send(10, "b" * (EVENT_BYTES // 4))
    taken = [queue.take() for _ in range(5)]
    assert sum(taken) == 10
    assert max(taken) == 3


def test_a_message_that_is_visible_again_leaves_the_batch() -> None:
    queue = Queue()
    queue.send(1)
    assert queue.take(window_s=300) == 0
    queue.now += 61
    assert queue.take(window_s=300) == 0
    queue.now += 300
    assert queue.take(window_s=300) == 0
