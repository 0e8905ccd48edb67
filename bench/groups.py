"""The evidence for groups: figures of each method on real and on generated tenants, used in decision 0012.

``.venv/bin/python -m bench.groups`` prints, per table, method and number of groups, P(worse) of each marker, agreement
of refits, explained variance beside that of shuffled columns and of a copula, and the verdict; how often columns
without structure are refused; how many rows of the real table change their group in another row order; and how
well the share of bad follows managers made slow on purpose, by global and by local groups.
The real table is looked for beside the repository, in ``../shared/data``; without it generated tenants stand alone.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import adjusted_rand_score

from bench.output import tell
from tenant_experience.errors import AlgorithmError
from tenant_experience.features.table import FeatureTable, read_features
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.evidence import predicted_by
from tenant_experience.groups.file import GroupRows
from tenant_experience.groups.grouping import Grouping
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.statistics.ranks import probability_worse
from tenant_experience.statistics.splitting import SHARES
from tenant_experience.statistics.transforms import transformed
from tenant_experience.use_case.schema import UseCase
from tests.support.generated_tenants import (
    REAL_TABLE,
    generated_table,
    real_table,
    true_lots,
    use_case,
    use_case_with,
    write_table,
)
from tests.support.slow_managers import slow_managers


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.groups", description=__doc__)
    parser.add_argument("--orders", type=int, default=50, help="row orders of the real table (%(default)s)")
    parser.add_argument("--seeds", type=int, default=20, help="of data without structure (%(default)s)")
    options = parser.parse_args(arguments)
    tables = {
        "generated, noise 0.1": generated_table(5_000, noise=0.1),
        "generated, noise 0.35": generated_table(5_000),
    }
    real = {"real": real_table()} if REAL_TABLE.is_file() else {}
    for name, table in (real | tables).items():
        for method in ("kmeans", "gaussian_mixture", "ward"):
            for groups in (2, 3):
                tell(f"{name}, {method}, {groups} groups: {_verdict(table, use_case_with(method, groups))}")
    for noise in (0, 0.1, 0.15, 0.2, 0.35):
        found = _group(generated_table(5_000, noise=noise), use_case())[1].label
        tell(f"truth, noise {noise}: adjusted Rand index {adjusted_rand_score(true_lots(5_000), found):.3f}")
    for name, table in (real | {"generated": generated_table(2_000)}).items():
        tell(f"{name}, columns shuffled: {dict(Counter(_codes(table, options.seeds)))}")
    for table in real.values():
        tell(f"real: {_changes(table, options.orders)} rows change group or part in {options.orders} row orders")
        _about_negative_rate(table)
        for seed in range(3):
            slowdown, on_global, on_local = slow_managers(table, seed)
            tell(
                f"slow managers, seed {seed}: rank correlation with the share of bad, global groups "
                f"{spearmanr(slowdown, on_global).statistic:.3f}, local {spearmanr(slowdown, on_local).statistic:.3f}"
            )
    return 0


def _group(table: FeatureTable, settings: UseCase) -> tuple[Grouping, GroupRows]:
    return group_partition(table, Partition("all", "all"), settings, "bench")


def _verdict(table: FeatureTable, settings: UseCase) -> str:
    try:
        grouping, _ = _group(table, settings)
    except AlgorithmError as error:
        return f"refused, {error}"
    worse = ", ".join(f"{marker.name} {marker.probability_worse:.3f}" for marker in grouping.markers)
    checks = ", ".join(f"{name} (check) {probability:.3f}" for name, probability in grouping.checks.items())
    return (
        f"P(worse) {worse}, {checks}; sizes {grouping.sizes}; {grouping.stability}; "
        f"explained {grouping.explained_variance:.4f}, shuffled "
        f"{grouping.permuted_variance:.4f}, copula {grouping.copula_variance:.4f}; AUC of service "
        f"{grouping.service_auc:.3f}; {len(grouping.warnings)} warnings"
    )


def _codes(table: FeatureTable, seeds: int) -> list[str]:
    codes = []
    for seed in range(seeds):
        shuffled = replace(table, values=np.random.default_rng(seed).permuted(table.values, axis=0))
        try:
            _group(shuffled, use_case())
        except AlgorithmError as error:
            codes.append(error.code)
        else:
            codes.append("passed")
    return codes


def _changes(table: FeatureTable, orders: int) -> int:
    """The whole way each time: file, reading, groups."""
    expected, differ = _group(table, use_case())[1], 0
    with TemporaryDirectory() as folder:
        path = Path(folder) / "features.parquet"
        for seed in range(orders):
            write_table(table, path, np.random.default_rng(seed).permutation(len(table)))
            rows = _group(read_features(path, use_case()), use_case())[1]
            differ += int(((rows.label != expected.label) | (rows.split != expected.split)).sum())
    return differ


def _about_negative_rate(table: FeatureTable) -> None:
    """Prints why its P(worse) is low in every part, and how well demand alone separates the groups."""
    _, rows = _group(table, use_case())
    rate, bad = table.column("negative_rate"), rows.bad
    parts = {part: rows.split == part for part in SHARES} | {"with tickets": table.column("total_tickets") > 0}
    figures = {name: probability_worse(rate[part], bad[part], 1) for name, part in parts.items()}
    tell(f"real, negative_rate: P(worse) {', '.join(f'{name} {figure:.3f}' for name, figure in figures.items())}")
    tell(
        f"real, negative_rate: above 0 for {np.mean(rate > 0):.3f}, of good {np.mean(rate[~bad] > 0):.3f}, of bad "
        f"{np.mean(rate[bad] > 0):.3f}; were all of them bad, P(worse) {0.5 + np.mean(rate > 0) / bad.mean() / 2:.3f}"
    )
    features = use_case().features
    demand = [transformed(table.column(n), f.transform) for n, f in features.items() if f.aspect == "demand"]
    tell(f"real, features of demand alone: AUC {predicted_by(np.column_stack(demand), bad):.3f}")


if __name__ == "__main__":
    sys.exit(main())
