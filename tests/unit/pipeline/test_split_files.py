"""The parts of a split as CSV: what XGBoost learns from them is what it learns from the release's own rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import xgboost
from sklearn.metrics import roc_auc_score

from tenant_experience.features.table import FeatureTable, read_examples
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.groups.file import GroupRows
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.pipeline.split_files import write_split_files
from tenant_experience.statistics.splitting import SHARES, TEST, TRAIN, VALIDATION
from tenant_experience.training.training import fit_encoding
from tenant_experience.use_case.schema import load_use_case
from tests.support.loans import loans
from tests.support.written_use_case import table_of

SETTINGS = {"objective": "binary:logistic", "max_depth": 3, "eta": 0.2, "nthread": 1, "seed": 1}


def written(base: Path, **changes: Any) -> tuple[Path, FeatureTable, GroupRows]:
    """The folder of the parts, and the rows that they were written from."""
    made = table_of(base, **changes) if changes else loans(base, clients=300)
    made.build()
    use_case = load_use_case(made.folder)
    table = read_examples(base / "job/features", use_case)
    rows = label_partition(table, Partition("all", "all"), use_case)
    write_split_files(base / "splits/all", rows, table, use_case)
    return base / "splits/all", rows.align(table), rows


def read(path: Path) -> np.ndarray:
    """A file as a reader that knows nothing of ours has it: empty is missing."""
    with path.open(newline="") as stream:
        return np.asarray([[float(value or "nan") for value in row] for row in csv.reader(stream)], dtype=np.float32)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FeatureTable, GroupRows]:
    return written(tmp_path_factory.mktemp("splits"))


def test_each_part_has_its_rows_label_first_and_exactly(parts: tuple[Path, FeatureTable, GroupRows]) -> None:
    folder, table, rows = parts
    encoding, _ = fit_encoding(table.take(rows.split == TRAIN))

    for part in SHARES:
        chosen, found = rows.split == part, read(folder / f"{part}.csv")
        np.testing.assert_array_equal(found[:, 0], rows.label[chosen])
        np.testing.assert_array_equal(found[:, 1:], encoding.matrix(table.take(chosen)))
        whose = pq.read_table(folder / f"{part}_rows.parquet").to_pydict()
        assert whose == {"tenant_id": rows.tenant_id[chosen].tolist(), "example_id": rows.example_id[chosen].tolist()}


def test_columns_are_named_beside_them(parts: tuple[Path, FeatureTable, GroupRows]) -> None:
    assert json.loads((parts[0] / "columns.json").read_text()) == {
        "label": "outcome",
        "classes": ["stays", "leaves"],
        "columns": ["label", "amount", "colour:0", "colour:1"],
        "categories": {"colour": ["blue", "red"]},
        "left_out": [],
        "split": {"by": "record", "time": False},
    }


def test_a_missing_value_is_empty(parts: tuple[Path, FeatureTable, GroupRows]) -> None:
    lines = (parts[0] / "train.csv").read_text().splitlines()
    assert any(line.endswith(",,") for line in lines)
    assert '"' not in "".join(lines)
    assert "nan" not in "".join(lines)


def test_xgboost_learns_the_same_from_the_files(parts: tuple[Path, FeatureTable, GroupRows]) -> None:
    folder, table, rows = parts
    encoding, _ = fit_encoding(table.take(rows.split == TRAIN))

    def trained(train: Any, stop: Any, test: Any) -> tuple[float, float]:
        booster = xgboost.train(
            SETTINGS, train, 40, evals=[(stop, "stop")], early_stopping_rounds=5, verbose_eval=False
        )
        return float(roc_auc_score(test.get_label(), booster.predict(test))), booster.best_score

    def from_file(part: str) -> xgboost.DMatrix:
        content = read(folder / f"{part}.csv")
        return xgboost.DMatrix(content[:, 1:], content[:, 0])

    def from_release(part: str) -> xgboost.DMatrix:
        chosen = rows.split == part
        return xgboost.DMatrix(encoding.matrix(table.take(chosen)), rows.label[chosen])

    order = (TRAIN, VALIDATION, TEST)
    found, expected = trained(*map(from_file, order)), trained(*map(from_release, order))

    assert found == expected
    assert found[0] > 0.7


def test_numbers_too_large_and_too_small_come_back(tmp_path: Path) -> None:
    labels = {"from": "column", "column": "worth"}
    made = table_of(tmp_path, features={"amount": {}}, labels={**labels, "classes": ["a", "b"], "positive": "b"})
    made.settings["labels"] = labels
    (made.folder / "use_case.yaml").write_text(json.dumps(made.settings))
    amount = [1e300, -1e-30, 0.1, 16_777_217, 1 / 3, 123_456_789.123][:6] * 40
    made.rows["c2"], made.rows["c3"] = amount, list(range(240))
    with made.export.open("w", newline="") as stream:
        csv.writer(stream).writerows([list(made.rows), *zip(*made.rows.values(), strict=True)])
    made.build()
    use_case = load_use_case(made.folder)
    table = read_examples(tmp_path / "job/features", use_case)
    rows = label_partition(table, Partition("all", "all"), use_case)

    write_split_files(tmp_path / "splits/all", rows, table, use_case)

    kept = rows.align(table).take(rows.split == TRAIN)
    expected = fit_encoding(kept)[0].matrix(kept)
    np.testing.assert_array_equal(read(tmp_path / "splits/all/train.csv")[:, 1:], expected)


def test_nothing_is_written_without_a_feature_that_differs(tmp_path: Path) -> None:
    made = loans(tmp_path)
    made.build()
    use_case = load_use_case(made.folder)
    table = read_examples(tmp_path / "job/features", use_case)
    same = FeatureTable(**{**vars(table), "values": np.ones_like(table.values)})
    rows = label_partition(same, Partition("all", "all"), use_case)

    write_split_files(tmp_path / "splits/all", rows, same, use_case)

    assert not (tmp_path / "splits").exists()
