"""What may be sent to a model, and what comes back, driven over HTTP against the real server."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import numpy as np
import pytest

from tests.support.small_model import FEATURES

CSV, JSON = {"content-type": "text/csv"}, {"content-type": "application/json"}


@pytest.fixture
def invoke(multi_model: httpx.Client, loaded: str) -> Any:
    def send(content: Any, headers: dict[str, str] = JSON) -> httpx.Response:
        content = content if isinstance(content, str | bytes) else json.dumps(content)
        return multi_model.post(f"/models/{loaded}/invoke", content=content, headers=headers)

    return send


def instance(**features: Any) -> dict[str, Any]:
    return {"instances": [{"tenant_id": "U1", "features": features}]}


def message(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    return str(answer.json()["error"]["message"])


def test_json_answers_with_version_scale_and_tenant(invoke: Any) -> None:
    answer = invoke(instance(work_order_count=2.0, mean_first_response_hr=1)).json()
    assert (answer["model_version"], answer["partition"], answer["scale"]) == ("r1", "all", "global")
    [prediction] = answer["predictions"]
    assert set(prediction) == {"tenant_id", "status", "probability", "experience"}
    assert (prediction["tenant_id"], prediction["status"], prediction["experience"]) == ("U1", "scored", "bad")
    assert prediction["probability"] > 0.5


def test_contributions_come_when_asked_for(invoke: Any) -> None:
    answer = invoke(instance(work_order_count=2.0) | {"explain": True}).json()
    contributions = answer["predictions"][0]["contributions"]
    assert tuple(contributions) == FEATURES
    assert contributions["work_order_count"] > 0.1


def test_absent_null_and_empty_are_the_same_missing(invoke: Any) -> None:
    absent = invoke(instance(work_order_count=1.5)).json()["predictions"]
    null = invoke(instance(work_order_count=1.5, answer_rate=None, mean_first_response_hr=None)).json()["predictions"]
    empty = invoke("1.5,,\n", CSV).json()["predictions"]
    assert absent == null
    assert empty[0]["probability"] == absent[0]["probability"]


@pytest.mark.parametrize("missing", ["nan", "NaN", " ", "NA", "N/A", "<NA>", "null", "None", '""'])
def test_every_spelling_of_missing_is_the_empty_cell(invoke: Any, missing: str) -> None:
    assert invoke(f"1.5,{missing},{missing}\n", CSV).json() == invoke("1.5,,\n", CSV).json()
    assert len(invoke(f"{missing},1,2\n", CSV).json()["predictions"]) == 1


def test_an_empty_line_is_a_row_where_a_row_is_one_cell(invoke: Any) -> None:
    answers = invoke("work_order_count\n2\n\n2\n\n", CSV).json()["predictions"]
    assert [row["status"] for row in answers] == ["scored", "no_features", "scored", "no_features"]
    assert len(invoke("1,2,3\n\n1,2,3\n\n", CSV).json()["predictions"]) == 2


def test_csv_gives_a_probability_a_line(invoke: Any) -> None:
    answer = invoke("2,1,0.5\n-2,-1,0.5\n", CSV | {"accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    high, low = map(float, answer.text.splitlines())
    assert high > 0.5 > low


def test_a_header_decides_the_order_and_may_name_fewer(invoke: Any) -> None:
    plain = invoke("2,1,0.5\n", CSV | {"accept": "text/csv"}).text
    named = invoke("answer_rate, work_order_count,mean_first_response_hr\r\n0.5,2,1\r\n", CSV | {"accept": "text/csv"})
    assert named.text == plain
    fewer = invoke("work_order_count\n2\n", CSV | {"accept": "text/csv"}).text
    assert fewer == invoke("2,,\n", CSV | {"accept": "text/csv"}).text


def test_quotes_and_line_ends_of_other_systems_are_read(invoke: Any) -> None:
    plain = invoke("2,1,0.5\n-2,1,0.5\n", CSV | {"accept": "text/csv"}).text
    assert invoke('"2","1","0.5"\r\n"-2","1","0.5"', CSV | {"accept": "text/csv"}).text == plain


def test_a_tenant_of_whom_nothing_is_known_gets_no_number_but_a_name(invoke: Any) -> None:
    answer = invoke(instance() | {"explain": True}).json()["predictions"][0]
    numbers = {"probability": None, "experience": None, "contributions": {}}
    assert answer == {"tenant_id": "U1", "status": "no_features", **numbers}
    assert np.isfinite(float(invoke(",,\n", CSV | {"accept": "text/csv"}).text))


def test_features_the_model_does_not_read_are_passed_over_when_asked_to(invoke: Any) -> None:
    plain = invoke(instance(work_order_count=1.0)).json()
    more = instance(work_order_count=1.0, colour="red") | {"ignore_unknown_features": True}
    assert invoke(more).json() == plain


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("application/json;q=0.1, text/csv", "text/csv"),
    ],
)
def test_accept_decides_the_kind(invoke: Any, accept: str | None, kind: str) -> None:
    headers = JSON | ({"accept": accept} if accept else {})
    assert invoke(instance(), headers).headers["content-type"].startswith(kind)


def test_406_415_413_and_204(invoke: Any) -> None:
    assert "text/html" in message(invoke(instance(), JSON | {"accept": "text/html"}), 406)
    assert "text/plain" in message(invoke("1,2,3", {"content-type": "text/plain"}), 415)
    for body in (gzip.compress(b"1,2,3\n"), b"1,2,3\n"):
        packed = {"content-type": "text/csv", "content-encoding": "gzip"}
        assert "Content-Encoding gzip" in message(invoke(body, packed), 415)
    assert invoke("1,2,3\n", {"content-type": "text/csv", "content-encoding": "identity"}).status_code == 200
    for _attempt in range(5):
        # Again and again on one connection: a refused body must not spoil the next request.
        message(invoke("1,2,3\n" * 200_000, CSV), 413)
        assert invoke("1,2,3\n", CSV).status_code == 200
    for nothing, headers in (("", CSV), ("\n\n", CSV), ("", JSON), ({"instances": []}, JSON)):
        answer = invoke(nothing, headers)
        assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("{", "not JSON"),
        ("[]", "must be an object"),
        ('{"rows": []}', "unknown key rows"),
        ('{"instances": 3}', "instances must be a list"),
        ('{"instances": [], "explain": 1}', "explain must be true or false"),
        ('{"instances": [{"features": {}}, 3]}', "instance 1 must be an object"),
        ('{"instances": [{"features": 3}]}', "instance 0: features must be an object"),
        ('{"instances": [{"tenant_id": 3, "features": {}}]}', "instance 0: tenant_id"),
        ('{"instances": [{"features": {"colour": 1}}]}', "instance 0: unknown feature colour"),
        ('{"instances": [{"features": {"answer_rate": "high"}}]}', 'instance 0: answer_rate is "high"'),
        ('{"instances": [{"features": {"answer_rate": true}}]}', "instance 0: answer_rate is true"),
        ('{"instances": [{"features": {"answer_rate": NaN}}]}', "NaN is not a JSON number"),
        ('{"instances": [{"features": {"answer_rate": 1e999}}]}', "instance 0: answer_rate is infinite"),
        ('{"instances": [{"features": {"answer_rate": 1e39}}]}', "instance 0: answer_rate is infinite"),
        ("[" * 100_000, "not JSON"),
        ('{"instances": [], "instances": []}', "the key 'instances' is there more than once"),
        ('{"instances": [{"features": {"answer_rate": 1, "answer_rate": 2}}]}', "the key 'answer_rate' is there"),
        ('{"instances": [{"features": {"answer_rate": [1]}}]}', "instance 0: answer_rate is [1]"),
        (
            '{"instances": [{"features": {"answer_rate": ' + "[" * 900 + "]" * 900 + "}}]}",
            "instance 0: answer_rate is ",
        ),
        ('{"instances": [{"features": {"answer_rate": ' + "9" * 400 + "}}]}", "answer_rate is infinite"),
        ('{"instances": [{"features": {}, "exposure_days": ' + "9" * 400 + "}]}", "instance 0: exposure_days is inf"),
        ('{"instances": [{"features": {}, "exposure_days": ' + "9" * 5_000 + "}]}", "not JSON"),
        ('{"instances": [{"features": {}, "exposure_days": 1e39}]}', "instance 0: exposure_days is inf"),
        ('{"instances": [{"features": {}, "exposure_days": true}]}', "instance 0: exposure_days is true"),
        ('{"instances": []}'.encode("utf-16"), "not UTF-8"),
        ('{"instances": []}'.encode("utf-32"), "not UTF-8"),
        (b'{"instances": [{"tenant_id": "\xe9", "features": {}}]}', "not UTF-8"),
        ('{"instances": [], "ignore_unknown_features": 1}', "ignore_unknown_features must be true or false"),
        ('{"instances": [{"features": {}, "exposure_days": "x"}]}', 'instance 0: exposure_days is "x"'),
        ('{"instances": [{"features": {}, "exposure_days": 0}]}', "instance 0: exposure_days is 0"),
        ('{"instances": [{"features": {}, "exposure_days": 1e999}]}', "instance 0: exposure_days is inf"),
    ],
)
def test_wrong_json_is_400_and_says_where(invoke: Any, body: str | bytes, named: str) -> None:
    assert named in message(invoke(body), 400)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"1,2\n", "line 1: 2 cells instead of 3"),
        (b"1,2,3\n1,x,3\n", "line 2: mean_first_response_hr is 'x'"),
        (b"1,2,3\n\n1,2,inf\n", "answer_rate is infinite"),
        (b"x,y,z\n", "line 1: work_order_count is 'x'"),
        (b"work_order_count,colour\n1,2\n", "line 1: unknown feature colour"),
        (b"answer_rate,answer_rate\n1,2\n", "line 1: a feature is repeated"),
        (b"answer_rate\n1\n1,2\n", "line 3: 2 cells instead of 1"),
        (b"\xff\xfe", "not UTF-8"),
        (b"1_000,2,3\n", "work_order_count is '1_000'"),
        ("\uff11,2,3\n".encode(), "line 1: work_order_count is"),
        (b'1,2,"3\n', "not CSV"),
    ],
)
def test_wrong_csv_is_400_and_says_where(invoke: Any, body: bytes, named: str) -> None:
    assert named in message(invoke(body, CSV), 400)


def test_a_cell_too_long_for_csv_is_400(invoke: Any) -> None:
    assert "not CSV" in message(invoke("9" * 200_000, CSV), 400)


def test_a_byte_order_mark_is_no_part_of_the_first_name(invoke: Any) -> None:
    body = ",".join(FEATURES) + "\n" + ",".join(["1"] * len(FEATURES))
    assert invoke(b"\xef\xbb\xbf" + body.encode(), CSV).json() == invoke(body, CSV).json()


def test_parameters_of_accept_change_nothing(invoke: Any) -> None:
    answer = invoke(instance(), JSON | {"accept": "text/csv; charset=utf-8"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv")
    assert invoke(instance(), JSON | {"accept": ""}).headers["content-type"] == "application/json"


def test_a_refusal_is_short_however_long_the_request(invoke: Any) -> None:
    assert len(message(invoke(instance(**{"x" * 1_000_000: 1})), 400)) < 2_000
    assert len(message(invoke({f"key{number}": 1 for number in range(50_000)}), 400)) < 2_000
