"""Labels from later events: equal to pandas at three cut-offs, exact at the ends of windows, and never a feature."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tenant_experience.errors import UserError
from tenant_experience.features import later_events
from tests.support.purchases import (
    CUT_OFFS,
    EVENTS,
    LABEL,
    LABELS,
    SETTINGS,
    SQL,
    WINDOW,
    examples,
    purchases,
    written,
)
from tests.support.written_use_case import AS_OF, Written

CUT_OFF = AS_OF - timedelta(days=WINDOW)
CLASSES = {**LABELS, "column": "buys_soon", "classes": ["silent", "buys"], "positive": "buys"}


def reference(rows: dict[str, list[Any]], as_of: datetime = AS_OF, every: int = WINDOW) -> pd.DataFrame:
    """Features and labels of each cut-off by pandas, from what is written down in docs/use_cases.md."""
    log = pd.DataFrame(rows)
    log["sold_at"] = pd.to_datetime(log["sold_at"], utc=True)
    log["price"] = log["price"].astype(float)
    found = []
    for number in range(CUT_OFFS):
        cut_off = pd.Timestamp(as_of) - pd.Timedelta(days=WINDOW + number * every)
        before, after = log[log.sold_at < cut_off], log[(log.sold_at >= cut_off) & (log.sold_at < as_of)]
        grouped = before.assign(paid=before.quantity * before.price, bought=before.quantity > 0).groupby("client")
        table = pd.DataFrame(
            {
                "purchases": grouped.bought.sum().astype(float),
                "spent": grouped.paid.sum(),
                "recency_days": (cut_off - grouped.sold_at.max()).dt.total_seconds() / 86_400,
                "known_days": (cut_off - grouped.sold_at.min()).dt.total_seconds() / 86_400,
            }
        )
        first = after[after.quantity > 0].groupby("client").sold_at.min().reindex(table.index)
        until = (first - cut_off).dt.total_seconds() / 86_400
        table["censored"] = until.isna()
        table[LABEL] = until.fillna((as_of - cut_off).days)
        table["soon"] = np.where(until < WINDOW, "buys", "silent")
        found.append(table.reset_index().assign(as_of=cut_off))
    return pd.concat(found).sort_values(["as_of", "client"]).reset_index(drop=True)


@pytest.mark.parametrize("every", [WINDOW, 37])
def test_features_and_labels_at_three_cut_offs_are_those_of_pandas(tmp_path: Path, every: int) -> None:
    rows = purchases(300).rows()
    found = pd.DataFrame(examples(written(tmp_path, rows, labels={**LABELS, "every": f"{every}d"})))
    expected = reference(rows, every=every)
    assert len(found) == len(expected) > 800
    assert found["client"].tolist() == expected["client"].tolist()
    assert pd.to_datetime(found["as_of"], utc=True).tolist() == expected["as_of"].tolist()
    assert found["censored"].tolist() == expected["censored"].tolist()
    for name in ("purchases", "spent", "recency_days", "known_days", LABEL):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, err_msg=name)
    assert 0.05 < expected["censored"].mean() < 0.5


def test_classes_at_three_cut_offs_are_those_of_pandas(tmp_path: Path) -> None:
    rows = purchases(300).rows()
    found = examples(written(tmp_path, rows, labels=CLASSES))
    assert [row["buys_soon"] for row in found] == reference(rows)["soon"].tolist()
    assert not any(row["censored"] for row in found)


def test_an_earlier_as_of_knows_nothing_of_what_came_after(tmp_path: Path) -> None:
    rows, earlier = purchases(100).rows(), AS_OF - timedelta(days=100)
    found = examples(written(tmp_path, rows), earlier)
    expected = reference(rows, earlier)
    assert [row["client"] for row in found] == expected["client"].tolist()
    assert [row["censored"] for row in found] == expected["censored"].tolist()
    np.testing.assert_allclose([row[LABEL] for row in found], expected[LABEL])


def at(moment: datetime, client: str = "c1", quantity: int = 1, **further: Any) -> dict[str, Any]:
    row = {"client": client, "branch": "north", "sold_at": f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}", "quantity": quantity}
    return row | {"price": "1"} | further


def columns(*rows: dict[str, Any]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


TICK = timedelta(microseconds=1)
BEFORE = at(CUT_OFF - timedelta(days=1))
ENDS: dict[str, tuple[list[dict[str, Any]], float, bool, str]] = {
    "at the very cut-off": ([BEFORE, at(CUT_OFF)], 0, False, "buys"),
    "just after it": ([BEFORE, at(CUT_OFF + TICK)], 1 / 86_400e6, False, "buys"),
    "just before the window ends": ([BEFORE, at(AS_OF - TICK)], WINDOW - 1 / 86_400e6, False, "buys"),
    "at the end of the window": ([BEFORE, at(AS_OF)], WINDOW, True, "silent"),
    "nothing": ([BEFORE], WINDOW, True, "silent"),
    "two at once": ([BEFORE, at(CUT_OFF + timedelta(days=7)), at(CUT_OFF + timedelta(days=7))], 7, False, "buys"),
    "the first of two": ([BEFORE, at(AS_OF - TICK), at(CUT_OFF + timedelta(days=3))], 3, False, "buys"),
    "a return is no purchase": ([BEFORE, at(CUT_OFF + timedelta(days=3), quantity=-1)], WINDOW, True, "silent"),
    "somebody else": ([BEFORE, at(CUT_OFF + timedelta(days=3), "c2")], WINDOW, True, "silent"),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_ends_of_the_window(tmp_path: Path, name: str) -> None:
    rows, days, censored, soon = ENDS[name]
    one = {**LABELS, "cut_offs": 1}
    (found,) = examples(written(tmp_path / "number", columns(*rows), labels=one))
    assert (found["client"], found[LABEL], found["censored"]) == ("c1", pytest.approx(days, rel=1e-12), censored)
    assert found["as_of"] == CUT_OFF.replace(tzinfo=None)
    (found,) = examples(written(tmp_path / "classes", columns(*rows), labels={**CLASSES, "cut_offs": 1}))
    assert found["buys_soon"] == soon


def test_a_purchase_after_the_window_is_used_for_days_and_not_for_classes(tmp_path: Path) -> None:
    earlier = CUT_OFF - timedelta(days=WINDOW)
    rows = columns(at(earlier - TICK), at(earlier + timedelta(days=WINDOW)))
    two = {**LABELS, "cut_offs": 2}
    first, second = examples(written(tmp_path / "number", rows, labels=two))
    assert (first[LABEL], first["censored"]) == (WINDOW, False)
    assert (second[LABEL], second["censored"]) == (0, False)
    found = examples(written(tmp_path / "classes", rows, labels={**CLASSES, "cut_offs": 2}))
    assert [row["buys_soon"] for row in found] == ["silent", "buys"]


def test_who_is_first_seen_at_or_after_a_cut_off_is_no_example_of_it(tmp_path: Path) -> None:
    rows = columns(at(CUT_OFF - TICK, "old"), at(CUT_OFF, "new"), at(AS_OF - TICK, "newer"))
    assert [row["client"] for row in examples(written(tmp_path, rows, labels={**LABELS, "cut_offs": 1}))] == ["old"]


def test_without_where_every_event_counts(tmp_path: Path) -> None:
    labels = {name: value for name, value in LABELS.items() if name != "where"} | {"cut_offs": 1}
    (found,) = examples(written(tmp_path, columns(BEFORE, at(AS_OF - TICK, quantity=-1)), labels=labels))
    assert not found["censored"]


LEAKS = {
    "a count of all events": ("purchases", SQL.replace("WHERE sold_at < $as_of", "")),
    "the label itself": (
        "recency_days",
        SQL.replace("WHERE sold_at < $as_of", "").replace(
            "date_diff('second', max(sold_at), $as_of) / 86400.0 AS recency_days",
            "date_diff('second', $as_of, min(CASE WHEN sold_at >= $as_of AND quantity > 0 THEN sold_at END)) / 86400.0 "
            "AS recency_days",
        ),
    ),
    "whether there is a later one": (
        "known_days",
        SQL.replace("WHERE sold_at < $as_of", "").replace(
            "date_diff('second', min(sold_at), $as_of) / 86400.0", "CASE WHEN max(sold_at) > $as_of THEN 1 ELSE 0 END"
        ),
    ),
    "a later month": ("purchases", SQL.replace("sold_at < $as_of", "sold_at < $as_of + INTERVAL 30 DAY")),
    "who is seen at all": (
        "client",
        "CREATE VIEW everyone AS SELECT DISTINCT client FROM events; SELECT client, count(sold_at) AS purchases, "
        "0 AS spent, 0 AS recency_days, 0 AS known_days FROM everyone LEFT JOIN "
        "(SELECT client, sold_at FROM events WHERE sold_at < $as_of) USING (client) GROUP BY client",
    ),
    "how many are paid by now": (
        "spent",
        SQL.replace("sum(quantity * price)", "count(paid_at)"),
    ),
}


def log_with_payments() -> dict[str, list[Any]]:
    rows = purchases(120).rows()
    paid = [datetime.fromisoformat(each) + timedelta(days=20) for each in rows["sold_at"]]
    return rows | {"paid_at": [f"{each:%Y-%m-%dT%H:%M:%SZ}" if each < AS_OF else None for each in paid]}


@pytest.mark.parametrize("name", LEAKS)
def test_a_feature_that_reads_the_future_is_refused(tmp_path: Path, name: str) -> None:
    column, sql = LEAKS[name]
    with pytest.raises(UserError) as refusal:
        examples(written(tmp_path, log_with_payments(), sql))
    assert refusal.value.code == "reads_the_future"
    for words in ("features.sql", f"'{column}'", " records ", 'WHERE "sold_at" < $as_of'):
        assert words in refusal.value.message
    assert 'CASE WHEN "paid_at" < $as_of' in refusal.value.message


def test_nothing_honest_is_refused(tmp_path: Path) -> None:
    sql = SQL.replace("sum(quantity * price)", "count(CASE WHEN paid_at < $as_of THEN 1 END)")
    assert examples(written(tmp_path, log_with_payments(), sql))


WRONG_CONDITIONS = {
    "amount > 0": "'amount' is not a column of events",
    "quantity": "must be true or false",
    "count(*) > 1": "cannot be asked of an event",
    "sum(quantity) > 1": "cannot be asked of an event",
    "quantity > (SELECT 1)": "a subquery",
    "sold_at > now()": "now",
    "quantity > $as_of": "a parameter",
    "quantity > 0; SELECT 1": "not a SQL expression",
    "rank() OVER () = 1": "a window function",
    "quantity >": "not a SQL expression",
    "NOT " * 499 + "true": "nested too deeply",
    "read_text('file') = ''": "cannot be asked of an event",
    "random() > 0.5": "ask only what the event itself says",
}


@pytest.mark.parametrize("condition", WRONG_CONDITIONS)
def test_a_condition_must_be_about_one_event(tmp_path: Path, condition: str) -> None:
    with pytest.raises(UserError) as refusal:
        examples(written(tmp_path, columns(BEFORE), labels={**LABELS, "where": condition}))
    assert refusal.value.code == "invalid_use_case"
    assert re.match(r"use_case\.yaml: line \d+: key 'labels\.where': ", refusal.value.message)
    assert WRONG_CONDITIONS[condition] in refusal.value.message


def test_a_condition_that_fails_at_a_value_is_named_and_the_value_is_not(tmp_path: Path) -> None:
    labels = {**LABELS, "where": "CAST(client AS INTEGER) > 0"}
    with pytest.raises(UserError) as refusal:
        examples(written(tmp_path, columns(BEFORE), labels=labels))
    assert refusal.value.code == "invalid_use_case"
    assert refusal.value.message == (
        "use_case.yaml: key 'labels.where' fails at a value of an event (Conversion Error): use TRY_CAST where a text "
        "may not be what it should be"
    )


@pytest.mark.parametrize(
    "condition", ["quantity > 0 -- sold", "price IS NOT NULL AND hour(sold_at) < 24", "true", "quantity < 0) OR (1 = 1"]
)
def test_any_condition_about_one_event_will_do(tmp_path: Path, condition: str) -> None:
    rows = columns(BEFORE, at(CUT_OFF + timedelta(days=3)))
    (found,) = examples(written(tmp_path, rows, labels={**LABELS, "where": condition, "cut_offs": 1}))
    assert found[LABEL] == pytest.approx(3)


@pytest.mark.parametrize("leaks", [False, True])
def test_of_a_large_log_some_records_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaks: bool) -> None:
    monkeypatch.setattr(later_events, "MOST_EVENTS_COMPARED", 400)
    made = written(tmp_path, purchases(200).rows(), LEAKS["a later month"][1] if leaks else SQL)
    if not leaks:
        assert len(examples(made)) > 500
        return
    with pytest.raises(UserError) as refusal:
        examples(made)
    found = re.search(r"of (\d+) of (\d+) records", refusal.value.message)
    assert found
    assert 0 < int(found[1]) <= int(found[2]) < 60


def test_of_an_event_the_last_word_before_as_of_counts(tmp_path: Path) -> None:
    """A purchase that was cancelled later is none, and one that was cancelled after as_of is one."""
    bought = {"event_id": "E1", "recorded_at": "2026-09-20T00:00:00Z"}
    cancelled = bought | {"recorded_at": "2026-10-20T00:00:00Z"}
    rows = [
        BEFORE | {"event_id": "E0", "recorded_at": "2026-01-01T00:00:00Z"},
        at(CUT_OFF + timedelta(days=5)) | bought,
        at(CUT_OFF + timedelta(days=5), quantity=-1) | cancelled,
    ]
    one = {**LABELS, "cut_offs": 1}
    (found,) = examples(written(tmp_path / "now", columns(*rows), labels=one))
    assert found["censored"]
    (found,) = examples(written(tmp_path / "then", columns(*rows), labels={**one, "window": "45d"}), AS_OF - LATER)
    assert (found["censored"], found[LABEL]) == (False, pytest.approx(5))


LATER = timedelta(days=15)


def activity_log(base: Path, **changes: Any) -> Written:
    """Cases with two activities: opened, and solved ten days later."""
    columns = {"event_id": "case_id", "recorded_at": "happened", "client": "client", "branch": "branch"}
    columns |= {"sold_at": "happened", "quantity": "1", "paid_at": "CASE WHEN activity = 'solved' THEN happened END"}
    events = {"time": "sold_at", "columns": {"quantity": {"type": "integer"}, "paid_at": EVENTS["columns"]["paid_at"]}}
    sql = (
        "SELECT client, max(branch) AS branch, count(*) AS purchases, count(paid_at) AS spent, "
        "date_diff('day', max(sold_at), $as_of) AS recency_days, 0 AS known_days FROM events GROUP BY client"
    )
    cases = [(client, number) for client in range(40) for number in range(6)]
    lines = [
        (f"{client}-{number}", f"c{client}", what, AS_OF - timedelta(days=40 * number + client % 37 + 1 - late))
        for client, number in cases
        for what, late in (("opened", 0), ("solved", 10))
    ]
    rows: dict[str, list[Any]] = {
        "case_id": [line[0] for line in lines],
        "client": [line[1] for line in lines],
        "branch": ["north"] * len(lines),
        "activity": [line[2] for line in lines],
        "happened": [f"{line[3]:%Y-%m-%dT%H:%M:%SZ}" for line in lines],
    }
    settings = {**SETTINGS, "events": events, "labels": {**LABELS, "window": "45d"}, **changes}
    return Written(base, settings, {"kind": "activities", "columns": columns}, rows, sql)


def test_cases_are_seen_as_they_were_known_at_each_cut_off(tmp_path: Path) -> None:
    """The features of an example are those that a release of that day had, although features.sql names no time."""
    made = activity_log(tmp_path / "log")
    found = examples(made)
    log = pd.DataFrame(made.rows)
    log["happened"] = pd.to_datetime(log["happened"], utc=True)
    opened = log[log.activity == "opened"].set_index("case_id").happened
    solved = log[log.activity == "solved"].set_index("case_id").happened
    client = log.groupby("case_id").client.first()
    assert len(found) == 3 * 40
    for row in found:
        cut_off, own = pd.Timestamp(row["as_of"], tz="UTC"), client[client == row["client"]].index
        assert row["purchases"] == (opened[own] < cut_off).sum()
        assert row["spent"] == (solved[own] < cut_off).sum()
        later = opened[own][(opened[own] >= cut_off) & (opened[own] < pd.Timestamp(AS_OF))]
        assert row["censored"] == later.empty
        if not later.empty:
            assert row[LABEL] == pytest.approx((later.min() - cut_off).total_seconds() / 86_400)
    assert sum(row["spent"] < row["purchases"] for row in found) > 0


def test_a_row_that_was_recorded_later_is_not_known_and_the_message_says_what_to_write(tmp_path: Path) -> None:
    bought = BEFORE | {"event_id": "E1", "recorded_at": "2026-08-31T00:00:00Z"}
    corrected = bought | {"recorded_at": "2026-10-20T00:00:00Z", "quantity": -1}
    rows, one = columns(bought, corrected), {**LABELS, "cut_offs": 1}
    with pytest.raises(UserError, match=r"coalesce\(recorded_at < \$as_of, true\)") as refusal:
        examples(written(tmp_path / "all", rows, labels=one))
    assert refusal.value.code == "reads_the_future"
    known = SQL.replace("sold_at < $as_of", "sold_at < $as_of AND coalesce(recorded_at < $as_of, true)")
    (found,) = examples(written(tmp_path / "known", rows, known, labels=one))
    assert found["purchases"] == 1
