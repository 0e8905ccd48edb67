"""Telecom churn: each dimension's model against the settings of the public example its data come from."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tenant_experience.evaluation._intervals import measured
from tenant_experience.evaluation.scored_rows import ScoredRows, published
from tenant_experience.features.table import FeatureTable, read_features
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.jobs.partition_runs import Partition, read_shard
from tenant_experience.models.encoding import Encoding
from tenant_experience.models.served_model import ServedModel
from tenant_experience.statistics.splitting import TEST, TRAIN
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.schema import load_use_case
from tests.support.feature_job import FeatureJob
from tests.support.places import SHARED_DATA, USE_CASES
from tests.support.requirements import needs_shared_data

DATA = SHARED_DATA / "telecom_churn" / "training"
USE_CASE = load_use_case(USE_CASES / "telecom_churn")
DIMENSIONS = 3
# aws-samples/amazon-sagemaker-pipeline-deploy-manage-100x-models-python-cdk trains with these, for 50 rounds.
PUBLIC = {
    "objective": "binary:logistic",
    "max_depth": 5,
    "eta": 0.2,
    "gamma": 4,
    "min_child_weight": 6,
    "subsample": 0.7,
    "seed": 0,
    "nthread": 2,
}
PUBLIC_ROUNDS = 50

pytestmark = [needs_shared_data("telecom_churn"), pytest.mark.slow]


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    job = FeatureJob(tmp_path_factory.mktemp("churn"), use_case="telecom_churn")
    for file in DATA.glob("*.csv"):
        shutil.copy(file, job.raw)
    assert job.run({})["status"] == "ok"
    return job.output("features")


@pytest.fixture(scope="module")
def table(features: Path) -> FeatureTable:
    return read_features(features / "features.parquet", USE_CASE)


@pytest.mark.parametrize("dimension", range(DIMENSIONS))
def test_our_settings_are_not_worse_than_the_public_ones(
    features: Path, table: FeatureTable, dimension: int, tmp_path: Path
) -> None:
    partitions = read_shard(features, 0)
    assert len(partitions) == DIMENSIONS
    ours, public = (measured(rows).metrics for rows in _both(table, partitions[dimension], tmp_path))
    assert ours["roc_auc"] >= public["roc_auc"]
    assert ours["log_loss"] <= public["log_loss"]


def _both(table: FeatureTable, partition: Partition, folder: Path) -> tuple[ScoredRows, ScoredRows]:
    """What our model and theirs, of the same training part, say of the same test part."""
    import xgboost

    rows = label_partition(table.of_partition(partition.slug), partition, USE_CASE)
    given = {name: str(value) for name, value in USE_CASE.hyperparameters.items()}
    settings = parse_settings(USE_CASE.trainer, trainer_named(USE_CASE.trainer), given)
    TrainingRun(USE_CASE, settings, "r1").train_partition(table, rows, partition, folder)
    train, test = (rows.align(table).take(rows.split == part) for part in (TRAIN, TEST))
    labels = rows.label[rows.split == TEST]
    model = ServedModel.load(folder)
    encoding = Encoding.fit(train, table.features)
    learned = xgboost.DMatrix(encoding.matrix(train), rows.label[rows.split == TRAIN])
    booster = xgboost.train(PUBLIC, learned, PUBLIC_ROUNDS)
    theirs = booster.predict(xgboost.DMatrix(encoding.matrix(test))).astype(np.float64)
    ours = published(model, model.scorer.encoding.matrix(test), labels).rows
    return ours, ScoredRows("binary", labels, theirs)
