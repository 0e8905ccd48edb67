"""Groups of a million tenants, found, named and defended, beside the usual recipe.

``make bench-clustering`` (``.venv/bin/python -m bench.clustering``) times, in turns and in one run:

- ours: ``group_partition`` (split, KMeans, names, 20 refits, 20 shuffles, the smooth comparison, the AUC of service);
- the usual recipe: the same columns standardised, KMeans of scikit-learn with ten random starts for k = 2 to 5, and the
  silhouette of 10,000 rows to choose k. It neither names groups nor says whether they are stable.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np

from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.markers import marker_values, usable_markers
from tenant_experience.jobs.partition_runs import Partition
from tests.support.generated_tenants import generated_table, use_case

SILHOUETTE_ROWS = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.clustering", description=__doc__)
    parser.add_argument("--tenants", type=int, default=1_000_000, help="generated (%(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="times each is run (%(default)s)")
    options = parser.parse_args(arguments)
    table = generated_table(options.tenants)
    usual_recipe(table.take(np.arange(1_000)))  # imports are nobody's
    runs: dict[str, list[tuple[float, float]]] = {"ours": [], "usual recipe": []}
    for _ in range(options.repeat):
        runs["ours"].append(_seconds(lambda: ours(table)))
        runs["usual recipe"].append(_seconds(lambda: usual_recipe(table)))
    wall, cpu = ({name: median(run[kind] for run in each) for name, each in runs.items()} for kind in (0, 1))
    for name in runs:
        sys.stdout.write(f"{name:13} {wall[name]:6.1f} s, {cpu[name]:6.1f} s of CPU, {options.tenants:,} tenants\n")
    ratios = (figures["usual recipe"] / figures["ours"] for figures in (wall, cpu))
    sys.stdout.write("ratio         {:6.1f}    {:6.1f}\n".format(*ratios))
    return 0


def ours(table: FeatureTable) -> Grouping:
    """The whole of ClusterTenants but its files."""
    return group_partition(table, Partition("all", "all"), use_case(), "bench")[0]


def usual_recipe(table: FeatureTable) -> int:
    """How many groups the silhouette prefers."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score
    from sklearn.preprocessing import StandardScaler

    values = marker_values(table, usable_markers(table, use_case())[0])
    rows = StandardScaler().fit_transform(np.where(np.isnan(values), np.nanmedian(values, axis=0), values))
    silhouettes = {}
    for count in range(2, 6):
        labels = KMeans(count, n_init=10, random_state=0).fit_predict(rows)
        sample = min(SILHOUETTE_ROWS, len(rows))
        silhouettes[count] = silhouette_score(rows, labels, sample_size=sample, random_state=0)
    return max(silhouettes, key=silhouettes.__getitem__)


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    sys.exit(main())
