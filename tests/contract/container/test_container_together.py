"""Rows that are read and written together are read, answered and written as each alone is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest

from container import json_lines
from container.answers import in_words
from container.batch import Batch
from container.csv_columns import FEWEST_LINES, MISSING
from container.csv_requests import read_by_line, read_csv, read_together
from container.instances import InstanceReader, Rows
from container.json_lines import answer_lines, read_lines
from container.serving_errors import BadRequestError
from tenant_experience.models.served_model import ServedModel
from tests.support.judged_partition import judged_groups
from tests.support.task_models import ENCODING, LABELS, PLANS, write_model

KINDS = ("groups", *LABELS)
# Put among right lines: what is read with care, and what is refused.
ODD = [
    "",
    "{",
    "null",
    "[]",
    '{"features": []}',
    '{"features": {}}',
    '{"features": {"calls": 1, "calls": 2}}',
    '{"tenant_id": "a:b", "features": {"calls": 1}}',
    '{"tenant_id": "\\u003a", "tenant_id": "x", "features": {}}',
    '{"tenant_id": 3, "features": {"calls": null}}',
    '{"tenant_id": "T", "features": {"calls": "1"}}',
    '{"features": {"calls": true}}',
    '{"features": {"calls": 1e38}}',
    '{"features": {"calls": 3.4e38}}',
    '{"features": {"calls": ' + "9" * 60 + "}}",
    '{"features": {"calls": ' + "9" * 400 + "}}",
    '{"features": {"plan": 4}}',
    '{"features": {"plan": "platinum", "calls": 2}}',
    '{"features": {"calls": 1, "deep": {"a": {"a": 1}}}}',
    '{"features": {"calls": 1}, "exposure_days": 1e39}',
    '{"features": {"calls": 1}, "exposure_days": -1}',
    '{"features": {"calls": 1}, "exposure_days": true}',
    '{"features": {"calls": 1}, "more": 1}',
    ' {"features": {"calls": 1}} \r',
    '{"tenant_id": "100% \\"é\\"", "features": {"minutes": 1, "calls": 1.5}}',
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ServedModel]:
    base = tmp_path_factory.mktemp("together")
    judged_groups(base / "groups")
    for task in LABELS:
        write_model(base / task, task)
    return {kind: ServedModel.load(base / kind) for kind in KINDS}


def instances(model: ServedModel, rows: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Rows with all kinds of values, whole numbers and missing ones among them, in any order of features."""
    chance = np.random.default_rng(seed)
    encoding = model.scorer.encoding
    for number in range(rows):
        features: dict[str, Any] = {}
        for name in chance.permutation(encoding.features).tolist():
            if name in encoding.categories:
                value: Any = [*PLANS, "platinum", None][chance.integers(len(PLANS) + 2)]
            else:
                value = [float(chance.gamma(2, 9)), int(chance.poisson(4)), None][chance.choice(3, p=[0.6, 0.3, 0.1])]
            if chance.random() < 0.9:
                features[name] = value
        instance: dict[str, Any] = {"features": features}
        if chance.random() < 0.8:
            instance["tenant_id"] = f"T{number}"
        if chance.random() < 0.5:
            instance["exposure_days"] = int(chance.integers(30, 400))
        yield instance


def body(model: ServedModel) -> list[str]:
    chance = np.random.default_rng(1)
    lines = [json.dumps(each) for each in instances(model, 150)]
    for odd in ODD * 2:
        lines.insert(int(chance.integers(len(lines))), odd)
    return [*lines, json.dumps({"features": {}})]


