"""``application/jsonlines``: one answer in the place of each line, whatever the line is, and the numbers of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from container import json_lines
from container.json_lines import answer_lines
from container.serving_errors import TooLargeError
from container.serving_settings import ServingSettings
from tenant_experience.errors import UserError
from tenant_experience.models.artifact import read_manifest
from tenant_experience.models.served_model import ServedModel
from tests.support.judged_partition import judged_groups
from tests.support.serving_process import serving

JSON, CSV, LINES = "application/json", "text/csv", "application/jsonlines"
GOOD = {"tenant_id": "U1", "features": {"work_order_count": 2.0, "mean_first_response_hr": 1}, "exposure_days": 200}

Invoke = Callable[..., httpx.Response]


@pytest.fixture
def invoke(multi_model: httpx.Client, loaded: str) -> Invoke:
    def send(content: bytes | str, kind: str = LINES, accept: str | None = None) -> httpx.Response:
        headers = {"content-type": kind} | ({"accept": accept} if accept else {})
        return multi_model.post(f"/models/{loaded}/invoke", content=content, headers=headers)

    return send


@pytest.fixture(scope="session")
def model(model_folder: Path) -> ServedModel:
    return ServedModel.load(model_folder)


def lines(answer: bytes) -> list[dict[str, Any]]:
    assert answer.endswith(b"\n")
    return [json.loads(line) for line in answer.splitlines()]


def answered(model: ServedModel, *sent: Any, explain: bool = False) -> list[dict[str, Any]]:
    """Answers to lines of text, of bytes, or of what is written as JSON."""
    written = [each if isinstance(each, str | bytes) else json.dumps(each) for each in sent]
    body = b"\n".join(each.encode() if isinstance(each, str) else each for each in written)
    return lines(answer_lines(body, model, explain=explain))


def refusal(model: ServedModel, line: Any) -> str:
    """Why a line is refused that stands between two good ones, which are answered as if it were not there."""
    first, found, last = answered(model, GOOD, line, GOOD)
    assert first == last == answered(model, GOOD)[0]
    assert found["status"] == "refused"
    assert set(found) - {"tenant_id"} == {"status", "error", "model_version", "scale"}
    assert found["error"]["code"] == "bad_request"
    return str(found["error"]["message"])


def test_a_line_is_answered_as_an_instance_of_json_is(invoke: Invoke) -> None:
    answer = invoke(json.dumps(GOOD) + "\n")
    assert (answer.status_code, answer.headers["content-type"]) == (200, LINES)
    [line] = lines(answer.content)
    [expected] = invoke(json.dumps({"instances": [GOOD]}), JSON).json()["predictions"]
    assert line == expected | {"model_version": "r1", "scale": "global"}


def test_a_line_without_an_id_is_answered_without_one(model: ServedModel) -> None:
    for features in ({"features": GOOD["features"]}, {"features": GOOD["features"], "tenant_id": None}):
        [line] = answered(model, features)
        assert set(line) == {"status", "probability", "experience", "model_version", "scale"}


def test_what_the_model_does_not_read_is_passed_over(model: ServedModel) -> None:
    more = GOOD | {"features": GOOD["features"] | {"colour": "red", "list": [1, {"deep": None}], "text": "9" * 400}}
    assert answered(model, more) == answered(model, GOOD)


@pytest.mark.parametrize("accept", [None, "*/*", LINES, f"{LINES}; charset=utf-8", f"text/html, {LINES};q=0.1"])
def test_it_is_answered_in_its_own_type_only(invoke: Invoke, accept: str | None) -> None:
    assert invoke(json.dumps(GOOD), accept=accept).headers["content-type"] == LINES
    assert invoke(json.dumps(GOOD), f"{LINES}; charset=utf-8", accept).status_code == 200


@pytest.mark.parametrize(("kind", "accept"), [(LINES, JSON), (LINES, CSV), (JSON, LINES), (CSV, LINES)])
def test_no_other_type_is_answered(invoke: Invoke, kind: str, accept: str) -> None:
    answer = invoke("1,2,3", kind, accept)
    assert (answer.status_code, answer.json()["error"]["code"]) == (406, "not_acceptable")


def test_no_line_is_204_and_empty_lines_at_the_end_are_no_lines(invoke: Invoke) -> None:
    for nothing in ("", "\n", "\r\n \t\n\n", b"\xef\xbb\xbf"):
        assert invoke(nothing).status_code == 204
    plain = invoke(json.dumps(GOOD)).content
    for ending in ("\n", "\r\n", "\n\n  \r\n\n"):
        assert invoke(json.dumps(GOOD) + ending).content == plain
    assert invoke("\ufeff" + json.dumps(GOOD)).content == plain


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("", "not JSON"),
        ("  ", "not JSON"),
        ("{", "not JSON"),
        ("work_order_count,answer_rate", "not JSON"),
        (json.dumps(GOOD) + json.dumps(GOOD), "not JSON"),
        (json.dumps(GOOD) + "," + json.dumps(GOOD), "not JSON"),
        (json.dumps(GOOD)[:40], "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("3", "the line must be an object"),
        ("null", "the line must be an object"),
        ("[]", "the line must be an object"),
        ({"instances": [GOOD]}, "unknown key instances"),
        ({"features": {}, "explain": True}, "unknown key explain"),
        ({"features": None}, "features must be an object"),
        ({"tenant_id": "T"}, "features must be an object"),
        ({"tenant_id": 3, "features": {}}, "tenant_id must be a string"),
        ({"features": {"answer_rate": "1"}}, 'answer_rate is "1"'),
        ({"features": {"answer_rate": True}}, "answer_rate is true"),
        ({"features": {"answer_rate": [1]}}, "answer_rate is [1]"),
        ('{"features": {"answer_rate": NaN}}', "NaN is not a JSON number"),
        ('{"features": {"answer_rate": -Infinity}}', "-Infinity is not a JSON number"),
        ('{"features": {"answer_rate": 1e999}}', "answer_rate is infinite"),
        ('{"features": {"answer_rate": 1e39}}', "answer_rate is infinite"),
        ('{"features": {"answer_rate": -3.5e38}}', "answer_rate is infinite"),
        ('{"features": {"answer_rate": ' + "9" * 400 + "}}", "answer_rate is infinite"),
        ('{"features": {"answer_rate": ' + "9" * 5_000 + "}}", "not JSON"),
        ('{"features": {"answer_rate": ' + "[" * 900 + "]" * 900 + "}}", "answer_rate is "),
        ('{"features": {"answer_rate": 1, "answer_rate": 2}}', "the key 'answer_rate' is there"),
        ('{"features": {"colour": 1, "colour": 2}}', "the key 'colour' is there"),
        ('{"features": {}, "features": {}}', "the key 'features' is there"),
        ({"features": {}, "exposure_days": 0}, "exposure_days is 0"),
        ({"features": {}, "exposure_days": "x"}, 'exposure_days is "x"'),
        ('{"features": {}, "exposure_days": ' + "9" * 400 + "}", "exposure_days is inf"),
        (b'{"tenant_id": "\xe9", "features": {}}', "the line is not UTF-8"),
        (json.dumps(GOOD).encode("utf-16"), "the line is not UTF-8"),
        (json.dumps(GOOD).encode("utf-32-le"), "not JSON"),
        (b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), "not JSON"),
    ],
)
def test_a_wrong_line_is_refused_in_its_place_and_no_other(model: ServedModel, line: Any, named: str) -> None:
    message = refusal(model, line)
    assert named in message
    assert len(message) < 500


def test_two_lines_that_are_json_only_together_are_both_refused(model: ServedModel) -> None:
    halves = ('{"features": {"colour": [{}', '{}]}}, {"features": {}}')
    assert [line["status"] for line in answered(model, GOOD, *halves, GOOD)] == ["scored", *["refused"] * 2, "scored"]


def test_a_refusal_says_whose_it_is(model: ServedModel) -> None:
    found = answered(model, GOOD | {"features": {"answer_rate": "high"}}, GOOD | {"exposure_days": -1})
    assert [line["tenant_id"] for line in found] == ["U1", "U1"]
    assert "tenant_id" not in answered(model, '{"tenant_id": "U1",')[0]


def test_a_line_is_ended_by_nothing_but_a_line_feed(model: ServedModel) -> None:
    ids = ["\u2028", "\u0085", "\x0b\x0c\x1c", "\r", "\ud800"]
    sent = [json.dumps(GOOD | {"tenant_id": tenant_id}, ensure_ascii=tenant_id == "\ud800") for tenant_id in ids]
    assert [line["tenant_id"] for line in answered(model, *sent)] == ids


def test_a_line_of_a_million_characters_is_a_line(model: ServedModel) -> None:
    long = "x" * 1_000_000
    assert answered(model, GOOD | {"tenant_id": long})[0]["tenant_id"] == long
    assert answered(model, GOOD | {"features": GOOD["features"] | {long: 1, "colour": long}}) == answered(model, GOOD)
    assert len(refusal(model, {"features": {}, long: 1})) < 500
    assert len(refusal(model, {"features": {"answer_rate": long}})) < 500
    assert len(refusal(model, '{"features": {"' + long + '": 1, "' + long + '": 1}}')) < 500


def test_the_same_lines_cut_otherwise_have_the_same_answers(
    model: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [GOOD, "{", GOOD | {"features": {}}, "", GOOD | {"features": {"answer_rate": 1e38}}, '{"features": 3}', GOOD]
    whole = answered(model, *sent)
    monkeypatch.setattr(json_lines, "LINES_AT_ONCE", 3)
    assert answered(model, *sent) == whole == [answered(model, line, GOOD)[0] for line in sent]


def test_more_lines_than_can_be_right_are_refused_before_they_are_read(model: ServedModel) -> None:
    with pytest.raises(TooLargeError, match="1000001 lines, more than 1000000"):
        answer_lines(b"\n" * json_lines.MOST_LINES + b"{}", model, explain=False)


@pytest.mark.parametrize("text", ["yes", "1", "on", "TRUE "])
def test_serving_explain_is_true_or_false(text: str) -> None:
    assert [ServingSettings.from_environment({"SERVING_EXPLAIN": each}).explain for each in ("true", "False", "")] == [
        True,
        False,
        False,
    ]
    with pytest.raises(UserError, match="SERVING_EXPLAIN"):
        ServingSettings.from_environment({"SERVING_EXPLAIN": text})


@pytest.fixture(scope="module")
def of_groups(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, tuple[str, ...]]]:
    """A server of one model of groups whose answers to lines have contributions, and the features of the model."""
    base = tmp_path_factory.mktemp("groups")
    judged_groups(base / "model")
    with serving(base, SERVING_EXPLAIN="true", SERVING_WORKERS="1") as (client, _):
        yield client, read_manifest(base / "model").features


def test_rows_have_the_same_answers_in_every_format(of_groups: tuple[httpx.Client, tuple[str, ...]]) -> None:
    client, features = of_groups
    chance = np.random.default_rng(3)
    values = chance.gamma(2.0, 4.0, size=(60, len(features))).astype(object)
    values[chance.random(values.shape) < 0.1] = None
    values[0] = None
    instances: list[dict[str, Any]] = [{"features": dict(zip(features, row, strict=True))} for row in values.tolist()]

    def ask(kind: str, body: str) -> bytes:
        answer = client.post("/invocations", content=body, headers={"content-type": kind})
        assert answer.status_code == 200
        return answer.content

    cells = "\n".join(",".join("" if cell is None else repr(cell) for cell in row) for row in values.tolist())
    by_csv = json.loads(ask(CSV, cells))
    by_json = json.loads(ask(JSON, json.dumps({"instances": instances, "explain": True})))
    by_line = lines(ask(LINES, "\n".join(map(json.dumps, instances))))
    for place, (line, row, plain) in enumerate(
        zip(by_line, by_json["predictions"], by_csv["predictions"], strict=True)
    ):
        assert line == without(row, "tenant_id") | {name: by_json[name] for name in ("model_version", "scale")}
        assert without(row, "contributions", "contributions_for", "baseline") == plain
        assert line["status"] == ("no_features" if place == 0 else "scored")
        assert bool(line["contributions"]) == (place > 0)


def test_days_and_reasons_are_those_of_json(of_groups: tuple[httpx.Client, tuple[str, ...]]) -> None:
    client, features = of_groups
    tenants = [
        {"tenant_id": f"U{days}", "features": dict.fromkeys(features, 3), "exposure_days": days} for days in (30, 365)
    ]
    body = "\n".join(map(json.dumps, tenants))
    by_line = lines(client.post("/invocations", content=body, headers={"content-type": LINES}).content)
    by_json = client.post("/invocations", json={"instances": tenants, "explain": True}).json()["predictions"]
    assert [without(line, "model_version", "scale") for line in by_line] == by_json
    assert by_line[0]["probability"] != by_line[1]["probability"]


def without(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in names}
