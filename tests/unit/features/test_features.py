"""Every rule of the design's table of features, by name; then all of them at once against plain Python."""

import json
import random
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from tenant_experience.errors import UserError
from tenant_experience.features.sql import check_freshness
from tenant_experience.intake.engine import DuckDbEngine
from tests.support.plain_features import plain_features
from tests.support.raw_reading import USE_CASE
from tests.support.tenant_features import AS_OF, ago, build, event, one


def test_window_includes_its_first_moment_and_excludes_as_of():
    row = one(event(ago(365)), event(ago(365, microseconds=1)), event(AS_OF), event(ago(0, microseconds=1)))
    assert row["total_tickets"] == pytest.approx(2)


def test_exposure_runs_from_the_first_event_ever_seen():
    assert one(days_of_history=200)["exposure_days"] == pytest.approx(200)


def test_the_event_that_exposure_begins_with_is_not_counted_nor_others_at_that_moment():
    begin = {"escalated": True, "direction": "outbound"}
    first = [event(ago(182.5), channel, **begin) for channel in ("ticket", "maintenance_request", "work_order", "call")]
    fresh = event(ago(1), tenant_id="T9")
    row = build([*first, event(ago(182.5, microseconds=-1), **begin), event(ago(9), "work_order"), fresh])["T1"]
    assert row["exposure_days"] == pytest.approx(182.5)
    counted = ("total_tickets", "total_maintenance_tickets", "work_order_count", "outbound_call_count")
    assert [row[name] for name in counted] == pytest.approx([2, 0, 2, 0])
    assert row["escalation_count"] == pytest.approx(2)


def test_the_first_event_has_hours_a_tone_and_an_answer_and_may_be_open():
    answered = event(ago(200), "call", direction="inbound", answered=True)
    tickets = [event(ago(200), first_response_at=ago(199), sentiment="negative"), event(ago(9), sentiment="positive")]
    row = build([answered, *tickets, event(ago(1), tenant_id="T9")])["T1"]
    assert (row["answer_rate"], row["negative_rate"], row["positive_rate"]) == (1, 0.5, 0.5)
    assert (row["mean_first_response_hr"], row["open_count"], row["oldest_open_hr"]) == (24, 2, 200 * 24)


@pytest.mark.parametrize(
    ("first", "moved_in", "tickets"),
    [(ago(400), None, 2), (ago(365, microseconds=1), None, 2), (ago(365), None, 1), (ago(365), ago(365), 2)],
)
def test_what_exposure_does_not_begin_with_is_counted(first: datetime, moved_in: datetime | None, tickets: int):
    rows = [event(first), event(ago(365)), event(ago(1))] if first < ago(365) else [event(first), event(ago(1))]
    row = build([each | {"tenancy_start_at": moved_in} for each in rows])["T1"]
    assert (row["exposure_days"], row["total_tickets"]) == (pytest.approx(365), pytest.approx(tickets))


def test_a_known_move_in_begins_exposure_and_every_event_since_counts():
    row = build([event(ago(182.5), tenancy_start_at=ago(182.5)), event(ago(1))])["T1"]
    assert (row["exposure_days"], row["total_tickets"]) == (pytest.approx(182.5), pytest.approx(4))


def test_exposure_is_at_most_the_window():
    assert one(days_of_history=800)["exposure_days"] == pytest.approx(365)


def test_exposure_runs_from_the_start_to_the_end_of_the_tenancy():
    row = one(event(ago(250), tenancy_start_at=ago(300), tenancy_end_at=ago(100)))
    assert row["exposure_days"] == pytest.approx(200)


def test_a_tenancy_that_ends_after_as_of_has_not_ended():
    assert one(event(ago(9), tenancy_end_at=ago(-30)), days_of_history=200)["exposure_days"] == pytest.approx(200)


def test_counts_are_annualised_by_exposure():
    row = one(event(ago(10), "work_order"), event(ago(20), "work_order"), days_of_history=182.5)
    assert row["work_order_count"] == pytest.approx(4)


@pytest.mark.parametrize(
    ("days", "history", "may_train"),
    [
        (89.999, "insufficient", False),
        (90, "provisional", False),
        (179.999, "provisional", False),
        (180, "sufficient", True),
    ],
)
def test_history_classes(days: float, history: str, may_train: bool):
    row = one(event(ago(1)), days_of_history=days)
    assert (row["history"], row["may_train"]) == (history, may_train)
    counts = [row[n] for n in ("work_order_count", "escalation_count", "total_maintenance_tickets", "total_tickets")]
    assert all((count is None) == (history == "insufficient") for count in (*counts, row["outbound_call_count"]))