@pytest.mark.parametrize("explain", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_lines_together_have_the_bytes_of_each_line_alone(
    models: dict[str, ServedModel], kind: str, explain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models[kind]
    lines = body(model)
    together = answer_lines("\n".join(lines).encode(), model, explain=explain)
    monkeypatch.setattr(json_lines, "LINES_AT_ONCE", 1)
    assert together == answer_lines("\n".join(lines).encode(), model, explain=explain)


@pytest.mark.parametrize("explain", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_lines_are_written_as_json_dumps_writes_the_answers_to_rows(
    models: dict[str, ServedModel], kind: str, explain: bool
) -> None:
    model = models[kind]
    sent = list(instances(model, 120, seed=2))
    rows = one_by_one(model, sent)
    batch = Batch(rows.values, rows.tenant_ids, rows.days, rows.unknown_categories, explain)
    said = {"model_version": "r1", "scale": model.scorer.manifest.scale}
    expected = [
        ({"tenant_id": name} if name else {}) | answer | said
        for name, answer in zip(
            rows.tenant_ids, in_words(batch, model, model.publish(rows.values, rows.days)), strict=True
        )
    ]
    answer = answer_lines("\n".join(map(json.dumps, sent)).encode(), model, explain=explain)
    assert answer.decode().splitlines() == list(map(json.dumps, expected))


def one_by_one(model: ServedModel, sent: list[dict[str, Any]]) -> Rows:
    """The rows as ``InstanceReader.read`` reads each."""
    reader = InstanceReader(model.scorer.encoding, ignore_unknown=True)
    rows = Rows.missing(len(sent), model.scorer.encoding)
    for place, instance in enumerate(sent):
        reader.read(instance, place, rows, "the line")
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_right_lines_are_all_read_together(models: dict[str, ServedModel], kind: str) -> None:
    model = models[kind]
    encoding, sent = model.scorer.encoding, list(instances(model, 200, seed=3))
    rows = Rows.missing(len(sent), encoding)
    assert InstanceReader(encoding, ignore_unknown=True).read_plain(sent, rows) == []
    same(rows_of(rows), rows_of(one_by_one(model, sent)))
    batch, refused = read_lines([json.dumps(each).encode() for each in sent], encoding, explain=False)
    assert not refused
    same(batch, rows_of(rows))


def rows_of(rows: Rows) -> Batch:
    return Batch(rows.values, rows.tenant_ids, rows.days, rows.unknown_categories)


def same(first: Batch, second: Batch) -> None:
    """Two batches are the same, in the types of their numbers too."""
    assert first.values.dtype == second.values.dtype
    np.testing.assert_array_equal(first.values, second.values)
    assert list(first.tenant_ids) == list(second.tenant_ids)
    if first.exposure_days is not None and second.exposure_days is not None:
        np.testing.assert_array_equal(first.exposure_days, second.exposure_days)
    assert first.unknown_categories == second.unknown_categories


def csv_lines(rows: int = FEWEST_LINES + 1) -> list[list[str]]:
    chance = np.random.default_rng(5)
    plans = [*PLANS, "platinum", "", "n/a"]
    return [[repr(float(chance.gamma(2, 9))), str(chance.choice(plans)), str(chance.poisson(3))] for _ in range(rows)]


def text(lines: list[list[str]]) -> str:
    return "".join(",".join(line) + "\n" for line in lines)


HEADER = "calls,plan,minutes\n"
BODIES = {
    "plain": text(csv_lines()),
    "no last end": text(csv_lines()).rstrip(),
    "other ends": text(csv_lines()).replace("\n", "\r\n"),
    "empty lines": "\n\n" + text(csv_lines()).replace("\n", "\n\n"),
    "mark": "\ufeff" + text(csv_lines()),
    "header": HEADER + text([line[::-1] for line in csv_lines()]),
    "some columns": "minutes,plan\n" + text([line[:2] for line in csv_lines()]),
    "other letters": text([[line[0], "größer", line[2]] for line in csv_lines()]),
}


@pytest.mark.parametrize("name", BODIES)
def test_ordinary_csv_is_read_together_and_as_line_by_line(name: str) -> None:
    content = BODIES[name].encode()
    together = read_together(content, ENCODING)
    assert together is not None
    same(together, read_by_line(content, ENCODING))


CELLS = [
    *MISSING,
    "NaN",
    "NA",
    "NULL",
    "None",
    " nan ",
    "nan(1)",
    "inf",
    "-Infinity",
    "1e38",
    "3.4e38",
    "1e39",
    "-1e400",
]
CELLS += [
    "1_0",
    "\u0661",
    "0x10",
    "1f",
    "1d3",
    "abc",
    "1,2",
    "1e-320",
    "1e-400",
    "+2",
    "-0",
    ".5",
    "5.",
    " 1.5 ",
    "\t7",
]
CELLS += [
    "00012",
    "1e+5",
    "1 2",
    "TRUE",
    '"3"',
    '"',
    "3\r",
    "\0",
    "x" * 140_000,
    "1" * 500,
    "\u2028",
    "minutes",
    "gold",
]


@pytest.mark.parametrize("column", [0, 1, 2])
@pytest.mark.parametrize("cell", CELLS, ids=count())
def test_any_cell_is_read_or_refused_as_line_by_line(cell: str, column: int) -> None:
    lines = csv_lines()
    lines[3][column] = cell
    for head in ("", HEADER):
        content = (head + text(lines)).encode()
        assert outcome(read_csv, content) == outcome(read_by_line, content)


@pytest.mark.parametrize(
    "content", ["", "\n\n", HEADER, HEADER + "\n", "plan\ngold\n\nnone\n", "1,gold,2\n1,gold", "  \n"]
)
def test_bodies_without_rows_and_of_other_widths_too(content: str) -> None:
    for body in (content, content + text(csv_lines())):
        assert outcome(read_csv, body.encode()) == outcome(read_by_line, body.encode())


def test_a_body_that_is_not_utf_8_too() -> None:
    content = b"1,gold,2\n1,\xe9,2\n" * FEWEST_LINES
    assert outcome(read_csv, content) == outcome(read_by_line, content)


def outcome(read: Any, content: bytes) -> object:
    """What is read of a body, or why it is refused."""
    try:
        batch: Batch = read(content, ENCODING)
    except BadRequestError as error:
        return str(error)
    return (
        batch.values.tobytes(),
        batch.values.shape,
        batch.values.dtype,
        batch.unknown_categories,
        len(batch.tenant_ids),
    )
