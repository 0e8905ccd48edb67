"""The functions behind the API: methods, headers, and what a client may send to them."""

from __future__ import annotations

import base64
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tenant_experience.errors import PlatformError
from tests.support.words import TENANT_WORDS

FUNCTIONS = Path(__file__).parents[3] / "functions"
SERVED = SimpleNamespace(record_id_case="sensitive", words=TENANT_WORDS)
RECORD = "/use-cases/{name}/records/{record_id}"
CONTEXT = SimpleNamespace(function_name="f", memory_limit_in_mb=1, invoked_function_arn="a", aws_request_id="r")


def function(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FUNCTIONS / name))
    spec = importlib.util.spec_from_file_location(f"app_of_{name}", FUNCTIONS / name / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def proxy_event(method: str, resource: str, path: str, **more: Any) -> dict[str, Any]:
    event = json.loads((FUNCTIONS.parent / "events" / "predictions.json").read_text())
    return event | {"httpMethod": method, "resource": resource, "path": path, "pathParameters": {}} | more


@pytest.fixture
def approvals(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    yield function("approvals", monkeypatch)
    sys.modules.pop("page", None)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Asks POST /predictions, where tenant ``broken`` fails by our fault and ``nobody`` is not known."""
    predictions = function("predictions", monkeypatch)

    def predict(ids: list[str], _use_case: Any, _routes: Any, *, explain: bool) -> dict[str, Any]:
        assert len(set(ids)) == len(ids)
        assert not explain
        fault = PlatformError("down", code="model_unavailable")
        return {
            text: fault if "broken" in text else {"tenant_id": text, "status": "scored"}
            for text in ids
            if text != "nobody"
        }

    monkeypatch.setenv("USE_CASE", "tenant_experience")
    monkeypatch.setattr(predictions.served_use_case, "read", lambda _name: SERVED)
    monkeypatch.setattr(predictions, "_predict", predict)

    def send(body: Any, **more: Any) -> dict[str, Any]:
        text = body if isinstance(body, str) else json.dumps({"tenant_ids": body})
        event = proxy_event("POST", "/predictions", "/predictions", body=text, **more)
        answer: dict[str, Any] = predictions.handler(event, CONTEXT)
        return answer | {"document": json.loads(answer["body"])}

    return send


def test_rows_come_in_the_order_asked_with_repetitions(ask: Callable[..., dict[str, Any]]) -> None:
    asked = ["b", "bad/id", "a", "nobody", "b", "broken"]
    rows = ask(asked)["document"]["predictions"]
    assert [row["tenant_id"] for row in rows] == asked
    assert [row.get("code") for row in rows] == [
        None,
        "malformed_tenant_id",
        None,
        "unknown_tenant",
        None,
        "model_unavailable",
    ]


@pytest.mark.parametrize("odd", [7, 1.5, True, None, [], {"a": 1}, float("nan"), 10**400])
def test_what_is_no_text_fails_only_its_own_row(ask: Callable[..., dict[str, Any]], odd: Any) -> None:
    answer = ask(["a", odd, "b"])
    rows = answer["document"]["predictions"]
    assert answer["statusCode"] == 200
    assert [row["status"] for row in rows] == ["scored", "no_answer", "scored"]
    assert rows[1]["code"] == "malformed_tenant_id"
    assert rows[1]["tenant_id"] in (odd, None)


@pytest.mark.parametrize("ids", [["broken"], ["broken", "broken-2"], ["broken", 7, "bad/id"]])
def test_when_every_id_fails_by_our_fault_the_answer_is_503(ask: Callable[..., dict[str, Any]], ids: list[Any]) -> None:
    answer = ask(ids)
    assert (answer["statusCode"], answer["document"]["code"]) == (503, "model_unavailable")
    assert answer["multiValueHeaders"]["Retry-After"] == ["5"]


def test_a_body_that_is_too_long_is_413(ask: Callable[..., dict[str, Any]]) -> None:
    answer = ask(["x" * 200_000])
    assert (answer["statusCode"], answer["document"]["code"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("body", "encoded"),
    [
        ('{"tenant_ids": ["caf\ufffd"]}', False),  # as the gateway passes on what is not UTF-8
        (base64.b64encode(b'{"tenant_ids": ["caf\xe9"]}').decode(), True),
        (base64.b64encode(json.dumps({"tenant_ids": ["a"]}).encode("utf-16")).decode(), True),
        ("not base64 \u00e9", True),
    ],
)
def test_a_body_that_is_not_utf_8_is_400(ask: Callable[..., dict[str, Any]], body: str, encoded: bool) -> None:
    answer = ask(body, isBase64Encoded=encoded)
    assert (answer["statusCode"], answer["document"]["code"]) == (400, "malformed_request")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"tenant_ids": ["a"], "tenant_ids": ["b"]}', "the key 'tenant_ids' is there more than once"),
        ('{"tenant_ids": [' + "9" * 5_000 + "]}", "a number has 5000 digits"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_json_with_two_meanings_or_beyond_a_limit_is_400(
    ask: Callable[..., dict[str, Any]], body: str, words: str
) -> None:
    answer = ask(body)
    assert (answer["statusCode"], answer["document"]["code"]) == (400, "malformed_request")
    assert words in answer["document"]["detail"]


@pytest.mark.parametrize(
    ("name", "resource", "path", "allowed"),
    [
        ("features", "/tenants/{tenant_id}/features", "/tenants/a/features", "GET, HEAD"),
        ("predictions", "/tenants/{tenant_id}/prediction", "/tenants/a/prediction", "GET, HEAD"),
        ("predictions", "/predictions", "/predictions", "POST"),
        ("features", f"{RECORD}/features", "/use-cases/a/records/b/features", "GET, HEAD"),
        ("predictions", f"{RECORD}/prediction", "/use-cases/a/records/b/prediction", "GET, HEAD"),
        ("predictions", "/use-cases/{name}/predictions", "/use-cases/a/predictions", "POST"),
        ("predictions", "/use-cases", "/use-cases", "GET, HEAD"),
        ("approvals", "/approvals/{approval_id}", "/approvals/r1", "GET, HEAD, POST"),
        ("approvals", "/approvals/{approval_id}/data-quality", "/approvals/r1/data-quality", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_405_and_says_which_are_right(
    monkeypatch: pytest.MonkeyPatch, name: str, resource: str, path: str, allowed: str
) -> None:
    answer = function(name, monkeypatch).handler(proxy_event("DELETE", resource, path), CONTEXT)
    sys.modules.pop("page", None)
    assert (answer["statusCode"], answer["multiValueHeaders"]["Allow"]) == (405, [allowed])
    assert answer["multiValueHeaders"]["X-Content-Type-Options"] == ["nosniff"]
    assert answer["multiValueHeaders"]["Strict-Transport-Security"] == ["max-age=31536000; includeSubDomains"]
    assert answer["multiValueHeaders"]["Cache-Control"] == ["no-store"]


def test_head_is_get_without_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    features = function("features", monkeypatch)
    monkeypatch.setenv("USE_CASE", "tenant_experience")
    monkeypatch.setattr(features.served_use_case, "read", lambda _name: SERVED)
    event = {"resource": "/tenants/{tenant_id}/features", "path": "/tenants/%20/features"}
    head, get = (features.handler(proxy_event(method, **event), CONTEXT) for method in ("HEAD", "GET"))
    assert (head["statusCode"], head["body"]) == (get["statusCode"], "") == (400, "")
    assert head["multiValueHeaders"] == get["multiValueHeaders"]


@pytest.mark.parametrize("shard", ["9" * 5_000, "\u0663", "-1", "1.0", "x", "9" * 7])
def test_a_report_that_cannot_be_is_404(approvals: ModuleType, monkeypatch: pytest.MonkeyPatch, shard: str) -> None:
    monkeypatch.setattr(approvals, "_signed", lambda _id: (SimpleNamespace(approval_id="r1"), "token", "signature"))
    event = proxy_event("GET", "/approvals/{approval_id}/report/{shard}", f"/approvals/r1/report/{shard}")
    answer = approvals.handler(event, CONTEXT)
    assert answer["statusCode"] == 404
    assert answer["multiValueHeaders"]["X-Content-Type-Options"] == ["nosniff"]
