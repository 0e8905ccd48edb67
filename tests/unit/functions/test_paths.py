"""A path arrives as the client wrote it, and the functions of the API decode it exactly once."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tenant_experience.errors import UserError
from tenant_experience.use_case import files as use_case_files
from tests.support.function_module import function_module

Ask = Callable[[str], tuple[int, str, list[str]]]

LAST = {"features": "features", "predictions": "prediction"}
# What the gateway puts before the id, the parameters of the path apart from the id, and what an id is called.
FAMILIES = {
    "tenants": ("/tenants", "/tenants", {}, "tenant"),
    "records": ("/use-cases/{name}/records", "/use-cases/small/records", {"name": "small"}, "record"),
}


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> tuple[str, str, dict[str, str], str]:
    return FAMILIES[request.param]


@pytest.fixture
def noun(family: tuple[str, str, dict[str, str], str]) -> str:
    return family[3]


@pytest.fixture(params=LAST)
def ask(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, family: tuple[str, str, dict[str, str], str]
) -> Ask:
    """Asks for an id as API Gateway does: status, code, and the ids that were looked up."""
    app, last = function_module(request.param), LAST[request.param]
    resource, path, parameters, noun = family
    looked_up: list[str] = []

    def nobody(ids: list[str], *_more: Any, **_named: Any) -> dict[str, Any]:
        looked_up.extend(ids)
        raise UserError("nobody", code=f"unknown_{noun}")

    monkeypatch.setenv("USE_CASE", "tenant_experience")
    monkeypatch.setattr(use_case_files, "names", lambda: ["small"])
    use_case = SimpleNamespace(name="small", record_id_case="sensitive")
    monkeypatch.setattr(app.served_use_case, "read", lambda _name: use_case)
    monkeypatch.setattr(app.served_features, "read_tenants", nobody)
    if request.param == "predictions":
        monkeypatch.setenv("STALE_AFTER_DAYS", "35")
        monkeypatch.setattr(app.release_table, "read_live", lambda _name: SimpleNamespace())

    def call(sent: str) -> tuple[int, str, list[str]]:
        looked_up.clear()
        event = {
            "version": "1.0",
            "resource": f"{resource}/{{{noun}_id}}/{last}",
            "path": f"{path}/{sent}/{last}",
            "httpMethod": "GET",
            "headers": {},
            "multiValueHeaders": {},
            "queryStringParameters": None,
            "multiValueQueryStringParameters": None,
            "pathParameters": {**parameters, f"{noun}_id": sent},
            "requestContext": {"path": f"/v1{path}/{sent}/{last}", "stage": "v1"},
            "body": None,
            "isBase64Encoded": False,
        }
        answer = app.handler(event, SimpleNamespace(aws_request_id="1"))
        return answer["statusCode"], json.loads(answer["body"])["code"], list(looked_up)

    return call


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("T%201", "T 1"),
        ("T%25201", "T%201"),
        ("T%2525201", "T%25201"),
        ("a+b", "a+b"),
        ("a%2Bb", "a+b"),
        ("%C3%A9", "\u00e9"),
        ("100%25", "100%"),
        ("%3Fq%23f", "?q#f"),
        ("a;b", "a;b"),
        ("%zz", "%zz"),
        ("%22q%22", '"q"'),
    ],
)
def test_an_id_is_decoded_exactly_once(ask: Ask, noun: str, sent: str, meant: str) -> None:
    assert ask(sent) == (404, f"unknown_{noun}", [meant])


@pytest.mark.parametrize(
    "sent", ["a%2Fb", "..%2Fx", "%00", "%FF%FE", "%20", "%C3", "%E2%80%A8x", "a%5Cb", "%2e%2e", "..", "a\u00e9\u2028"]
)
def test_an_id_that_cannot_be_one_is_refused_after_it_was_decoded(ask: Ask, noun: str, sent: str) -> None:
    assert ask(sent) == (400, f"malformed_{noun}_id", [])
