"""Spellings of one id that clients send to the API: they mean one tenant, or are refused with a problem."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from tenant_experience.aws import release_table, served_features
from tenant_experience.tenant_id import IdCase
from tenant_experience.use_case import served
from tests.support.places import ROOT, USE_CASE_FOLDER

CONTEXT = SimpleNamespace(function_name="f", memory_limit_in_mb=1, invoked_function_arn="a", aws_request_id="r")
STORED = ("Ren\u00e9e", "Ann Ames", "123", "t1")
ONE_ID = [
    *((text, "Ren\u00e9e") for text in ("Ren\u00e9e", "Rene\u0301e", "  Rene\u0301e ", "\u00a0Ren\u00e9e\u3000")),
    *((text, "Ann Ames") for text in ("Ann Ames", "Ann\u00a0Ames", "Ann\u2009Ames ")),
    *((text, "123") for text in ("123", "123.0", " 123.000 ")),
]
REFUSED = ["T\u200b1", "\ufeffT1", "T1\u200d", "T\u00ad1", "T\u20601", "T\u202e1", "T1\x00", "T1\n", "T\ud8001"]
RULE = "an id must have 1 to 128 characters, no control or invisible characters"


class StoredTenants:
    """AWS as the functions call it: an online store of four tenants with too little history, and a live release."""

    def get_record(self, *, FeatureGroupName: str, RecordIdentifierValueAsString: str) -> dict[str, Any]:  # noqa: N803
        assert FeatureGroupName == "te-tenant_experience"
        known = RecordIdentifierValueAsString in STORED
        return {"Record": self.record(RecordIdentifierValueAsString)} if known else {}

    def batch_get_record(self, *, Identifiers: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        [asked] = Identifiers
        ids = asked["RecordIdentifiersValueAsString"]
        assert len(set(ids)) == len(ids)
        found = [{"RecordIdentifierValueAsString": text, "Record": self.record(text)} for text in ids if text in STORED]
        return {"Records": found, "Errors": [], "UnprocessedIdentifiers": []}

    def get_item(self, **_asked: object) -> dict[str, Any]:
        texts = {"release": "r1", "started_at": "2026-11-01T00:00:00Z", "models": "{}"}
        return {"Item": {name: {"S": text} for name, text in texts.items()} | {"revision": {"N": "1"}}}

    def record(self, tenant: str) -> list[dict[str, str]]:
        texts = {"tenant_id": tenant, "portfolio_id": "p", "partition_slug": "p-1", "history": "insufficient"}
        texts |= {"as_of": "2026-11-01T00:00:00Z", "release": "r1"}
        return [{"FeatureName": name, "ValueAsString": text} for name, text in texts.items()]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Asks one function as the gateway does: the path is passed on as the client wrote it."""
    tenants = StoredTenants()
    monkeypatch.setattr(served_features, "feature_store", lambda: tenants)
    monkeypatch.setattr(release_table, "dynamodb", lambda: tenants)
    monkeypatch.syspath_prepend(str(ROOT))
    settings = {"USE_CASE": "tenant_experience", "PROJECT": "te", "RELEASE_TABLE": "t", "ENDPOINT": "e"}
    for name, value in (settings | {"STALE_AFTER_DAYS": "30"}).items():
        monkeypatch.setenv(name, value)

    def send(function: str, method: str, resource: str, path: str, body: str = "") -> tuple[int, dict[str, Any]]:
        file = ROOT / "functions" / function / "app.py"
        spec = importlib.util.spec_from_file_location(f"asked_{function}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        event = json.loads((ROOT / "events" / f"{function}.json").read_text())
        event |= {"httpMethod": method, "resource": resource, "path": path, "body": body, "isBase64Encoded": False}
        answer = module.handler(event | {"pathParameters": {"tenant_id": "x"} if not body else {}}, CONTEXT)
        return answer["statusCode"], json.loads(answer["body"])

    return send


ROUTES = [("features", "features"), ("predictions", "prediction")]


@pytest.mark.parametrize(("function", "route"), ROUTES)
@pytest.mark.parametrize(("text", "meant"), ONE_ID)
def test_a_path_names_the_tenant_that_it_means(
    ask: Callable[..., tuple[int, dict[str, Any]]], function: str, route: str, text: str, meant: str
) -> None:
    resource = f"/tenants/{{tenant_id}}/{route}"
    status, answer = ask(function, "GET", resource, f"/tenants/{quote(text, safe='')}/{route}")
    assert (status, answer.get("tenant_id")) == (200, meant)


@pytest.mark.parametrize(("function", "route"), ROUTES)
@pytest.mark.parametrize("text", [text for text in REFUSED if "\ud800" not in text])
def test_a_path_with_characters_that_are_not_seen_is_refused(
    ask: Callable[..., tuple[int, dict[str, Any]]], function: str, route: str, text: str
) -> None:
    resource = f"/tenants/{{tenant_id}}/{route}"
    status, answer = ask(function, "GET", resource, f"/tenants/{quote(text, safe='')}/{route}")
    assert (status, answer["code"]) == (400, "malformed_tenant_id")
    assert answer["detail"].startswith(RULE)


def test_each_row_of_a_list_is_the_tenant_that_it_means(ask: Callable[..., tuple[int, dict[str, Any]]]) -> None:
    asked = [text for text, _ in ONE_ID]
    for ids in (asked, [asked[1]], [asked[-1]]):
        status, answer = ask("predictions", "POST", "/predictions", "/predictions", json.dumps({"tenant_ids": ids}))
        assert status == 200
        assert [row["tenant_id"] for row in answer["predictions"]] == [dict(ONE_ID)[text] for text in ids]
        assert {row["status"] for row in answer["predictions"]} == {"insufficient_history"}


def test_each_row_with_characters_that_are_not_seen_is_refused(
    ask: Callable[..., tuple[int, dict[str, Any]]],
) -> None:
    body = json.dumps({"tenant_ids": ["t1", *REFUSED]})
    status, answer = ask("predictions", "POST", "/predictions", "/predictions", body)
    first, *others = answer["predictions"]
    assert (status, first["tenant_id"], first["status"]) == (200, "t1", "insufficient_history")
    assert {row["code"] for row in others} == {"malformed_tenant_id"}
    assert all(row["detail"].startswith(RULE) for row in others)


@pytest.mark.parametrize(("case", "found"), [("sensitive", ["t1"]), ("insensitive", ["t1"] * 3)])
def test_the_case_of_ids_counts_as_the_use_case_declares(
    ask: Callable[..., tuple[int, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, case: IdCase, found: list[str]
) -> None:
    use_case = replace(served.read("tenant_experience"), record_id_case=case)
    monkeypatch.setattr(served, "read", lambda _name: use_case)
    asked = ["t1", "T1", " T1 "]
    for function, route in ROUTES:
        answers = [
            ask(function, "GET", f"/tenants/{{tenant_id}}/{route}", f"/tenants/{quote(text, safe='')}/{route}")
            for text in asked
        ]
        assert [answer["tenant_id"] for status, answer in answers if status == 200] == found
    status, answer = ask("predictions", "POST", "/predictions", "/predictions", json.dumps({"tenant_ids": asked}))
    rows = [row["tenant_id"] for row in answer["predictions"] if row["status"] == "insufficient_history"]
    assert (status, rows, len(answer["predictions"])) == (200, found, 3)


def test_a_deployed_use_case_says_whether_case_counts() -> None:
    content = (USE_CASE_FOLDER / "use_case.yaml").read_bytes()
    assert served.parse(content).record_id_case == "sensitive"
    assert served.parse(content.replace(b"record_id_case: sensitive", b"")).record_id_case == "sensitive"
    insensitive = content.replace(b"case: sensitive", b"case: insensitive")
    assert served.parse(insensitive).record_id_case == "insensitive"
