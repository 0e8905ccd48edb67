"""The real server answers as the model does: days until an event by an AFT model, and loans of several rows each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenant_experience.features.table import FeatureTable, read_answers_and_examples
from tenant_experience.models.served_model import ServedModel
from tenant_experience.use_case.schema import load_use_case
from tests.support.loans import loans
from tests.support.parameters import mostly_slow
from tests.support.purchases import WINDOW, purchases, written
from tests.support.serving_process import serving
from tests.support.written_use_case import Written


def aft(base: Path) -> Written:
    return written(base, purchases(300).rows(), hyperparameters={"objective": "survival:aft"})


def days(base: Path) -> Written:
    return written(base, purchases(300).rows(), trainer="linear")


def instances(table: FeatureTable) -> list[dict[str, Any]]:
    """What a caller sends of each row: features by name, a category as text."""

    def value(name: str, number: float) -> str | float | None:
        if np.isnan(number):
            return None
        return table.categories[name][int(number)] if name in table.categories else number

    return [
        {"features": {name: value(name, number) for name, number in zip(table.features, row, strict=True)}}
        for row in table.values.tolist()
    ]


@pytest.mark.parametrize("make", mostly_slow([days, loans, aft], kept=(0, 1)))
def test_the_endpoint_answers_as_the_model_does(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path / "ml"))
    made = make(tmp_path / "made")
    assert made.release() == ["all"]
    folder = tmp_path / "made/models/all"
    (folder / "groups.parquet").unlink()
    answers, examples = read_answers_and_examples(tmp_path / "made/job/features", load_use_case(made.folder))
    assert len(answers) < len(examples)
    rows = answers.take(np.arange(20))
    model = ServedModel.load(folder)
    matrix = model.scorer.encoding.matrix(rows)
    expected = model.publish(matrix).outputs.tolist()
    (tmp_path / "server").mkdir()
    with serving(tmp_path / "server", SAGEMAKER_MULTI_MODEL="true") as (client, _):
        assert client.post("/models", json={"model_name": "m", "url": str(folder)}).status_code == 200
        asked = {"instances": instances(rows), "explain": True}
        together = client.post("/models/m/invoke", json=asked).json()["predictions"]
        alone = client.post("/models/m/invoke", json=asked | {"instances": asked["instances"][:1]}).json()
    key = "probability" if make is loans else "value"
    assert [row[key] for row in together] == expected
    assert alone["predictions"] == together[:1]
    in_process = model.answers(matrix)
    assert [row.get("value_of") for row in together] == [row.get("value_of") for row in in_process]
    for row, output in zip(together, expected, strict=True):
        total = sum(row["contributions"].values()) + row["baseline"]
        said = {aft: np.exp, days: lambda sum_: np.clip(sum_, 0, WINDOW), loans: lambda odds: 1 / (1 + np.exp(-odds))}
        assert said[make](total) == pytest.approx(output, rel=1e-4, abs=1e-4)
