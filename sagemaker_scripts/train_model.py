"""TrainModel: trains a model for each partition of a shard; the container's ``train`` command runs it.

On a laptop: ``SAGEMAKER_BASE_DIR=<folder> python sagemaker_scripts/train_model.py`` with the channels in
``<folder>/input/data/{features,clusters,use_case}`` and the job's strings in
``<folder>/input/config/hyperparameters.json``, ``release`` and ``shard`` among them.

Its log has a line ``... validation_loss=0.123456`` for each model. A tuning job, whose trials train one model each,
finds its objective there: Type Minimize, MetricDefinitions Regex ``validation_loss=([0-9.]+)``.
"""

from __future__ import annotations

import json
import shutil
import sys
from typing import Any

from tenant_experience.data_layout import (
    GROUPING_FILE,
    GROUPS_FILE,
    NEXT_PERIOD_FILE,
    YARDSTICK_FILE,
    ml_root,
    training_channel,
)
from tenant_experience.errors import PlatformError
from tenant_experience.features.table import read_examples
from tenant_experience.groups.file import read_groups
from tenant_experience.jobs.job import run_training_job
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.jobs.partition_runs import (
    Partition,
    not_ready,
    read_pooled,
    read_shard,
    run_partitions,
    shard_outcome,
)
from tenant_experience.training.fit_pool import fit_pool, pool_size
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.schema import load_use_case

OWN = ("release", "shard")


def main(_arguments: list[str] | None) -> Outcome:
    """Writes ``/opt/ml/model/<slug>/``, and an outcome row for each partition.

    Such a folder holds the model's file and model.json, and with groups grouping.json and next_period.json. That of a
    pooled model also holds models of single partitions, which the evaluation compares it with.
    """
    given = _hyperparameters()
    release, shard = given["release"], int(given["shard"])
    use_case = load_use_case(training_channel("use_case"))
    own = {name: value for name, value in given.items() if name not in OWN}
    settings = parse_settings(use_case.trainer, trainer_named(use_case.trainer), own)
    features, clusters = training_channel("features"), training_channel("clusters")
    table = read_examples(features, use_case)
    partitions = read_shard(features, shard)
    given_up = not_ready(Outcome.read(clusters), partitions)
    count = pool_size(table, partitions)
    with fit_pool(count) as fit:
        training = TrainingRun(use_case, settings, release, fit, pooled=read_pooled(features))

        def train(partition: Partition) -> dict[str, Any]:
            folder = ml_root() / "model" / partition.slug
            groups = read_groups(clusters / GROUPS_FILE, partition.slug, use_case.labels)
            if use_case.labels.from_ == "clusters":
                # Before the model, because model.json has the digests of the files beside it.
                folder.mkdir(parents=True, exist_ok=True)
                for name in (GROUPING_FILE, NEXT_PERIOD_FILE, YARDSTICK_FILE):
                    shutil.copyfile(clusters / partition.slug / name, folder / name)
            figures = training.train_partition(table, groups, partition, folder)
            if training.pooled:
                training.train_own(table, groups, folder)
            return figures

        results = run_partitions(partitions, train, given_up, at_once=count)
    return shard_outcome(results, release=release, shard=shard)


def run() -> int:
    """Runs the job and returns its exit code."""
    return run_training_job(main)


def _hyperparameters() -> dict[str, str]:
    """The job's hyperparameters, without those SageMaker itself adds (``sagemaker_...``, ``_tuning_...``)."""
    path = ml_root() / "input" / "config" / "hyperparameters.json"
    given = {key: str(value) for key, value in json.loads(path.read_text()).items()}
    missing = [key for key in OWN if key not in given]
    if missing:
        raise PlatformError(f"{path} lacks {missing}: the state machine sets them", code="missing_hyperparameter")
    return {key: value for key, value in given.items() if not key.startswith(("_", "sagemaker_"))}


if __name__ == "__main__":
    sys.exit(run())
