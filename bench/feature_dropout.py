"""What training with hidden features gains where features are missing, on a table of real households.

For none, one and more features hidden in the households of the test part, it prints the accuracy of the model trained
without feature dropout, of the model trained with the use case's, and of models trained for exactly the features that
are left: one for each choice of features to hide, at most ``--choices`` of them. The table is not part of this
repository: see tests/model/generated_tenants.py.

    python -m bench.feature_dropout
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.file import GroupRows
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.models.scoring import Scorer
from tenant_experience.statistics.splitting import TEST
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tests.support.generated_tenants import REAL_TABLE, real_table, use_case

_ALL = Partition("all", "all")


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=3, help="the most features to hide (default: %(default)s)")
    parser.add_argument("--choices", type=int, default=120, help="choices of features to hide (default: %(default)s)")
    options = parser.parse_args(arguments)
    if not REAL_TABLE.is_file():
        parser.error(f"{REAL_TABLE.name} is not on this machine")
    table = real_table()
    _, groups = group_partition(table, _ALL, use_case(), "bench")
    table = groups.align(table)
    print(f"{'hidden':>7}  plain   dropout one for each choice")  # noqa: T201
    plain, dropout = (_trained(table, groups, share) for share in (0.0, use_case().feature_dropout))
    for hidden in range(options.most + 1):
        chosen = list(_choices(len(table.features), hidden, options.choices))
        means = [np.mean([_accuracy(scorer, table, groups, hide) for hide in chosen]) for scorer in (plain, dropout)]
        best = np.mean([_accuracy(_trained(_without(table, hide), groups, 0), table, groups, hide) for hide in chosen])
        print(f"{hidden:>7}  {means[0]:.4f}  {means[1]:.4f}  {best:.4f} ({len(chosen)} models)", flush=True)  # noqa: T201
    return 0


def _choices(features: int, hidden: int, most: int) -> Iterator[tuple[int, ...]]:
    every = list(combinations(range(features), hidden))
    for number in np.random.default_rng(0).permutation(len(every))[:most]:
        yield every[number]


def _trained(table: FeatureTable, groups: GroupRows, share: float) -> Scorer:
    rules = use_case().model_copy(update={"feature_dropout": share})
    settings = parse_settings(rules.trainer, trainer_named(rules.trainer), rules.hyperparameters)
    with TemporaryDirectory() as folder:
        TrainingRun(rules, settings, "bench").train_partition(table, groups, _ALL, Path(folder))
        return Scorer.load(Path(folder))


def _without(table: FeatureTable, hide: tuple[int, ...]) -> FeatureTable:
    values = table.values.copy()
    values[:, list(hide)] = np.nan
    return replace(table, values=values)


def _accuracy(scorer: Scorer, table: FeatureTable, groups: GroupRows, hide: tuple[int, ...]) -> float:
    chosen = groups.split == TEST
    probabilities = scorer.outputs(scorer.encoding.matrix(_without(table.take(chosen), hide)))
    return float(np.mean((probabilities >= scorer.manifest.threshold) == groups.bad[chosen]))


if __name__ == "__main__":
    raise SystemExit(main())
