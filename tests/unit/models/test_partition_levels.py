"""A pooled model at both doors: a partition it knows, one it never saw, and none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from container.answers import csv_answer, json_answer
from container.batch import Batch
from container.csv_requests import read_csv
from container.json_requests import read_json
from tenant_experience.errors import UserError
from tenant_experience.features.table import FeatureTable
from tenant_experience.models.artifact import ModelManifest, read_manifest
from tenant_experience.models.digests import packed_digest
from tenant_experience.models.served_model import ServedModel
from tests.support.pooled_model import train_pooled
from tests.support.simulated_portfolios import FEATURES, Differences, Portfolios, pooled_use_case

KINDS = {"levels": Differences(levels=1), "slopes": Differences(levels=1, slope=0.7), "numbers": Differences(levels=2)}


@dataclass(frozen=True)
class Pooled:
    folder: Path
    table: FeatureTable

    @property
    def model(self) -> ServedModel:
        return ServedModel.load(self.folder)

    @property
    def matrix(self) -> np.ndarray:
        return self.model.scorer.encoding.matrix(self.table)


@pytest.fixture(scope="module", params=sorted(KINDS))
def pooled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pooled:
    number = request.param == "numbers"
    table, _ = Portfolios.draw(30, KINDS[request.param], 1).tenants([100] * 30, 1, number=number)
    folder = tmp_path_factory.mktemp("pooled")
    train_pooled(table.in_order_of_content(), pooled_use_case(number=number), folder)
    return Pooled(folder, table)


def answer(outputs: np.ndarray, model: ServedModel) -> np.ndarray:
    """Log-odds, or the number."""
    return outputs if model.scorer.manifest.task == "regression" else np.log(outputs / (1 - outputs))


def test_what_features_and_the_level_add_is_the_answer(pooled: Pooled) -> None:
    model, matrix = pooled.model, pooled.matrix
    matrix[::7, -1] = np.nan
    matrix[1::7, -1] = -1
    matrix[2::7, 0] = np.nan
    published = model.publish(matrix)
    why = model.reasons(matrix, published)
    assert why.contributions.shape == (len(matrix), len(FEATURES) + 1)
    assert why.contributions.sum(axis=1) + why.baseline == pytest.approx(answer(published.outputs, model), abs=1e-4)
    known = matrix[:, -1] >= 0
    assert np.abs(why.contributions[known, -1]).min() > 0
    assert not why.contributions[~known, -1].any()


def test_a_partition_never_seen_is_answered_as_without_levels_and_says_so(pooled: Pooled) -> None:
    model = pooled.model
    without = pooled.matrix[:50].copy()
    without[:, -1] = np.nan
    unknown = without.copy()
    unknown[:, -1] = -1
    margins = model.scorer.common(without)
    for matrix in (without, unknown):
        published = model.publish(matrix)
        assert answer(published.outputs, model) == pytest.approx(margins, abs=1e-9)
        assert {row["level_basis"] for row in model.in_words(published)} == {"prior"}
    assert {row["level_basis"] for row in model.answers(pooled.matrix[:50])} == {"partition"}


@pytest.mark.parametrize("door", ["json", "csv", "csv with a header"])
def test_both_doors_read_the_partition_and_give_one_answer(pooled: Pooled, door: str) -> None:
    model = pooled.model
    names = ["P0000", "P0007", "nobody", None, ""]
    batch = asked(model, pooled.table.values[0], names, door)
    column = batch.values[:, -1]
    # An empty text is a value that no partition has in JSON, and missing in CSV: both have level 0.
    empty = -1 if door == "json" else np.nan
    assert column == pytest.approx([0, 7, -1, np.nan, empty], nan_ok=True)
    unknown = {2: ["portfolio"]} | ({4: ["portfolio"]} if door == "json" else {})
    assert batch.unknown_categories == unknown
    told = numbers(model, batch, door)
    assert told == pytest.approx(model.publish(batch.values).outputs)
    assert len({round(number, 9) for number in told[2:]}) == 1
    assert len({round(number, 9) for number in told}) == 3


def asked(model: ServedModel, values: np.ndarray, names: list[str | None], door: str) -> Batch:
    if door == "json":
        known = dict(zip(FEATURES, values.tolist(), strict=True))
        instances = [{"features": known | {"portfolio": name}} for name in names]
        return read_json(json.dumps({"instances": instances, "explain": True}).encode(), model.scorer.encoding)
    lines = [",".join([*map(str, values.tolist()), name or ""]) for name in names]
    header = [",".join([*FEATURES, "portfolio"])] if door == "csv with a header" else []
    return read_csv("\n".join([*header, *lines]).encode(), model.scorer.encoding)


def numbers(model: ServedModel, batch: Batch, door: str) -> list[float]:
    if door != "json":
        return [float(line) for line in csv_answer(batch, model).split()]
    rows: list[dict[str, Any]] = json.loads(json_answer(batch, model))["predictions"]
    assert [row["level_basis"] for row in rows] == ["partition", "partition", "prior", "prior", "prior"]
    assert all("portfolio" in row["contributions"] for row in rows)
    return [row["value"] if "value" in row else row["probability"] for row in rows]


def test_a_partition_alone_is_nothing_to_answer_from(pooled: Pooled) -> None:
    matrix = pooled.matrix[:1].copy()
    matrix[:, :-1] = np.nan
    (row,) = pooled.model.answers(matrix)
    assert row["status"] == "no_features"
    assert row["level_basis"] is None


def test_a_changed_level_is_found_and_is_another_digest(pooled: Pooled, tmp_path: Path) -> None:
    for name in ("model.ubj", "model.json"):
        (tmp_path / name).write_bytes((pooled.folder / name).read_bytes())
    document = json.loads((tmp_path / "model.json").read_text())
    document["levels"]["level"][3] += 0.01
    (tmp_path / "model.json").write_text(json.dumps(document))
    with pytest.raises(UserError) as caught:
        ServedModel.load(tmp_path)
    assert caught.value.code == "model_damaged"
    assert packed_digest(tmp_path) != packed_digest(pooled.folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["levels"]["level"].pop(), "29 levels and 30 slopes"),
        (lambda d: [d["levels"][name].pop() for name in ("level", "slope")], "not those of the partitions"),
        (lambda d: d["features"].reverse(), "not the last of several features"),
        (lambda d: d["levels"].update(feature="first"), "not the last of several features"),
        (lambda d: d["categories"].clear(), "not those of the partitions"),
    ],
)
def test_levels_that_do_not_fit_are_refused(
    pooled: Pooled, change: Callable[[dict[str, Any]], Any], words: str
) -> None:
    document = json.loads((pooled.folder / "model.json").read_text())
    change(document)
    with pytest.raises(ValueError, match=words):
        ModelManifest.model_validate_json(json.dumps(document))


def test_a_model_without_levels_is_written_as_before(pooled: Pooled, tmp_path: Path) -> None:
    manifest = read_manifest(pooled.folder)
    plain = manifest.model_copy(update={"levels": None, "features": FEATURES, "categories": {}})
    plain.write(tmp_path)
    assert "levels" not in json.loads((tmp_path / "model.json").read_text())
