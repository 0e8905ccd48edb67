"""ClusterTenants: puts the tenants of each partition of a shard into groups, or takes labels from a column.

The groups are those of the live release, new ones, or those of another release or a file (``groups`` of
``partitions.json``, from the batch's ``manifest.json``).

On a laptop: ``SAGEMAKER_BASE_DIR=<folder> python sagemaker_scripts/cluster_tenants.py --release r1 --shard 0`` with
the inputs in ``<folder>/processing/input/{features,use_case}``. Models of earlier releases are fetched when the
environment has RELEASE_TABLE, DATA_BUCKET and USE_CASE.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from tenant_experience.aws.live_models import fetch_champion, fetch_live_rules, live_models
from tenant_experience.data_layout import (
    GLOBAL_PARTITION,
    GROUPS_FILE,
    processing_input,
    processing_output,
)
from tenant_experience.errors import UserError
from tenant_experience.features.table import FeatureTable, read_examples, read_past_features
from tenant_experience.groups.backtest import fit_next_period, followed_tenants, with_priors
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.groups.earlier_rules import EarlierRules, choose_groups, read_rule_file, read_rules
from tenant_experience.groups.file import GroupRows, to_arrow, write_groups
from tenant_experience.groups.grouping import Grouping
from tenant_experience.jobs.job import run_job
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.jobs.partition_runs import (
    Partition,
    read_group_choice,
    read_shard,
    run_partitions,
    shard_outcome,
)
from tenant_experience.pipeline.split_files import write_split_files
from tenant_experience.release.release import PublishedModel
from tenant_experience.statistics.splitting import TRAIN
from tenant_experience.use_case.group_choice import GroupChoice
from tenant_experience.use_case.schema import load_use_case

OUTPUT = "clusters"
SPLITS_OUTPUT = "splits"


def main(arguments: list[str] | None) -> Outcome:
    """Writes groups.parquet, the parts of each partition as CSV, and for each partition an outcome row.

    Where groups are found or kept, each partition also has grouping.json, next_period.json and yardstick.json.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", required=True)
    parser.add_argument("--shard", required=True, type=int)
    options = parser.parse_args(arguments)
    use_case = load_use_case(processing_input("use_case"))
    source, output = processing_input("features"), processing_output(OUTPUT)
    table = read_examples(source, use_case)
    groups: list[pa.Table] = []
    choice = read_group_choice(source)

    def keep(rows: GroupRows, tenants: FeatureTable, partition: Partition) -> None:
        write_split_files(processing_output(SPLITS_OUTPUT) / partition.slug, rows, tenants, use_case)
        groups.append(to_arrow(rows, partition.slug))

    def group(partition: Partition) -> dict[str, Any]:
        tenants = table.of_partition(partition.slug)
        with tempfile.TemporaryDirectory() as folder:
            earlier = earlier_rules(Path(folder), partition, choice, options.release)
        grouped = choose_groups(tenants, partition, use_case, options.release, choice, earlier)
        grouping, rows = grouped.grouping, grouped.rows
        training = rows.align(tenants).take(rows.split == TRAIN)
        followed = followed_tenants(tenants)
        past = read_past_features(source, use_case, followed.tenant_id)
        grouping = with_priors(grouping, training, use_case.history.window_days)
        grouping, next_period = fit_next_period(grouping, training, [*past, followed])
        grouping.write(output / partition.slug)
        next_period.write(output / partition.slug)
        grouped.yardstick.write(output / partition.slug)
        keep(rows, tenants, partition)
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
            "held": grouping.held.model_dump() if grouping.held else None,
            "warnings": list(grouping.warnings),
            "next_period": next_period.summary(),
        }

    def label(partition: Partition) -> dict[str, Any]:
        tenants = table.of_partition(partition.slug)
        rows = label_partition(tenants, partition, use_case)
        keep(rows, tenants, partition)
        counts = {"tenants": rows.records, "without_label": tenants.records - rows.records}
        return counts if rows.examples is None else {**counts, "rows": len(rows.tenant_id)}

    work = group if use_case.labels.from_ == "clusters" else label
    for folder in (output, processing_output(SPLITS_OUTPUT)):
        folder.mkdir(parents=True, exist_ok=True)
    results = run_partitions(read_shard(source, options.shard), work)
    write_groups(groups, output / GROUPS_FILE)
    return shard_outcome(results, release=options.release, shard=options.shard)


def earlier_rules(folder: Path, partition: Partition, choice: GroupChoice, release: str) -> EarlierRules:
    """Fetches the rule of the live release, and the one that ``choice`` names, into ``folder``.

    Raises:
        UserError: ``unknown_groups``: there are no groups where ``choice`` says.
    """
    live = live_models() if "RELEASE_TABLE" in os.environ else None
    model = live.model_of(partition.slug) if live else None
    rules = EarlierRules()
    # A release whose groups are found again after it went live does not follow itself.
    if model and model.version != release:
        rules = fetch_live_rules(model, folder / "live")
    if choice.kind == "from" and choice.origin:
        rules = replace(rules, chosen=_rule_of(choice.origin, partition, folder / "chosen"))
    return rules


def _rule_of(origin: str, partition: Partition, folder: Path) -> Grouping:
    if origin.endswith(".json"):
        return read_rule_file(processing_input("use_case"), origin)
    # Another release may have had no model of its own for this partition.
    for slug in dict.fromkeys((partition.slug, GLOBAL_PARTITION)):
        found = read_rules(fetch_champion(PublishedModel(slug, origin), folder / slug).folder)
        if found.live:
            return found.live
    raise UserError(
        f"manifest.json asks for the groups of release {origin}, which has no model with groups for partition "
        f"{partition.partition}. Name another release",
        code="unknown_groups",
    )


if __name__ == "__main__":
    sys.exit(run_job(main, OUTPUT))
