"""ClusterTenants: finds the good and the bad group of each partition of a shard, or takes labels from a column.

On a laptop: ``SAGEMAKER_BASE_DIR=<folder> python sagemaker_scripts/cluster_tenants.py --release r1 --shard 0`` with
the inputs in ``<folder>/processing/input/{features,use_case}``.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import pyarrow as pa

from tenant_experience.data_layout import FEATURES_FILE, GROUPS_FILE, processing_input, processing_output
from tenant_experience.features.table import read_features, read_past_features
from tenant_experience.groups.backtest import fit_next_period, followed_tenants, with_priors
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.groups.file import to_arrow, write_groups
from tenant_experience.jobs.job import run_job
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.jobs.partition_runs import Partition, read_shard, run_partitions, shard_outcome
from tenant_experience.statistics.splitting import TRAIN
from tenant_experience.use_case.schema import load_use_case

OUTPUT = "clusters"


def main(arguments: list[str] | None) -> Outcome:
    """Writes groups.parquet, and for each partition an outcome row.

    Where groups are found, each partition also has a grouping.json and a next_period.json.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", required=True)
    parser.add_argument("--shard", required=True, type=int)
    options = parser.parse_args(arguments)
    use_case = load_use_case(processing_input("use_case"))
    source, output = processing_input("features"), processing_output(OUTPUT)
    table = read_features(source / FEATURES_FILE, use_case)
    groups: list[pa.Table] = []

    def group(partition: Partition) -> dict[str, Any]:
        tenants = table.of_partition(partition.slug)
        grouping, rows = group_partition(tenants, partition, use_case, options.release)
        training = rows.align(tenants).take(rows.split == TRAIN)
        followed = followed_tenants(tenants)
        past = read_past_features(source, use_case, followed.tenant_id)
        grouping = with_priors(grouping, training, use_case.history.window_days)
        grouping, next_period = fit_next_period(grouping, training, [*past, followed])
        grouping.write(output / partition.slug)
        next_period.write(output / partition.slug)
        groups.append(to_arrow(rows, partition.slug))
        return {
            "tenants": len(rows.tenant_id),
            "without_group": len(tenants) - len(rows.tenant_id),
            "bad": int(rows.bad.sum()),
            "groups": {name: int((rows.label == number).sum()) for number, name in enumerate(grouping.classes)},
            "fitted_tenants": grouping.fitted_tenants,
            "probability_worse": {marker.name: marker.probability_worse for marker in grouping.markers},
            "checks": grouping.checks,
            "left_out": grouping.left_out,
            "explained_variance": grouping.explained_variance,
            "stability": grouping.stability.model_dump() if grouping.stability else None,
            "permuted_variance": grouping.permuted_variance,
            "copula_variance": grouping.copula_variance,
            "service_auc": grouping.service_auc,
            "warnings": list(grouping.warnings),
            "next_period": next_period.summary(),
        }

    def label(partition: Partition) -> dict[str, Any]:
        tenants = table.of_partition(partition.slug)
        rows = label_partition(tenants, partition, use_case)
        groups.append(to_arrow(rows, partition.slug))
        return {"tenants": len(rows.tenant_id), "without_label": len(tenants) - len(rows.tenant_id)}

    work = group if use_case.labels.from_ == "clusters" else label
    results = run_partitions(read_shard(source, options.shard), work)
    output.mkdir(parents=True, exist_ok=True)
    write_groups(groups, output / GROUPS_FILE)
    return shard_outcome(results, release=options.release, shard=options.shard)


if __name__ == "__main__":
    sys.exit(run_job(main, OUTPUT))