def test_none_of_a_kind_is_zero_for_a_count_and_null_for_a_mean_or_rate():
    row = one()
    for name in ("work_order_count", "escalation_count", "total_maintenance_tickets", "outbound_call_count"):
        assert row[name] == 0
    for name in ("mean_first_response_hr", "mean_full_resolution_hr", "answer_rate", "positive_rate", "negative_rate"):
        assert row[name] is None


def test_late_responses_and_resolutions_have_not_happened():
    row = one(event(ago(2), first_response_at=AS_OF, resolved_at=ago(-1)))
    assert (row["mean_first_response_hr"], row["mean_full_resolution_hr"], row["open_count"]) == (None, None, 1)


def test_a_resolution_at_as_of_itself_has_not_happened():
    row = one(event(ago(2), first_response_at=AS_OF, resolved_at=AS_OF))
    assert (row["mean_first_response_hr"], row["mean_full_resolution_hr"], row["open_count"]) == (None, None, 1)


def test_still_open_is_not_in_the_means_but_counted_with_its_age():
    row = one(event(ago(3)), event(ago(2)), event(ago(9), resolved_at=ago(8)))
    assert (row["open_count"], row["oldest_open_hr"], row["mean_full_resolution_hr"]) == (2, 72, 24)


def test_nothing_open_has_no_oldest_age():
    assert one()["oldest_open_hr"] is None


def test_hours_are_over_tickets_and_maintenance_requests_only():
    closed = {"first_response_at": ago(9), "resolved_at": ago(8)}
    others = [event(ago(10), c, direction="inbound", **closed) for c in ("work_order", "call", "message", "email")]
    row = one(*others, event(ago(5), resolved_at=ago(4)), event(ago(5), "maintenance_request", resolved_at=ago(2)))
    assert (row["mean_first_response_hr"], row["mean_full_resolution_hr"]) == (None, 48)


def test_total_tickets_counts_channel_ticket_only():
    row = one(*(event(ago(5), c) for c in ("ticket", "maintenance_request", "work_order", "email")))
    assert row["total_tickets"] == pytest.approx(1)
    assert row["total_maintenance_tickets"] == pytest.approx(1)


def test_escalations_count_in_every_channel():
    row = one(event(ago(5), escalated=True), event(ago(5), "work_order", escalated=True), event(ago(5), escalated=None))
    assert row["escalation_count"] == pytest.approx(2)


def test_answer_rate_is_over_inbound_calls_whose_answer_is_known():
    calls = [("inbound", True), ("inbound", True), ("inbound", False), ("inbound", None), ("outbound", False)]
    row = one(*(event(ago(5), "call", direction=d, answered=a) for d, a in calls))
    assert row["answer_rate"] == pytest.approx(2 / 3)
    assert row["outbound_call_count"] == pytest.approx(1)


def test_sentiment_rates_are_over_all_tickets():
    row = one(*(event(ago(5), sentiment=s) for s in ("positive", "negative", "negative", "neutral", None)))
    assert (row["positive_rate"], row["negative_rate"]) == (pytest.approx(0.2), pytest.approx(0.4))


def test_sentiment_of_other_channels_does_not_count():
    assert one(event(ago(5), "email", direction="inbound", sentiment="negative"))["negative_rate"] is None


def test_resolved_again_takes_the_last_resolution_before_as_of():
    copies = [event(ago(10), event_id="X", resolved_at=r) for r in (ago(9), ago(7), ago(-1))]
    row = one(*copies)
    assert row["mean_full_resolution_hr"] == 72
    assert row["total_tickets"] == pytest.approx(1)


def test_of_several_copies_the_last_one_known_before_as_of_counts():
    days = {9: False, 7: True, -1: False}
    row = one(*(event(ago(10), event_id="X", resolved_at=ago(d), escalated=e) for d, e in days.items()))
    assert row["escalation_count"] == pytest.approx(1)


def test_when_all_copies_are_later_the_earliest_counts():
    days = {-2: False, -1: True, -3: False}
    row = one(*(event(ago(10), event_id="X", resolved_at=ago(d), escalated=e) for d, e in days.items()))
    assert (row["escalation_count"], row["open_count"]) == (pytest.approx(1), 1)


