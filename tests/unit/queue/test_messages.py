"""How rows are put into messages, and messages into calls."""

from __future__ import annotations

import json

from tenant_experience.queue.message import QueueRow, RowMessage, bodies, calls

FILE = "telecom_churn/a.csv#v1"


def rows(count: int, text: str = "x") -> list[QueueRow]:
    return [QueueRow(number, id=f"C{number}", features={"state": text}) for number in range(1, count + 1)]


def test_a_message_has_fifty_rows_and_its_number_says_so() -> None:
    made = list(bodies("telecom_churn", FILE, 7, rows(120)))
    assert [count for _, count in made] == [50, 50, 20]
    read = [RowMessage.read(body) for body, _ in made]
    assert [row for message in read for row in message.rows] == rows(120)
    assert {(message.use_case, message.file, message.expires_at) for message in read} == {("telecom_churn", FILE, 7)}


def test_the_same_rows_give_the_same_messages() -> None:
    assert list(bodies("u", FILE, 7, rows(120))) == list(bodies("u", FILE, 7, iter(rows(120))))


def test_wide_rows_make_messages_of_fewer_rows_and_a_call_is_never_too_large() -> None:
    made = list(bodies("u", FILE, 7, rows(300, "é" * 1_500)))
    assert max(len(body.encode()) for body, _ in made) < 25_000
    grouped = list(calls(made))
    assert [each for some in grouped for each in some] == made
    assert max(len(some) for some in grouped) == 10
    assert max(sum(len(body.encode()) for body, _ in some) for some in grouped) < 262_144


def test_large_messages_make_smaller_calls() -> None:
    grouped = list(calls(bodies("u", FILE, 7, rows(5, "y" * 150_000))))
    assert [len(some) for some in grouped] == [1] * 5


def test_a_row_that_fits_into_no_message_fails_by_its_size() -> None:
    ((body, count),) = bodies("u", FILE, 7, [*rows(1, "z" * 250_000), QueueRow(2, failure="ragged_row")])
    message = RowMessage.read(body)
    assert (count, len(message.rows)) == (2, 2)
    assert message.rows[0].failure.startswith("row_too_large: it has 250")
    assert message.rows[0].features is None


def test_what_is_not_known_is_not_sent() -> None:
    assert QueueRow(3, failure="ragged_row", line=4).document() == {"row": 3, "failure": "ragged_row", "line": 4}
    body = next(bodies("u", FILE, 7, [QueueRow(1, id="C 1", partition="Ä", features={}, truth=0.5)]))[0]
    assert json.loads(body)["rows"] == [{"row": 1, "id": "C 1", "partition": "Ä", "features": {}, "truth": 0.5}]


def test_a_row_without_a_partition_is_of_the_global_one() -> None:
    assert QueueRow(1).partition_slug == "all"
    assert QueueRow(1, partition="Dim 1").partition_slug.startswith("dim-1-")
    assert QueueRow(1, id="C", partition="D", features={"a": 1.0}).instance("dim") == {
        "features": {"dim": "D", "a": 1.0}
    }
