"""The table of kept answers, on moto's DynamoDB."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tenant_experience.aws import kept_answers
from tenant_experience.errors import UserError
from tests.support.kept_answers import row_of
from tests.support.template import properties_of

NOW = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(autouse=True)
def _table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ANSWER_TABLE", "answers")
    declared = properties_of("AnswerTable")
    with mock_aws():
        names = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        boto3.client("dynamodb").create_table(TableName="answers", **{name: declared[name] for name in names})
        kept_answers.dynamodb.cache_clear()
        yield
        kept_answers.dynamodb.cache_clear()


def keep(*rows: dict[str, Any]) -> tuple[int, int]:
    found = kept_answers.write(rows, "homes", "bad", retention_days=400)
    return found.written, found.kept


def answer(record: str, probability: float | None = 0.5, **changes: Any) -> dict[str, Any]:
    return row_of(record, probability, scored_at=NOW, **changes)


def test_an_answer_is_read_as_it_was_written_and_the_same_run_again_changes_nothing() -> None:
    row = answer("T1")
    assert keep(row) == (1, 0)
    assert keep(row) == (0, 1)
    assert kept_answers.read_answer("T1", "homes") == {name: each for name, each in row.items() if each is not None}
    assert kept_answers.read_answer("T1", "flats") is None
    assert kept_answers.read_answer("T2", "homes") is None


@pytest.mark.parametrize(
    ("changes", "replaces"),
    [
        ({"as_of": "2026-11-02T00:00:00Z", "run": "a"}, True),
        ({"as_of": "2026-10-31T00:00:00Z", "run": "z"}, False),
        ({"run": "z"}, True),
        ({"run": "a"}, False),
    ],
)
def test_later_features_win_and_of_the_same_features_the_later_run(changes: dict[str, str], *, replaces: bool) -> None:
    keep(answer("T1", 0.1, run="m"))
    assert keep(answer("T1", 0.9, **changes)) == ((1, 0) if replaces else (0, 1))
    found = kept_answers.read_answer("T1", "homes")
    assert found is not None
    assert found["probability"] == (0.9 if replaces else 0.1)


def test_a_portfolio_is_read_in_pages_in_order_of_attention() -> None:
    shares = [0.3, 0.9, 0.1, 0.7, 0.5]
    keep(*(answer(f"T{place}", share, answer="good") for place, share in enumerate(shares)))
    keep(answer("other", 1.0, portfolio_id="Elm Court"), answer("bad", 0.2, answer="bad"), answer("new", None))
    seen, cursor = [], None
    while True:
        page = kept_answers.read_page("Tower 7", "homes", limit=2, cursor=cursor)
        seen += [row["record_id"] for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == ["bad", "T1", "T3", "T4", "T0", "T2", "new"]


def test_a_cursor_of_another_portfolio_and_a_wrong_limit_are_refused() -> None:
    keep(*(answer(f"T{place}") for place in range(3)))
    cursor = kept_answers.read_page("Tower 7", "homes", limit=1).cursor
    for wrong in (cursor, "nonsense", "W10=", "é"):
        with pytest.raises(UserError) as caught:
            kept_answers.read_page("Elm Court", "homes", cursor=wrong)
        assert caught.value.code == "malformed_cursor"
    for limit in (0, 101):
        with pytest.raises(UserError, match="1 to 100"):
            kept_answers.read_page("Tower 7", "homes", limit=limit)


KEY = ["homes#Tower 7", "0#0000000000000000#9999999", "homes#T1"]


@pytest.mark.parametrize(
    "held",
    [
        "5",
        "null",
        "{}",
        '"abc"',
        "[1, 2, 3]",
        json.dumps([*KEY, "more"]),
        json.dumps([KEY[0], 1, *KEY[1:]]),
        json.dumps([KEY[0], "", KEY[2]]),
        json.dumps([KEY[0], "anything", KEY[2]]),
        json.dumps([KEY[0], KEY[1], "flats#T1"]),
        json.dumps([KEY[0], KEY[1], ""]),
        json.dumps([KEY[0], KEY[1], "homes#" + "x" * 2_048]),
        json.dumps([KEY[0], KEY[1], "homes#\ud800"]),
        "[" * 12_000,
        "[" * 100_000,
        "\ufeff[]",
    ],
)
def test_whatever_a_client_sends_as_a_cursor_is_refused_in_words(held: str) -> None:
    with pytest.raises(UserError) as caught:
        kept_answers.read_page("Tower 7", "homes", cursor=base64.urlsafe_b64encode(held.encode()).decode())
    assert caught.value.code == "malformed_cursor"


def test_a_cursor_continues_after_the_record_that_it_names() -> None:
    keep(answer("T1"), answer("T2"))
    cursor = base64.urlsafe_b64encode(json.dumps(KEY).encode()).decode()
    assert [row["record_id"] for row in kept_answers.read_page("Tower 7", "homes", cursor=cursor).rows] == ["T1", "T2"]


def test_the_client_is_made_before_threads_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made, client = [], boto3.client

    def noted(*words: Any, **options: Any) -> Any:
        made.append(threading.current_thread())
        return client(*words, **options)

    monkeypatch.setattr(boto3, "client", noted)
    keep(*(answer(f"T{place}") for place in range(40)))
    assert made == [threading.main_thread()]


def test_what_has_expired_is_not_read_though_the_table_still_has_it() -> None:
    keep(row_of("old", 0.5, scored_at="2020-01-01T00:00:00Z"))
    assert kept_answers.read_answer("old", "homes") is None
    assert kept_answers.read_page("Tower 7", "homes").rows == []


def test_many_answers_are_written_by_many_threads() -> None:
    assert keep(*(answer(f"T{place}") for place in range(400))) == (400, 0)


def test_an_error_of_the_table_ends_the_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWER_TABLE", "nothing")
    with pytest.raises(Exception, match="ResourceNotFoundException"):
        keep(*(answer(f"T{place}") for place in range(5)))
