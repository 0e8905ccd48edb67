"""Several use cases in one stack, each answered by its own features and models."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tenant_experience.aws import model_endpoint, release_table, served_features
from tenant_experience.use_case import served
from tests.support.function_module import function_module
from tests.support.places import ROOT, USE_CASES

CONTEXT = SimpleNamespace(function_name="f", memory_limit_in_mb=1, invoked_function_arn="a", aws_request_id="r")
LIVE = {"tenant_experience": "t-1", "bank_marketing": "b-1"}  # telecom_churn is deployed and has no release
NAMES = {"tenant_experience": ("tenant_id", "portfolio_id"), "bank_marketing": ("client_id", "region")}
VALUES = {"tenant_experience": {"total_tickets": "3"}, "bank_marketing": {"age": "41", "job": "clerk"}}
LABELS = {"t-1": "bad", "b-1": "subscribes"}
FEATURE = {"t-1": "total_tickets", "b-1": "age"}
Ask = Callable[..., tuple[int, dict[str, Any]]]


class TwoUseCases:
    """AWS as the functions call it. Each of the two live use cases has an id ``X 1``, and it means someone else."""

    def get_record(self, *, FeatureGroupName: str, RecordIdentifierValueAsString: str) -> dict[str, Any]:  # noqa: N803
        use_case = FeatureGroupName.removeprefix("te-")
        if use_case not in NAMES:
            raise ClientError({"Error": {"Code": "ResourceNotFound", "Message": "no such group"}}, "GetRecord")
        if RecordIdentifierValueAsString not in ("X 1", "x 1"):
            return {}
        record_id, partition = NAMES[use_case]
        texts = {record_id: RecordIdentifierValueAsString, partition: "north", "partition_slug": "north"}
        texts |= {"history": "sufficient", "as_of": "2026-11-01T00:00:00Z", "release": LIVE[use_case]}
        values = texts | VALUES[use_case]
        return {"Record": [{"FeatureName": name, "ValueAsString": text} for name, text in values.items()]}

    def batch_get_record(self, *, Identifiers: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        [asked] = Identifiers
        found = []
        for text in asked["RecordIdentifiersValueAsString"]:
            answer = self.get_record(FeatureGroupName=asked["FeatureGroupName"], RecordIdentifierValueAsString=text)
            found += [answer | {"RecordIdentifierValueAsString": text}] if answer else []
        return {"Records": found, "Errors": [], "UnprocessedIdentifiers": []}

    def get_item(self, *, Key: dict[str, Any], **_asked: object) -> dict[str, Any]:  # noqa: N803
        release = LIVE.get(Key["id"]["S"].removeprefix("live#"))
        if release is None:
            return {}
        texts = {"release": release, "started_at": "2026-11-01T00:00:00Z", "models": json.dumps({"all": release})}
        return {"Item": {name: {"S": text} for name, text in texts.items()} | {"revision": {"N": "1"}}}

    def invoke_endpoint(self, *, TargetModel: str, Body: bytes, **_asked: object) -> dict[str, Any]:  # noqa: N803
        _, release, _ = TargetModel.split("/")
        rows = [
            {
                "tenant_id": instance["tenant_id"],
                "status": "scored",
                "experience": LABELS[release],
                "probability": 0.75,
                "contributions": {FEATURE[release]: 1.5},
                "contributions_for": LABELS[release],
            }
            for instance in json.loads(Body)["instances"]
        ]
        document = {"model_version": release, "scale": "global", "predictions": rows, "validation": None}
        return {"Body": io.BytesIO(json.dumps(document).encode())}


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Asks a function as the gateway does; ``body`` makes it a POST."""
    aws = TwoUseCases()
    monkeypatch.setattr(served_features, "feature_store", lambda: aws)
    monkeypatch.setattr(release_table, "dynamodb", lambda: aws)
    monkeypatch.setattr(model_endpoint, "runtime", lambda: aws)
    monkeypatch.syspath_prepend(str(ROOT))
    settings = {"USE_CASE": "tenant_experience", "PROJECT": "te", "RELEASE_TABLE": "t", "ENDPOINT": "e"}
    for name, value in (settings | {"STALE_AFTER_DAYS": "100000"}).items():
        monkeypatch.setenv(name, value)

    def send(path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        steps = path.strip("/").split("/")
        parameters = {}
        if steps[0] == "use-cases" and len(steps) > 1:
            parameters["name"], steps[1] = steps[1], "{name}"
        if steps[-1] in ("features", "prediction"):
            name = "record_id" if parameters else "tenant_id"
            parameters[name], steps[-2] = steps[-2], f"{{{name}}}"
        function = "features" if steps[-1] == "features" else "predictions"
        event = json.loads((ROOT / "events" / f"{function}.json").read_text())
        event |= {"httpMethod": "GET" if body is None else "POST", "resource": f"/{'/'.join(steps)}", "path": path}
        event |= {"pathParameters": parameters, "body": body and json.dumps(body), "isBase64Encoded": False}
        answer = function_module(function).handler(event, CONTEXT)
        assert answer["multiValueHeaders"]["Cache-Control"] == ["no-store"]
        return answer["statusCode"], json.loads(answer["body"])

    return send


@pytest.mark.parametrize(
    ("sample", "status", "code"),
    [
        ("features", 404, "unknown_tenant"),
        ("features_record", 404, "unknown_record"),
        ("predictions", 404, "unknown_tenant"),
        ("predictions_record", 404, "unknown_record"),
        ("predictions_many_records", 200, None),
        ("predictions_use_cases", 200, None),
    ],
)
@pytest.mark.usefixtures("ask")
def test_each_sample_event_asks_a_route_that_there_is(sample: str, status: int, code: str | None) -> None:
    event = json.loads((ROOT / "events" / f"{sample}.json").read_text())
    function = function_module(sample.partition("_")[0])
    assert event["httpMethod"] in function.METHODS[event["resource"]]
    filled = event["resource"].format(**(event["pathParameters"] or {}))
    context = event["requestContext"]
    asked = (context["resourcePath"], context["httpMethod"], context["path"])
    assert (event["path"], *asked) == (filled, event["resource"], event["httpMethod"], f"/v1{filled}")
    answer = function.handler(event, CONTEXT)
    assert (answer["statusCode"], json.loads(answer["body"]).get("code")) == (status, code)


def test_an_id_means_a_record_of_the_use_case_in_the_path(ask: Ask) -> None:
    status, client = ask("/use-cases/bank_marketing/records/X%201/prediction")
    assert (status, client) == (
        200,
        {
            "record_id": "X 1",
            "partition": "north",
            "status": "scored",
            "label": "subscribes",
            "label_basis": None,
            "probability": 0.75,
            "probability_of": "that the label of this client is subscribes",
            "probability_basis": None,
            "model_probability": None,
            "reasons": [
                {"feature": "age", "text": "age speaks for subscribing (41)", "towards": "subscribes", "weight": 1.5}
            ],
            "counter_reasons": [],
            "aspects": {},
            "open_items": {"count": None, "oldest_hr": None},
            "history": "sufficient",
            "validation": None,
            "model_version": "b-1",
            "scale": "global",
            "as_of": "2026-11-01T00:00:00Z",
            "stale": False,
        },
    )
    status, tenant = ask("/tenants/X%201/prediction")
    assert (status, tenant["tenant_id"], tenant["experience"], tenant["model_version"]) == (200, "X 1", "bad", "t-1")


def test_features_are_those_of_the_use_case_in_the_path(ask: Ask) -> None:
    status, client = ask("/use-cases/bank_marketing/records/X%201/features")
    assert status == 200
    assert list(client) == [
        *("record_id", "partition", "as_of", "history", "exposure_days", "features", "open_items", "release")
    ]
    assert {name: value for name, value in client["features"].items() if value is not None} == {
        "age": 41.0,
        "job": "clerk",
    }
    assert ask("/tenants/X%201/features")[1]["features"]["total_tickets"] == 3.0


def test_both_families_say_the_same_about_a_tenant(ask: Ask) -> None:
    _, tenant = ask("/tenants/X%201/prediction")
    _, record = ask("/use-cases/tenant_experience/records/X%201/prediction")
    for of_tenants, of_records in {
        "tenant_id": "record_id",
        "portfolio_id": "partition",
        "experience": "label",
    }.items():
        assert tenant.pop(of_tenants) == record.pop(of_records)
    assert record.pop("aspects") == {"demand": tenant.pop("demand"), "service": tenant.pop("service")}
    assert tenant.pop("closeness") is None
    assert record == tenant


@pytest.mark.parametrize("ids", [["X 1", "nobody", 7, "a/b", "X 1"], ["X 1"]])
def test_many_records_are_answered_in_the_order_asked(ask: Ask, ids: list[Any]) -> None:
    status, answer = ask("/use-cases/bank_marketing/predictions", {"ids": ids})
    assert (status, [row["record_id"] for row in answer["predictions"]]) == (200, ids)
    expected = {"X 1": None, "nobody": "unknown_record", 7: "malformed_record_id", "a/b": "malformed_record_id"}
    assert [row.get("code") for row in answer["predictions"]] == [expected[each] for each in ids]
    assert answer["predictions"][0]["label"] == "subscribes"
    assert all("tenant" not in json.dumps(row) for row in answer["predictions"])


@pytest.mark.parametrize(
    ("body", "words"),
    [({"tenant_ids": ["X 1"]}, '{"ids": ["...", ...]}'), ({"ids": ["a"] * 101}, "101 clients are too many")],
)
def test_a_body_that_does_not_fit_is_refused_with_a_hint(ask: Ask, body: Any, words: str) -> None:
    status, answer = ask("/use-cases/bank_marketing/predictions", body)
    assert (status, answer["code"]) == (400, "malformed_request")
    assert words in answer["detail"]


def test_the_list_names_the_use_cases_that_have_a_live_release(ask: Ask) -> None:
    status, answer = ask("/use-cases")
    assert (status, [row["name"] for row in answer["use_cases"]]) == (200, sorted(LIVE))
    assert answer["use_cases"][0] == {
        "name": "bank_marketing",
        "release": "b-1",
        "record_id": "client_id",
        "partition": "region",
        "labels": ["declines", "subscribes"],
        "positive": "subscribes",
    }


@pytest.mark.parametrize("name", ["nosuch", "..", "%2e%2e", ".", "Bank_Marketing", "bank_marketing%2F..", "%FF", "%00"])
@pytest.mark.parametrize("route", ["records/X%201/prediction", "records/X%201/features", "predictions"])
def test_a_use_case_that_the_stack_does_not_have_is_404(ask: Ask, name: str, route: str) -> None:
    status, answer = ask(f"/use-cases/{name}/{route}", {"ids": ["X 1"]} if route == "predictions" else None)
    assert (status, answer["code"]) == (404, "unknown_use_case")
    deployed = ", ".join(sorted(path.parent.name for path in USE_CASES.glob("*/use_case.yaml")))
    assert answer["detail"] == f"this stack has no use case of this name; it has {deployed}"


def test_the_name_of_a_use_case_may_be_percent_encoded(ask: Ask) -> None:
    assert ask("/use-cases/bank%5Fmarketing/records/X%201/prediction")[1]["model_version"] == "b-1"


def test_a_use_case_without_a_release_does_not_answer_yet(ask: Ask) -> None:
    for answer in (
        ask("/use-cases/telecom_churn/records/X%201/prediction"),
        ask("/use-cases/telecom_churn/predictions", {"ids": ["X 1"]}),
    ):
        assert (answer[0], answer[1]["code"]) == (503, "no_live_model")
    status, answer = ask("/use-cases/telecom_churn/records/X%201/features")
    assert (status, answer["code"]) == (503, "features_unavailable")


def test_ids_have_the_case_that_their_own_use_case_declares(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    read = served.read
    monkeypatch.setattr(
        served,
        "read",
        lambda name: replace(read(name), record_id_case="insensitive") if name == "bank_marketing" else read(name),
    )
    for route in ("features", "prediction"):
        assert ask(f"/use-cases/bank_marketing/records/X%201/{route}")[1]["record_id"] == "x 1"
        assert ask(f"/tenants/X%201/{route}")[1]["tenant_id"] == "X 1"
    [row] = ask("/use-cases/bank_marketing/predictions", {"ids": ["X 1"]})[1]["predictions"]
    assert row["record_id"] == "x 1"
