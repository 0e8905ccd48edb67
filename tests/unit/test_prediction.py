from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tenant_experience.prediction import by_model, describe_features, describe_prediction, read_record, reasons
from tenant_experience.release import LiveRelease

NOW = datetime(2026, 11, 20, tzinfo=UTC)
RECORD = {
    "tenant_id": "T1",
    "event_time": "2026-11-19T00:00:00Z",
    "portfolio_id": "P1",
    "partition_slug": "all",
    "as_of": "2026-11-01T00:00:00Z",
    "release": "r1",
    "history": "sufficient",
    "mean_first_response_hr": "12.5",
    "total_tickets": "3",
    "exposure_days": "365",
    "open_count": "1",
    "oldest_open_hr": "40",
}
MODEL = {
    "model_version": "r1",
    "scale": "global",
    "prediction": {
        "experience": "bad",
        "probability": 0.9,
        "contributions": {"mean_first_response_hr": 2.0, "total_tickets": -0.5},
    },
}


def test_a_feature_without_a_denominator_is_null_and_is_not_sent_to_the_model() -> None:
    tenant = read_record(RECORD)
    assert describe_features(tenant)["features"]["answer_rate"] is None
    assert tenant.instance == {"tenant_id": "T1", "features": {"mean_first_response_hr": 12.5, "total_tickets": 3.0}}


def test_a_prediction_says_how_sure_why_when_and_by_which_model() -> None:
    answer = describe_prediction(read_record(RECORD), MODEL, now=NOW, stale_after=timedelta(days=35))
    assert (answer["experience"], answer["probability"], answer["model_version"]) == ("bad", 0.9, "r1")
    assert answer["as_of"] == "2026-11-01T00:00:00Z"
    assert answer["reasons"][0]["text"].startswith("hours until the first response speaks for a bad experience (12.5)")
    assert answer["demand"].keys().isdisjoint(answer["service"].keys())
    assert answer["open_items"] == {"count": 1.0, "oldest_hr": 40.0}


def test_an_answer_of_old_features_says_stale() -> None:
    tenant = read_record(RECORD)
    assert not describe_prediction(tenant, MODEL, now=NOW, stale_after=timedelta(days=35))["stale"]
    assert describe_prediction(tenant, MODEL, now=NOW, stale_after=timedelta(days=10))["stale"]


def test_too_little_history_has_no_probability() -> None:
    tenant = read_record({**RECORD, "history": "insufficient"})
    answer = describe_prediction(tenant, None, now=NOW, stale_after=timedelta(days=35))
    assert (answer["experience"], answer["probability"], answer["reasons"]) == ("insufficient_history", None, [])


def test_reasons_are_the_strongest_three_and_say_when_a_value_is_not_known() -> None:
    tenant = read_record(RECORD)
    found = reasons(tenant, {"a": 0.1, "answer_rate": -3.0, "total_tickets": 2.0, "work_order_count": 1.0, "b": 0.0})
    assert [row["feature"] for row in found] == ["answer_rate", "total_tickets", "work_order_count"]
    assert found[0]["towards"] == "good"
    assert found[0]["text"].endswith("(not known)")


def test_tenants_of_one_model_are_asked_together() -> None:
    live = LiveRelease("r2", "t", 1, {"north": "r1", "south": "r2"})
    slugs = {"A": "north", "B": "south", "C": "north", "D": "elsewhere"}
    tenants = [read_record({**RECORD, "tenant_id": name, "partition_slug": slug}) for name, slug in slugs.items()]
    groups = by_model(live, tenants)
    assert {key: [tenant.tenant_id for tenant in group] for key, group in groups.items()} == {
        ("north", "r1"): ["A", "C"],
        ("south", "r2"): ["B"],
        None: ["D"],
    }