def test_an_id_used_again_later_does_not_take_the_place_of_the_event_that_had_it():
    row = one(event(ago(10), event_id="X", resolved_at=ago(-5)), event(AS_OF, event_id="X"))
    assert (row["total_tickets"], row["open_count"]) == (pytest.approx(1), 1)


def test_copies_that_differ_in_their_response_alone_are_settled_whatever_their_order():
    # Another copy's response, before these opened, is not theirs.
    other = event(ago(20), event_id="X", first_response_at=ago(19))
    tie = [event(ago(10), event_id="X", first_response_at=ago(d), resolved_at=ago(5)) for d in (9, 7)]
    assert one(other, *tie)["mean_first_response_hr"] == one(other, *reversed(tie))["mean_first_response_hr"]


def update(recorded_at: datetime, **columns) -> dict:
    return event(ago(10), event_id="X", recorded_at=recorded_at, **columns)


def test_of_an_event_log_the_row_last_recorded_before_as_of_counts():
    # The second row knows nothing of the resolution that the first one names: it happened all the same.
    rows = [update(ago(9), resolved_at=ago(3)), update(ago(8), escalated=True), update(AS_OF), update(ago(-1))]
    row = one(*rows)
    assert (row["escalation_count"], row["total_tickets"]) == (pytest.approx(1), pytest.approx(1))
    assert row["mean_full_resolution_hr"] == 7 * 24


def test_what_an_event_log_records_at_as_of_or_later_is_not_known():
    later = update(AS_OF, escalated=True, first_response_at=ago(9), resolved_at=ago(8))
    row = one(update(ago(9)), later)
    assert (row["escalation_count"], row["mean_first_response_hr"], row["open_count"]) == (0, None, 1)


@pytest.mark.parametrize("copies", [1, 2])
def test_a_ticket_opened_before_as_of_but_first_recorded_later_is_unknown(copies: int):
    row = one(*(update(ago(-number)) for number in range(copies)))
    assert (row["total_tickets"], row["open_count"]) == (0, 0)


def test_a_tenant_of_whom_nothing_was_recorded_before_as_of_has_no_row():
    assert set(build([event(ago(9)), event(ago(9), tenant_id="T2", recorded_at=AS_OF)])) == {"T1"}


def test_hindsight_in_an_event_log_is_not_used():
    # Each row carries the resolution that came in the end: before it happened it is not one.
    rows = [update(ago(d), resolved_at=ago(-5), first_response_at=ago(9)) for d in (10, 9, 8)]
    row = one(*rows)
    assert (row["mean_full_resolution_hr"], row["open_count"], row["mean_first_response_hr"]) == (None, 1, 24)


def test_responded_again_takes_the_first_response():
    row = one(*(event(ago(10), event_id="X", first_response_at=ago(d)) for d in (7, 9, 8)))
    assert row["mean_first_response_hr"] == 24


def test_a_tenant_never_seen_before_as_of_has_no_row():
    assert set(build([event(ago(9)), event(AS_OF, tenant_id="T2")])) == {"T1"}


def test_portfolio_is_the_one_of_the_latest_event_before_as_of():
    row = one(event(ago(2), portfolio_id="new"), event(ago(5), portfolio_id="old"), event(ago(-1), portfolio_id="next"))
    assert row["portfolio_id"] == "new"


def test_the_portfolio_of_events_at_the_same_moment_is_settled_by_name():
    tie = [event(ago(2), event_id=i, portfolio_id=p) for i, p in (("B", "one"), ("A", "two"))]
    assert one(*tie)["portfolio_id"] == one(*reversed(tie))["portfolio_id"] == "two"


def test_as_of_itself_is_carried():
    assert one()["as_of"] == AS_OF.replace(tzinfo=None)


def test_no_event_before_as_of_is_refused_by_name():
    with pytest.raises(UserError, match="opened_at") as caught:
        build([event(ago(-5))])
    assert caught.value.code == "no_events_before_as_of"
    with pytest.raises(UserError, match="no row of the input became an event: see why its rows were refused"):
        build([])


def test_a_log_that_ends_long_before_as_of_is_refused_by_its_gate():
    with pytest.raises(UserError, match="freshness_days allows 45") as caught:
        build([event(ago(46))])
    assert caught.value.code == "stale_events"


