from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenant_experience.api.prediction import (
    ModelPrediction,
    by_model,
    describe_features,
    describe_no_answer,
    describe_prediction,
    read_record,
    reasons,
)
from tenant_experience.api.route_family import RECORD_ROUTES, TENANT_ROUTES
from tenant_experience.errors import PlatformError
from tenant_experience.release.release import LiveRelease, PublishedModel
from tenant_experience.use_case.served import parse, read
from tests.support.places import USE_CASES

TENANTS = parse((USE_CASES / "tenant_experience" / "use_case.yaml").read_bytes())
CHURN = parse((USE_CASES / "telecom_churn" / "use_case.yaml").read_bytes())
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
ROW = {
    "status": "scored",
    "experience": "bad",
    "label_basis": "rule",
    "probability": 0.9,
    "probability_basis": "one_snapshot",
    "model_probability": 0.99,
    "closeness": 0.99,
    "contributions": {"mean_first_response_hr": 2.0, "total_tickets": -0.5},
    "contributions_for": "bad",
    "baseline": 0.1,
}
MODEL = ModelPrediction.read(ROW, model_version="r1", scale="global")


def test_a_feature_without_a_denominator_is_null_and_is_not_sent_to_the_model() -> None:
    tenant = read_record(RECORD, TENANTS)
    assert describe_features(tenant, TENANTS, routes=TENANT_ROUTES)["features"]["answer_rate"] is None
    assert tenant.instance == {
        "tenant_id": "T1",
        "features": {"portfolio_id": "P1", "mean_first_response_hr": 12.5, "total_tickets": 3.0},
        "exposure_days": 365.0,
    }


def test_a_prediction_says_how_sure_why_when_and_by_which_model() -> None:
    answer = describe_prediction(
        read_record(RECORD, TENANTS), MODEL, TENANTS, routes=TENANT_ROUTES, now=NOW, stale_after=timedelta(days=35)
    )
    assert (answer["status"], answer["experience"], answer["probability"]) == ("scored", "bad", 0.9)
    assert (answer["model_version"], answer["scale"]) == ("r1", "global")
    assert (answer["label_basis"], answer["probability_basis"]) == ("rule", "one_snapshot")
    assert answer["probability_of"] == (
        "that this tenant's label by the same rule, over the next period of the same length, is bad"
    )
    assert answer["model_probability"] == answer["closeness"] == 0.99
    assert answer["as_of"] == "2026-11-01T00:00:00Z"
    assert answer["reasons"][0]["text"].startswith("hours until the first response speaks for a bad experience (12.5)")
    assert answer["demand"].keys().isdisjoint(answer["service"].keys())
    assert answer["open_items"] == {"count": 1.0, "oldest_hr": 40.0}


def test_a_prediction_says_what_the_answers_are_worth_by_outcomes() -> None:
    said = {"text": "not validated against any outcome", "validated": False, "outcomes": []}
    model = ModelPrediction.read(ROW, model_version="r1", scale="global", validation=said)
    tenant, limits = (
        read_record(RECORD, TENANTS),
        {"routes": TENANT_ROUTES, "now": NOW, "stale_after": timedelta(days=35)},
    )
    assert describe_prediction(tenant, model, TENANTS, **limits)["validation"] == said
    # An older endpoint does not say it, and no model is asked about a tenant with too little history.
    assert describe_prediction(tenant, MODEL, TENANTS, **limits)["validation"] is None
    assert describe_prediction(tenant, None, TENANTS, **limits)["validation"] is None


def test_an_answer_of_old_features_says_stale() -> None:
    tenant = read_record(RECORD, TENANTS)
    assert not describe_prediction(
        tenant, MODEL, TENANTS, routes=TENANT_ROUTES, now=NOW, stale_after=timedelta(days=35)
    )["stale"]
    assert describe_prediction(tenant, MODEL, TENANTS, routes=TENANT_ROUTES, now=NOW, stale_after=timedelta(days=10))[
        "stale"
    ]


def test_too_little_history_has_no_probability() -> None:
    tenant = read_record({**RECORD, "history": "insufficient"}, TENANTS)
    answer = describe_prediction(tenant, None, TENANTS, routes=TENANT_ROUTES, now=NOW, stale_after=timedelta(days=35))
    assert (answer["status"], answer["reasons"], answer["counter_reasons"]) == ("insufficient_history", [], [])
    bases = ("label_basis", "probability_basis", "probability_of")
    numbers = ("experience", "probability", "model_probability", "closeness", "model_version", "scale", *bases)
    assert [answer[name] for name in numbers] == [None] * 9


