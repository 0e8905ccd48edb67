"""What comes back for each kind of label, and how categories are read, over HTTP against the real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.task_models import ENCODING, LABELS, write_model

CSV = {"content-type": "text/csv", "accept": "text/csv"}
LINES = {"content-type": "application/jsonlines"}


@pytest.fixture(scope="module")
def invoke(multi_model: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., httpx.Response]:
    base = tmp_path_factory.mktemp("tasks")
    for task in LABELS:
        body = {"model_name": task, "url": str(write_model(base / task, task))}
        assert multi_model.post("/models", json=body).status_code == 200

    def send(task: str, content: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        content = content if isinstance(content, str) else json.dumps(content)
        headers = headers or {"content-type": "application/json"}
        return multi_model.post(f"/models/{task}/invoke", content=content, headers=headers)

    return send


def rows(*features: dict[str, Any]) -> dict[str, Any]:
    return {"instances": [{"features": each} for each in features]}


TWO = rows({"minutes": 90, "plan": "gold", "calls": 2}, {"minutes": 5, "plan": "none", "calls": 2})


def test_two_labels_are_told_by_the_probability_of_the_positive_one(invoke: Callable[..., httpx.Response]) -> None:
    much, little = invoke("binary", TWO).json()["predictions"]
    assert set(much) == {"tenant_id", "status", "probability", "experience"}
    assert (much["experience"], little["experience"]) == ("leaves", "stays")
    assert much["probability"] > 0.9 > 0.1 > little["probability"]


def test_several_labels_are_told_by_the_probability_of_each(invoke: Callable[..., httpx.Response]) -> None:
    much, little = invoke("multiclass", TWO).json()["predictions"]
    assert set(much) == {"tenant_id", "status", "probabilities", "experience"}
    assert list(much["probabilities"]) == ["low", "middle", "high"]
    assert sum(much["probabilities"].values()) == pytest.approx(1)
    assert (much["experience"], little["experience"]) == ("high", "low")


def test_a_number_is_told_as_it_is(invoke: Callable[..., httpx.Response]) -> None:
    much, little = invoke("regression", TWO).json()["predictions"]
    assert set(much) == {"tenant_id", "status", "value"}
    assert (much["value"], little["value"]) == (pytest.approx(150, abs=5), pytest.approx(5, abs=5))


def test_csv_tells_one_number_or_one_for_each_label(invoke: Callable[..., httpx.Response]) -> None:
    body = "90,gold,2\n5,none,2\n"
    for task, key in (("binary", "probability"), ("regression", "value")):
        told = [row[key] for row in invoke(task, TWO).json()["predictions"]]
        assert [float(line) for line in invoke(task, body, CSV).text.splitlines()] == told
    told = [list(row["probabilities"].values()) for row in invoke("multiclass", TWO).json()["predictions"]]
    lines = invoke("multiclass", body, CSV).text.splitlines()
    assert [[float(cell) for cell in line.split(",")] for line in lines] == told


def test_a_category_never_seen_is_none_of_the_known_ones_and_is_named(invoke: Callable[..., httpx.Response]) -> None:
    new, missing, known = invoke(
        "binary", rows({"minutes": 50, "plan": "platinum"}, {"minutes": 50}, {"minutes": 50, "plan": "gold"})
    ).json()["predictions"]
    assert new["unknown_categories"] == ["plan"]
    assert "unknown_categories" not in missing.keys() | known.keys()
    assert new["probability"] < known["probability"]
    lines = invoke("binary", "50,platinum,\n50,,\n50,gold,\n", CSV).text.splitlines()
    assert [float(line) for line in lines] == [row["probability"] for row in (new, missing, known)]


def test_lines_are_told_what_an_instance_is(invoke: Callable[..., httpx.Response]) -> None:
    sent = [{"plan": "platinum", "minutes": 50}, {"plan": 3}, {}, {"plan": "gold", "minutes": 9, "calls": 2, "city": 7}]
    body = "\n".join(json.dumps({"features": features}) for features in sent)
    for task in LABELS:
        told = [json.loads(line) for line in invoke(task, body, LINES).text.splitlines()]
        refused = told.pop(1)
        assert refused["error"]["message"] == "the line: plan is 3, neither a text nor null"
        right = rows(*(features for features in sent if features.get("plan") != 3)) | {"ignore_unknown_features": True}
        of_model = {"model_version": "r1", "scale": "local"}
        expected = [{**row, **of_model} for row in invoke(task, right).json()["predictions"]]
        assert [{"tenant_id": None, **line} for line in told] == expected
        assert told[0]["unknown_categories"] == ["plan"]


def test_a_header_names_categories_too(invoke: Callable[..., httpx.Response]) -> None:
    plain = invoke("binary", "50,gold,3\n", CSV).text
    assert invoke("binary", "plan,calls,minutes\ngold,3,50\n", CSV).text == plain
    # A row whose category happens to be called like a feature is no header.
    assert invoke("binary", "50,minutes,3\n", CSV).status_code == 200


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (rows({"plan": 3}), "instance 0: plan is 3, neither a text nor null"),
        (rows({"plan": ["gold"]}), 'instance 0: plan is ["gold"], neither a text nor null'),
        (rows({"minutes": "gold"}), 'instance 0: minutes is "gold", neither a number nor null'),
        ("50,gold\n", "line 1: 2 cells instead of 3"),
        ("50,gold,x\n", "line 1: calls is 'x'"),
        ("50,gold,1\ninf,gold,1\n", "line 2: minutes is infinite"),
    ],
)
def test_a_wrong_kind_of_value_is_400_and_says_where(
    invoke: Callable[..., httpx.Response], body: Any, named: str
) -> None:
    answer = invoke("binary", body, CSV if isinstance(body, str) else None)
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]


def test_contributions_are_told_by_feature_not_by_column(invoke: Callable[..., httpx.Response]) -> None:
    for task in LABELS:
        for row in invoke(task, TWO | {"explain": True}).json()["predictions"]:
            assert list(row["contributions"]) == list(ENCODING.features)
