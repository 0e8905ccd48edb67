"""Rows are kept once and counted exactly, on moto's DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tenant_experience.aws import inference_table as table
from tenant_experience.queue.progress import FileProgress, State

FILE = "telecom_churn/a.csv#v1"


@pytest.fixture(autouse=True)
def _table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("INFERENCE_TABLE", "inference")
    monkeypatch.setattr(table.time, "sleep", lambda _seconds: None)
    with mock_aws():
        boto3.client("dynamodb").create_table(
            TableName="inference",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "file", "AttributeType": "S"},
                {"AttributeName": "row", "AttributeType": "N"},
            ],
            KeySchema=[{"AttributeName": "file", "KeyType": "HASH"}, {"AttributeName": "row", "KeyType": "RANGE"}],
        )
        table.dynamodb.cache_clear()
        table.begin(FILE, "telecom_churn", "2026-11-01T00:00:00Z", 9)
        yield
        table.dynamodb.cache_clear()


def items(first: int, last: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {"row": n, "status": "failed" if n % 5 == 0 else "scored", "id": f"C{n}"} | more for n in range(first, last)
    ]


def progress() -> FileProgress:
    found = table.read_progress(FILE)
    assert found is not None
    return found


def test_beginning_again_changes_nothing() -> None:
    table.note_sent(FILE, 7)
    again = table.begin(FILE, "telecom_churn", "2027-01-01T00:00:00Z", 10)
    assert (again.state, again.sent, again.created_at) == (State.SPLITTING, 7, "2026-11-01T00:00:00Z")
    assert (again.path, again.version) == ("a.csv", "v1")
    assert table.read_progress("telecom_churn/other.csv#v1") is None


def test_rows_are_counted_when_they_are_kept_and_never_twice() -> None:
    assert table.keep(FILE, items(1, 111, truth="stays")) == 110
    assert table.keep(FILE, items(1, 111)) == 0
    assert table.keep(FILE, items(101, 121)) == 10
    found = progress()
    assert (found.scored, found.failed, found.truths) == (96, 24, 88)
    rows = list(table.read_rows(FILE))
    assert [row["row"] for row in rows] == list(range(1, 121))
    assert rows[0] == {"file": FILE, "row": 1.0, "status": "scored", "id": "C1", "truth": "stays"}


def test_the_first_answer_stays() -> None:
    table.keep(FILE, [{"row": 1, "status": "scored", "probability": 0.1 + 0.2}])
    table.keep(FILE, [{"row": 1, "status": "failed", "reason": "later"}])
    assert next(table.read_rows(FILE))["probability"] == 0.1 + 0.2
    assert (progress().scored, progress().failed) == (1, 0)


def test_messages_with_other_boundaries_count_each_row_once() -> None:
    kept = [table.keep(FILE, items(first, last)) for first, last in ((1, 21), (11, 31), (1, 31), (5, 45))]
    assert (kept, progress().scored + progress().failed) == ([20, 10, 0, 14], 44)


def test_a_transaction_that_met_another_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    client, calls = table.dynamodb(), []
    write = client.transact_write_items

    def busy(**request: Any) -> Any:
        calls.append(len(request["TransactItems"]))
        if len(calls) < 4:
            code = "TransactionCanceledException"
            reasons = [[{"Code": "None"}, {"Code": "TransactionConflict"}], [], [{"Code": "ThrottlingError"}]]
            response: Any = {"Error": {"Code": code}, "CancellationReasons": reasons[len(calls) - 1]}
            raise ClientError(response, "TransactWriteItems")
        return write(**request)

    monkeypatch.setattr(client, "transact_write_items", busy)
    assert table.keep(FILE, items(1, 3)) == 2
    assert calls == [3] * 4


def test_what_is_wrong_with_a_transaction_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(**_request: Any) -> Any:
        response: Any = {
            "Error": {"Code": "TransactionCanceledException"},
            "CancellationReasons": [{"Code": "ValidationError"}, {"Code": "None"}],
        }
        raise ClientError(response, "TransactWriteItems")

    monkeypatch.setattr(table.dynamodb(), "transact_write_items", wrong)
    with pytest.raises(ClientError):
        table.keep(FILE, items(1, 2))


def test_one_caller_tells_that_the_last_row_is_kept() -> None:
    assert table.claim_completion(FILE, 100, 60) is None
    table.keep(FILE, items(1, 11))
    assert table.claim_completion(FILE, 100, 60) is None  # it is not known yet how many there are
    assert table.end_splitting(FILE, 10)
    assert not table.end_splitting(FILE, 10)
    claimed = table.claim_completion(FILE, 100, 60)
    assert claimed is not None
    assert claimed.counts == {
        "use_case": "telecom_churn",
        "file": "a.csv",
        "version_id": "v1",
        "rows": 10,
        "scored": 8,
        "failed": 2,
        "truths": 0,
        "completed_at": 100,
    }
    assert table.claim_completion(FILE, 120, 60) is None


def test_who_died_before_telling_is_followed_by_another_and_who_told_by_none() -> None:
    table.end_splitting(FILE, 0)
    assert table.claim_completion(FILE, 100, 60) is not None
    assert table.claim_completion(FILE, 159, 60) is None
    again = table.claim_completion(FILE, 161, 60)
    assert again is not None
    assert again.completed_at == 100
    table.note_told(FILE, 162)
    assert table.claim_completion(FILE, 1_000, 60) is None
    assert progress().is_over


def test_a_file_that_is_not_for_the_queue_says_why() -> None:
    assert table.end_without_rows(FILE, State.HANDED_OVER, "too many rows", "too_large")
    assert not table.end_without_rows(FILE, State.REFUSED, "other", "other")
    assert (progress().state, progress().reason) == (State.HANDED_OVER, "too many rows")
    assert not table.end_splitting(FILE, 10)