def test_reasons_are_the_strongest_three_for_the_label_and_say_when_a_value_is_not_known() -> None:
    tenant = read_record(RECORD, TENANTS)
    weights = {"a": 0.1, "answer_rate": -3.0, "total_tickets": 2.0, "work_order_count": 1.0, "b": 0.0, "c": 0.05}
    supporting, counter = reasons(tenant, replace(MODEL, contributions=weights), TENANTS)
    assert [row["feature"] for row in supporting] == ["total_tickets", "work_order_count", "a"]
    assert [row["feature"] for row in counter] == ["answer_rate"]
    assert {row["towards"] for row in supporting} == {"bad"}
    assert counter[0]["towards"] == "good"
    assert counter[0]["text"].endswith("speaks against a bad experience (not known)")
    supporting, counter = reasons(tenant, replace(MODEL, experience="good", contributions=weights), TENANTS)
    assert [row["feature"] for row in supporting] == ["answer_rate"]
    assert [row["feature"] for row in counter] == ["total_tickets", "work_order_count", "a"]


LABELS = st.sampled_from(["good", "bad"])
WEIGHTS = st.dictionaries(st.sampled_from(list(TENANTS.features)), st.floats(-5, 5))


@given(experience=LABELS, explained=st.none() | LABELS, weights=WEIGHTS)
def test_every_reason_speaks_for_the_label_and_every_counter_reason_against_it(
    experience: str, explained: str | None, weights: dict[str, float]
) -> None:
    """Also of an older endpoint, whose contributions always speak for the positive label."""
    model = replace(MODEL, experience=experience, contributions=weights, contributions_for=explained)
    supporting, counter = reasons(read_record(RECORD, TENANTS), model, TENANTS)
    assert {row["towards"] for row in supporting} <= {experience}
    assert experience not in {row["towards"] for row in counter}
    told = {row["feature"] for row in supporting + counter}
    strongest = max(weights, key=lambda name: abs(weights[name]), default=None)
    assert strongest is None or weights[strongest] == 0 or strongest in told


def test_tenants_of_one_model_are_asked_together() -> None:
    live = LiveRelease.of_models("r2", "t", 1, {"north": "r1", "south": "r2"}, None, {"south": "d"})
    slugs = {"A": "north", "B": "south", "C": "north", "D": "elsewhere"}
    tenants = [
        read_record({**RECORD, "tenant_id": name, "partition_slug": slug}, TENANTS) for name, slug in slugs.items()
    ]
    groups = by_model(live, tenants)
    assert {key: [tenant.tenant_id for tenant in group] for key, group in groups.items()} == {
        PublishedModel("north", "r1"): ["A", "C"],
        PublishedModel("south", "r2", "d"): ["B"],
        None: ["D"],
    }


CUSTOMER = {
    "customer_id": "C-1",
    "event_time": "2026-11-19T00:00:00Z",
    "dimension": "dimension2",
    "partition_slug": "dimension2",
    "as_of": "2026-11-01T00:00:00Z",
    "release": "r1",
    "history": "sufficient",
    "state": "KS",
    "area_code": "415",
    "day_minutes": "265.1",
    "a_feature_of_last_year": "text",
}


def churn_answer(row: dict[str, object]) -> dict[str, object]:
    model = ModelPrediction.read(row, model_version="r1", scale="local")
    return describe_prediction(
        read_record(CUSTOMER, CHURN), model, CHURN, routes=TENANT_ROUTES, now=NOW, stale_after=timedelta(days=35)
    )


def test_another_use_case_has_its_own_names_and_categories_are_texts() -> None:
    customer = read_record(CUSTOMER, CHURN)
    assert (customer.tenant_id, customer.portfolio_id) == ("C-1", "dimension2")
    known = {"dimension": "dimension2", "state": "KS", "area_code": "415", "day_minutes": 265.1}
    assert customer.instance["features"] == known
    assert list(describe_features(customer, CHURN, routes=RECORD_ROUTES)["features"]) == list(CHURN.features)


def test_another_use_case_is_told_in_its_own_words() -> None:
    row = {
        "experience": "leaves",
        "probability": 0.8,
        "unknown_categories": ["state"],
        "contributions": {"state": 1.0, "day_minutes": -0.5},
    }
    answer = churn_answer(row)
    assert [reason["text"] for reason in answer["reasons"]] == ["state speaks for leaving (KS)"]
    assert [reason["text"] for reason in answer["counter_reasons"]] == ["day minutes speaks against leaving (265.1)"]
    assert [reason["towards"] for reason in answer["reasons"] + answer["counter_reasons"]] == ["leaves", "stays"]
    assert (answer["model_probability"], answer["closeness"]) == (None, None)
    assert answer["probability_of"] == "that the label of this customer is leaves"
    assert (answer["label_basis"], answer["probability_basis"]) == (None, None)
    assert answer["unknown_categories"] == ["state"]
    assert not {"demand", "service", "value", "probabilities"} & answer.keys()