def test_the_refusal_of_an_old_log_tells_both_moments_so_that_hours_count():
    strict = USE_CASE.model_copy(update={"gates": USE_CASE.gates.model_copy(update={"freshness_days": 0})})
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE events AS SELECT TIMESTAMP '2026-10-31 21:30:00' AS opened_at")
        engine = DuckDbEngine(connection, Path())
        with pytest.raises(UserError) as caught:
            check_freshness(engine, strict, AS_OF + timedelta(minutes=15))
    assert "is from 2026-10-31 21:30, and as_of is 2026-11-01 00:15 (both UTC); the gate" in caught.value.message


def awkward_events(seed: int, count: int = 600) -> list[dict]:
    """Events on the edges: exact bounds, missing parts, copies, late knowledge, event logs, tenants with little."""
    rng = random.Random(seed)
    edges = [0.0, 1e-6, 90.0, 180.0, 365.0, 365.00001, 364.99999, 400.0, -3.0]

    def moment(base: datetime) -> datetime:
        shift = timedelta(days=rng.choice([0, 0, 1, rng.random() * 40]), seconds=rng.randrange(9), microseconds=7)
        return base + shift * rng.choice([0, 1])

    events = []
    for number in range(count):
        opened = ago(rng.choice([*edges, *(rng.random() * 420 for _ in range(20))]))
        row = event(
            opened,
            rng.choice(["ticket", "maintenance_request", "work_order", "call", "message", "email"]),
            tenant_id=f"T{rng.randrange(60)}",
            portfolio_id=rng.choice("abc"),
            direction=rng.choice(["inbound", "outbound"]),
            first_response_at=rng.choice([None, moment(opened)]),
            resolved_at=rng.choice([None, moment(opened), moment(opened)]),
            answered=rng.choice([True, False, None]),
            escalated=rng.choice([True, False, None]),
            sentiment=rng.choice(["positive", "negative", "neutral", None]),
        )
        if rng.random() < 0.1:
            row["tenancy_start_at"] = ago(rng.random() * 500)
        if rng.random() < 0.05:
            row["tenancy_end_at"] = ago(rng.random() * 200 - 50)
        if rng.random() < 0.3:
            events += log_of(row, rng)
            continue
        events.append(row)
        if rng.random() < 0.15 and number:
            # Known later: another resolution of the same event. Its knowledge time differs, so no tie is left open.
            again = max(opened, row["resolved_at"] or opened) + timedelta(days=rng.random() * 30 + 1)
            changed = {"escalated": rng.choice([True, False]), "portfolio_id": rng.choice("abc")}
            events.append(row | {"resolved_at": again, "first_response_at": moment(opened)} | changed)
    return events


def log_of(row: dict, rng: random.Random) -> list[dict]:
    """The event as an event log tells it: a row for each update, some with hindsight, no two at the same moment."""
    opened, rows = row["opened_at"], []
    for place in range(rng.randrange(1, 5)):
        recorded = opened + timedelta(days=rng.choice([0, 0.5, rng.random() * 60]), microseconds=place)
        changed = {"escalated": rng.choice([True, False]), "portfolio_id": rng.choice("abc")}
        later = rng.choice([row["resolved_at"], None, opened + timedelta(days=rng.random() * 30)])
        rows.append(row | changed | {"recorded_at": recorded, "resolved_at": later})
    return rows


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_sql_and_plain_python_agree(seed: int):
    events = awkward_events(seed)
    expected, found = plain_features(events, AS_OF), build(events)
    assert set(found) == set(expected)
    assert len(found) > 40
    for tenant, row in expected.items():
        for name, value in row.items():
            about = pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
            assert found[tenant][name] == about, (tenant, name)


@pytest.mark.slow
def test_order_of_rows_duplicates_and_later_events_do_not_move_one_bit():
    events = awkward_events(9)
    shuffled = [*events, *events[:50], *(event(ago(-i), tenant_id=f"T{i}") for i in range(1, 20))]
    random.Random(1).shuffle(shuffled)
    as_text = [json.dumps(build(rows), sort_keys=True, default=str) for rows in (events, shuffled)]
    assert as_text[0] == as_text[1]


def test_what_happened_before_a_copy_opened_takes_no_negative_time():
    early = event(ago(200), first_response_at=ago(199), resolved_at=ago(198))
    late = event(ago(30), event_id=early["event_id"], first_response_at=ago(29))
    features = build([event(ago(300)), early, late])["T1"]
    assert features["mean_first_response_hr"] == pytest.approx(24)
    assert features["mean_full_resolution_hr"] is None
    assert features["open_count"] == 2
