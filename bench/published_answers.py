"""How often the published label is a tenant's own group, when features are hidden, and how fast answers are.

For 0 to 5 features hidden of 2,000 tenants that no model has seen, it prints how often three answers agree with the
tenant's own group: the redraws of the rule with the median for a missing marker, as answers were before decision 24;
the classifier; and what is published. Beside them stands the share of bad. With ``--real`` the tenants are households
of a table that is not part of this repository: see tests/support/generated_tenants.py.

    python -m bench.published_answers
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.uncertainty import group_shares
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.models.served_model import ServedModel
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.schema import UseCase
from tests.support.generated_tenants import REAL_TABLE, generated_table, real_table, shipped_use_case, use_case

_ALL = Partition("all", "all")
_TENANTS, _MOST = 2_000, 5


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", action="store_true", help="households instead of generated tenants")
    options = parser.parse_args(arguments)
    if options.real and not REAL_TABLE.is_file():
        parser.error(f"{REAL_TABLE.name} is not on this machine")
    rules = shipped_use_case() if options.real else use_case()
    known, new = _tenants(real=options.real)
    with TemporaryDirectory() as folder:
        model = _trained(known, rules, Path(folder))
    _tell_agreement(model, new)
    _tell_speed(model, new)
    return 0


def _tenants(*, real: bool) -> tuple[FeatureTable, FeatureTable]:
    """Those that a model is made from, and those that it never sees."""
    if not real:
        return generated_table(_TENANTS), generated_table(_TENANTS, seed=78)
    table = real_table()
    order = np.random.default_rng(0).permutation(len(table))
    return table.take(np.sort(order[_TENANTS:])), table.take(np.sort(order[:_TENANTS]))


def _trained(table: FeatureTable, rules: UseCase, folder: Path) -> ServedModel:
    grouping, groups = group_partition(table, _ALL, rules, "bench")
    grouping.write(folder)
    settings = parse_settings(rules.trainer, trainer_named(rules.trainer), rules.hyperparameters)
    TrainingRun(rules, settings, "bench").train_partition(table, groups, _ALL, folder)
    return ServedModel.load(folder)


def _tell_agreement(model: ServedModel, new: FeatureTable) -> None:
    grouping, encoding, threshold = model.grouping, model.scorer.encoding, model.scorer.manifest.threshold
    if grouping is None:
        raise ValueError("the model has no groups")
    own, matrix = grouping.assign(new), encoding.matrix(new)
    print("hidden  agreement: before  classifier  published  by rule   share bad: before  published  true")  # noqa: T201
    for hidden in range(_MOST + 1):
        ranks = np.random.default_rng(hidden).random(matrix.shape).argsort(axis=1)
        seen = np.where(ranks < hidden, np.float32(np.nan), matrix)
        published = model.publish(seen)
        shares = group_shares(grouping, dict(zip(encoding.columns, seen.T.astype(np.float64), strict=True)), None)
        answers = (shares[:, -1] >= threshold, published.own >= threshold, model.labels(seen) == 1, own == 1)
        before, classifier, ours, true = (np.asarray(each)[published.known] for each in answers)
        agreement = [float(np.mean(each == true)) for each in (before, classifier, ours)]
        print(  # noqa: T201
            f"{hidden:>6}  {agreement[0]:>17.3f}  {agreement[1]:>10.3f}  {agreement[2]:>9.3f}  "
            f"{published.by_rule.mean():>7.3f}  {before.mean():>17.3f}  {ours.mean():>9.3f}  {true.mean():.3f}"
        )


def _tell_speed(model: ServedModel, new: FeatureTable) -> None:
    """CPU time of one explained row, as GET /tenants/{tenant_id}/prediction asks for it."""
    matrix = model.scorer.encoding.matrix(new)
    complete = model.publish(matrix).by_rule
    for name, rows in (("by the rule", matrix[complete]), ("by the model", matrix[~complete])):
        if not len(rows):
            continue
        start, count = time.process_time(), 300
        for place in range(count):
            row = rows[place % len(rows)][np.newaxis]
            model.reasons(row, model.publish(row))
        spent = (time.process_time() - start) / count
        print(f"one explained answer {name}: {1_000 * spent:.2f} ms of CPU")  # noqa: T201


if __name__ == "__main__":
    raise SystemExit(main())
