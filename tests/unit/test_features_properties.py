"""What must not move the features as of a moment: the order of rows, copies of them, and all that came later."""

import json
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.test_features import AS_OF, COLUMNS, ago, build

moments = st.one_of(
    st.sampled_from([ago(365), ago(180), ago(90), ago(0, microseconds=1)]),
    st.floats(min_value=1e-6, max_value=420).map(ago),
)
waits = st.one_of(
    st.none(), st.sampled_from([timedelta(0), timedelta(microseconds=1)]), st.timedeltas(timedelta(0), timedelta(60))
)
later = st.timedeltas(timedelta(0), timedelta(400)).map(lambda wait: AS_OF + wait)


@st.composite
def events(draw: st.DrawFn) -> dict:
    opened = draw(moments)
    waited = {name: draw(waits) for name in ("first_response_at", "resolved_at", "recorded_at")}
    times = {name: None if wait is None else opened + wait for name, wait in waited.items()}
    return (
        dict.fromkeys(COLUMNS)
        | times
        | {
            "event_id": f"E{draw(st.integers(0, 15))}",
            "tenant_id": f"T{draw(st.integers(0, 3))}",
            "portfolio_id": draw(st.sampled_from("ab")),
            "channel": draw(st.sampled_from(["ticket", "maintenance_request", "work_order", "call"])),
            "direction": draw(st.sampled_from(["inbound", "outbound"])),
            "opened_at": opened,
            "answered": draw(st.sampled_from([True, False, None])),
            "escalated": draw(st.booleans()),
            "sentiment": draw(st.sampled_from(["positive", "negative", None])),
        }
    )


def features(rows: list[dict]) -> str:
    """Every bit of every feature; something long ago keeps the log from being empty."""
    known = dict.fromkeys(COLUMNS) | {"event_id": "K", "tenant_id": "T0", "portfolio_id": "a", "channel": "message"}
    found = build([known | {"opened_at": ago(1), "direction": "inbound"}, *rows])
    return json.dumps(found, sort_keys=True, default=str)


quick = settings(max_examples=25, deadline=None, database=None, derandomize=True)
logs = st.lists(events(), min_size=1, max_size=25)


@quick
@given(logs, st.randoms(use_true_random=False))
def test_the_order_of_rows_moves_nothing(rows: list[dict], rng):
    shuffled = list(rows)
    rng.shuffle(shuffled)
    assert features(shuffled) == features(rows)


@quick
@given(logs, st.data())
def test_copies_of_rows_move_nothing(rows: list[dict], data: st.DataObject):
    copies = data.draw(st.lists(st.sampled_from(rows), max_size=10))
    assert features([*rows, *copies]) == features(rows)


@quick
@given(logs, st.lists(st.tuples(events(), later), min_size=1, max_size=10))
def test_events_opened_later_move_nothing(rows: list[dict], more: list):
    times = dict.fromkeys(("first_response_at", "resolved_at", "recorded_at"))
    new = [row | times | {"event_id": f"L{place}", "opened_at": opened} for place, (row, opened) in enumerate(more)]
    assert features([*rows, *new]) == features(rows)


@quick
@given(logs, st.data())
def test_rows_recorded_later_move_nothing(rows: list[dict], data: st.DataObject):
    updates = data.draw(st.lists(st.tuples(st.sampled_from(rows), events(), later), min_size=1, max_size=10))
    new = [changed | {"event_id": row["event_id"], "recorded_at": recorded} for row, changed, recorded in updates]
    assert features([*rows, *new]) == features(rows)


@quick
@given(logs, later, later)
def test_responses_and_resolutions_that_come_later_move_nothing(rows: list[dict], responded, resolved):
    since = [
        row
        | ({"first_response_at": responded} if row["first_response_at"] is None else {})
        | ({"resolved_at": resolved} if row["resolved_at"] is None else {})
        for row in {row["event_id"]: row for row in rows}.values()
    ]
    before = list({row["event_id"]: row for row in rows}.values())
    assert features(since) == features(before)