def test_several_labels_and_numbers_are_told_as_the_model_tells_them() -> None:
    several = replace(CHURN, labels=("low", "middle", "high"), positive=None, outcome=None)
    customer = read_record(CUSTOMER, several)
    row = {"experience": "high", "probabilities": {"low": 0.1, "middle": 0.2, "high": 0.7}}
    weights = {"state": 1.0, "day_minutes": -0.5}
    older = replace(MODEL, experience="high", contributions=weights, contributions_for=None)
    for model in (older, replace(older, contributions_for="high")):
        why = [(reason["text"], reason["towards"]) for found in reasons(customer, model, several) for reason in found]
        assert why == [
            ("state speaks for high (KS)", "high"),
            ("day minutes speaks against high (265.1)", "other"),
        ]
    assert churn_answer(row)["probabilities"] == row["probabilities"]
    number = replace(CHURN, labels=(), positive=None, outcome=None)
    why, against = reasons(customer, replace(MODEL, experience=None, contributions={"day_minutes": -0.5}), number)
    assert against == []
    assert (why[0]["text"], why[0]["towards"]) == ("day minutes lowers the number (265.1)", "lower")
    answer = churn_answer({"status": "scored", "value": 3.0})
    assert (answer["status"], answer["experience"], answer["value"]) == ("scored", None, 3.0)


NO_FEATURES = {"probability": None, "contributions": {}}


@pytest.mark.parametrize(
    "row",
    [
        NO_FEATURES | {"status": "no_features", "experience": None, "model_probability": None, "closeness": None},
        pytest.param(NO_FEATURES | {"experience": "no_features", "closeness": None}, id="an older endpoint"),
    ],
)
def test_a_tenant_without_the_features_that_decide_has_a_status_and_no_label(row: dict[str, object]) -> None:
    model = ModelPrediction.read(row, model_version="r1", scale="global")
    answer = describe_prediction(
        read_record(RECORD, TENANTS), model, TENANTS, routes=TENANT_ROUTES, now=NOW, stale_after=timedelta(days=35)
    )
    assert (answer["status"], answer["experience"], answer["reasons"]) == ("no_features", None, [])
    assert (answer["probability"], answer["model_probability"], answer["closeness"]) == (None, None, None)


def test_an_older_endpoint_answers_by_the_old_names_and_without_what_it_does_not_know() -> None:
    new = ("status", "model_probability", "label_basis", "probability_basis", "contributions_for", "baseline")
    old = ModelPrediction.read(
        {name: value for name, value in ROW.items() if name not in new}, model_version="r1", scale="global"
    )
    assert old == replace(MODEL, label_basis=None, probability_basis=None, contributions_for=None)
    answer = describe_prediction(
        read_record(RECORD, TENANTS), old, TENANTS, routes=TENANT_ROUTES, now=NOW, stale_after=timedelta(days=35)
    )
    assert (answer["experience"], answer["probability"], answer["model_probability"]) == ("bad", 0.9, 0.99)
    assert (answer["label_basis"], answer["probability_basis"], answer["probability_of"]) == (None, None, None)
    assert [reason["feature"] for reason in answer["reasons"]] == ["mean_first_response_hr"]
    assert [reason["feature"] for reason in answer["counter_reasons"]] == ["total_tickets"]


def test_the_status_is_plain_text_in_json() -> None:
    row = describe_no_answer("T1", routes=TENANT_ROUTES, code="unknown_tenant", detail="this tenant has no features")
    assert json.loads(json.dumps(row)) == {
        "tenant_id": "T1",
        "status": "no_answer",
        "code": "unknown_tenant",
        "detail": "this tenant has no features",
    }


def test_a_use_case_that_is_not_deployed_is_our_fault_not_the_clients() -> None:
    with pytest.raises(PlatformError) as caught:
        read("nowhere")
    assert caught.value.code == "use_case_unavailable"


@pytest.mark.parametrize(("portfolio", "sent"), [("Dim1", "Dim1"), ("", None), (None, None)])
def test_the_portfolio_is_sent_to_the_model_and_is_missing_where_it_is_unknown(
    portfolio: str | None, sent: str | None
) -> None:
    record = {"customer_id": "C1", "day_calls": "3"} | ({} if portfolio is None else {"dimension": portfolio})
    instance = read_record(record, CHURN).instance
    assert instance["features"] == {"dimension": sent, "day_calls": 3.0}


@pytest.mark.parametrize("basis", ["partition", "prior"])
def test_the_level_of_a_portfolio_is_a_reason_and_its_basis_is_told(basis: str) -> None:
    record = RECORD | {"customer_id": "C1", "dimension": "Dim1", "day_calls": "3"}
    row = {
        "status": "scored",
        "experience": "leaves",
        "probability": 0.9,
        "level_basis": basis,
        "contributions": {"day_calls": 0.5, "dimension": 1.2 if basis == "partition" else 0.0},
        "contributions_for": "leaves",
    }
    tenant, found = read_record(record, CHURN), ModelPrediction.read(row, model_version="r1", scale="global")
    answer = describe_prediction(tenant, found, CHURN, routes=TENANT_ROUTES, now=NOW, stale_after=timedelta(days=99))
    assert answer["level_basis"] == basis
    texts = [reason["text"] for reason in answer["reasons"]]
    assert ("dimension speaks for leaving (Dim1)" in texts) == (basis == "partition")
