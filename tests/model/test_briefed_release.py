"""A release over a live one, from its evaluation to the approval page: the real files, the real answers."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tenant_experience.aws import objects, release_table
from tenant_experience.data_layout import reports
from tenant_experience.erasure.file import Eraser
from tenant_experience.erasure.id import ErasedId
from tenant_experience.erasure.mapping import RawMapping
from tenant_experience.release import approval, brief
from tenant_experience.release.brief import Brief
from tenant_experience.release.partition_result import ShardResult
from tenant_experience.release.release import LiveRelease
from tenant_experience.use_case.source import Source
from tests.support.briefed_release import Briefed, briefed
from tests.support.function_module import function_module
from tests.support.places import ROOT
from tests.support.words import TENANT_WORDS

LIVE = LiveRelease.of_models("r1", "2026-11-01T00:00:00Z", 3, {"all": "r1"})
Get = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Briefed:
    release = briefed(tmp_path_factory.mktemp("briefed"))
    found = json.loads((release.bucket / reports("r2", 0) / "brief.json").read_text())
    whole = brief.merge([found], ["hours until the first response rose"], ["It costs $84."], TENANT_WORDS)
    (release.bucket / reports("r2") / "brief.json").write_text(json.dumps(whole.document()))
    (release.bucket / reports("r2") / "data_quality.html").write_text(
        "<html><body><main>\nThe data</main></body></html>"
    )
    return release


@pytest.fixture
def approvals(made: Briefed, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(ROOT / "functions" / "approvals")
    made.serve(monkeypatch)
    monkeypatch.setattr(release_table, "read_live", lambda _use_case: LIVE)
    rows = [{"partition": "all", "slug": "all", "status": "ready", **made.outcomes[0].figures}]
    summary = approval.summarise(
        "r2", "tenant_experience", "2026-12-01T00:00:00Z", [ShardResult.read({"partitions": rows}, 0)], "r0", ()
    )
    request = approval.Approval("r2", "arn", 2_000_000_000, "pending", replace(summary, words=TENANT_WORDS))
    module = function_module("approvals")
    ada = approval.Asked("ada@example.com", opened="2026-12-01T00:00:00Z")
    monkeypatch.setattr(module, "_signed", lambda _id: (request, ada, "signature=sig%2Bnature"))
    monkeypatch.setattr(module.link_signature, "sign", lambda text: text.hex())
    monkeypatch.setattr(module, "_token", lambda _request, _asked: "of-the-form")
    yield module
    sys.modules.pop("page", None)


@pytest.fixture
def get(approvals: ModuleType) -> Get:
    context = SimpleNamespace(
        function_name="f", memory_limit_in_mb=1, invoked_function_arn="arn", aws_request_id="request"
    )

    def ask(path: str = "", method: str = "GET", **query: str) -> dict[str, Any]:
        name = re.sub(r"report/.*", "report/{shard}", path)
        event = {
            "httpMethod": method,
            "resource": f"/approvals/{{approval_id}}{name}",
            "path": f"/approvals/r2{path}",
            "queryStringParameters": query,
            "requestContext": {"httpMethod": method, "resourcePath": "x", "requestId": "x"},
        }
        answer: dict[str, Any] = approvals.handler(event, context)
        return answer

    return ask


def brief_of(made: Briefed) -> Brief:
    return Brief.read(json.loads((made.bucket / reports("r2") / "brief.json").read_text()))


def test_the_lists_name_everybody_who_changes_and_the_brief_names_nobody(made: Briefed) -> None:
    [model] = brief_of(made).partitions
    assert model.changes is not None
    assert (model.changes.known, model.changes.new, model.changes.gone) == (800, 0, 0)
    assert sum(way.records for way in model.changes.directions) == model.changes.moved > 0
    assert [(way.before, way.now) for way in model.changes.directions] == [("good", "bad"), ("bad", "good")]
    folder = made.bucket / reports("r2", 0)
    listed = {way.file: list(csv.DictReader((folder / way.file).open())) for way in model.changes.directions}
    for way in model.changes.directions:
        rows = listed[way.file]
        assert len({row["tenant_id"] for row in rows}) == len(rows) == way.records
        assert {row["moved_by"] for row in rows} <= {"its own figures", "the new rule", "both"}
    worse = listed["changes/all/0-1.csv"]
    assert any(re.search(r"hours until the first response: [\d.]+, before [\d.]+", row["why"]) for row in worse)
    written = (folder / "brief.json").read_text()
    assert not [row["tenant_id"] for rows in listed.values() for row in rows if row["tenant_id"] in written]


def test_who_is_erased_is_in_no_list(made: Briefed, tmp_path: Path) -> None:
    path = made.bucket / reports("r2", 0) / "changes" / "all" / "0-1.csv"
    erased, *others = [row["tenant_id"] for row in csv.DictReader(path.open())]
    me = ErasedId((erased,))
    source = Source.model_validate({"kind": "table", "columns": {"tenant_id": "tenant_id"}})
    with RawMapping.open(source, "tenant_id", me) as mapping:
        found = Eraser(me, "tenant_id", mapping, is_raw=False).erase(path, path.name, tmp_path / "left")
    assert (found.removed, found.left) == (1, "rewritten")
    assert [row["tenant_id"] for row in csv.DictReader((tmp_path / "left").open())] == others


def test_the_page_tells_what_is_live_now_who_changes_and_what_each_choice_does(made: Briefed, get: Get) -> None:
    answer = get()
    page, [model] = answer["body"], brief_of(made).partitions
    assert answer["statusCode"] == 200
    assert "Live now: release r1" in page  # and not r0, which was live when the e-mail was sent
    assert model.champion in page
    order = (
        "<h1>",
        'id="warnings"',
        "Who would change",
        "<figcaption>The groups on a map",
        "It costs $84.",
        'id="decide"',
    )
    places = [page.index(each) for each in order]
    assert places == sorted(places)
    assert "Until the trial has passed, release r1 goes on answering." in page
    assert "<figcaption>Does a probability come true?" in page
    assert "<figcaption>Share bad over time: All tenants" in page
    first = next(csv.DictReader((made.bucket / reports("r2", 0) / "changes/all/0-1.csv").open()))
    assert f"<strong>{first['tenant_id']}</strong>" in page
    [policy] = answer["multiValueHeaders"]["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert answer["multiValueHeaders"]["Cache-Control"] == ["no-store"]
    assert get(method="HEAD")["body"] == ""


@pytest.mark.parametrize("most", [1, 7, 100])
def test_all_who_change_are_listed_part_after_part(
    made: Briefed, approvals: ModuleType, get: Get, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(approvals.evidence, "_MOST_ROWS", most)
    expected = [
        row["tenant_id"] for row in csv.DictReader((made.bucket / reports("r2", 0) / "changes/all/0-1.csv").open())
    ]
    found, query = [], {"partition": "all", "list": "0-1.csv"}
    while True:
        page = get("/changes", **query)["body"]
        found += re.findall(r"<li><strong>([^<]+)</strong>", page)
        following = re.search(r'rel="next"[^>]*start=(\d+)', page)
        if following is None:
            break
        query["start"] = following[1]
    assert found == expected


@pytest.mark.parametrize(
    "query",
    [
        {"partition": "nobody"},
        {"partition": "all", "list": "../../brief.json"},
        {"partition": "all", "list": "0-1.csv", "start": "-1"},
        {"partition": "all", "list": "0-1.csv", "start": "9" * 40},
        {"partition": "<script>", "list": "0-1.csv"},
    ],
)
def test_a_list_that_cannot_be_is_404(get: Get, query: dict[str, str]) -> None:
    answer = get("/changes", **query)
    assert answer["statusCode"] == 404
    assert "<script>" not in answer["body"]


def test_behind_the_end_of_a_list_is_nothing(get: Get) -> None:
    answer = get("/changes", partition="all", list="0-1.csv", start="999999999999")
    assert (answer["statusCode"], "There are no more." in answer["body"]) == (200, True)


@pytest.mark.parametrize(("path", "back"), [("/report/0", "../../r2"), ("/data-quality", "../r2")])
def test_a_report_is_ours_to_serve_and_leads_back(get: Get, path: str, back: str) -> None:
    answer = get(path)
    assert answer["statusCode"] == 200
    assert f'<a href="{back}?signature=sig%2Bnature">Back to the decision</a>' in answer["body"]
    [policy] = answer["multiValueHeaders"]["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert answer["multiValueHeaders"]["Cache-Control"] == ["no-store"]


def test_a_model_has_its_place_in_the_report(get: Get) -> None:
    [address] = set(re.findall(r'href="r2/report/0\?[^"#]*#([^"]+)"', get()["body"]))
    assert f'id="{address}"' in get("/report/0")["body"]


def test_a_report_too_long_for_an_answer_opens_in_the_bucket(
    approvals: ModuleType, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approvals.evidence, "_LONGEST_PAGE", 1_000)
    monkeypatch.setattr(objects, "page_link", lambda _bucket, key, seconds: f"https://bucket/{key}?{seconds}")
    answer = get("/report/0")
    assert answer["statusCode"] == 302
    assert answer["multiValueHeaders"]["Location"] == ["https://bucket/reports/r2/0/report.html?300"]
    assert get("/report/1")["statusCode"] == 404
