"""What a release of previewed files would end at: the gates of BuildFeatures, and what ClusterTenants says.

These are the functions that the jobs call. What needs an earlier release is left out, and so are the groups of more
tenants than are grouped in a moment; a sentence says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tenant_experience.data_layout import EXAMPLES_FILE, FEATURES_FILE
from tenant_experience.data_quality.categories import categories, category_warnings, check_columns, rows_learned
from tenant_experience.data_quality.describe import IntakeFigures
from tenant_experience.data_quality.feature_quality import describe_labels
from tenant_experience.data_quality.gates import (
    check_conflicting_ids,
    check_quarantine_gate,
    scope_warnings,
    unmapped_warnings,
)
from tenant_experience.data_quality.report import DataQuality
from tenant_experience.errors import TenantExperienceError
from tenant_experience.features.contract import RefusedFeatures, check_refused_features
from tenant_experience.features.partitions import PartitionSize, assign_partitions
from tenant_experience.features.sql import (
    check_freshness,
    has_examples,
    place_tenants,
    tenants_by_portfolio,
    tenants_that_may_train,
    write_examples,
    write_features,
)
from tenant_experience.features.table import FeatureTable, read_examples
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.groups.earlier_rules import EarlierRules, choose_groups
from tenant_experience.intake.engine import ProcessingEngine
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.pipeline.batch import Batch, Folders
from tenant_experience.pipeline.build_features import chosen_groups, plan_partitions
from tenant_experience.pipeline.computing import compute_past_features, compute_risk_examples
from tenant_experience.use_case.group_choice import FIND_NEW

MOST_GROUPED = 5_000


@dataclass
class Verdict:
    """Code and message of each refusal, and what was not looked at."""

    refusals: list[tuple[str, str]] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)


def verdict(
    engine: ProcessingEngine,
    batch: Batch,
    intake: IntakeFigures,
    refused: RefusedFeatures | None,
    quality: DataQuality,
    folders: Folders,
    scratch: Path,
) -> Verdict:
    """Asks every gate that needs no earlier release. Afterwards, ``events`` is what was known at an earlier moment.

    Args:
        engine: holds what was read; its connection holds ``features``.
        batch: with its gates.
        intake: the rows read.
        refused: the records that were refused after they were computed.
        quality: gets the warnings.
        folders: of the batch.
        scratch: a folder that the connection may write to.
    """
    found, use_case = Verdict(), batch.use_case
    partitions: dict[str, PartitionSize] = {}

    def check_sizes() -> None:
        inherits = batch.manifest.groups is not None and batch.manifest.groups.kind == "from"
        scope = use_case.chosen_scope(batch.manifest.models)
        portfolios = tenants_by_portfolio(engine.connection, use_case)
        pooled = tenants_that_may_train(engine.connection, use_case)
        partitions.update(assign_partitions(portfolios, use_case, scope, inherits=inherits, pooled=pooled))
        quality.warnings = [*(quality.warnings or ()), *scope_warnings(scope, partitions.values(), use_case)]

    def check_categories() -> None:
        rows = rows_learned(engine.connection)
        check_columns(of_categories, rows, use_case, use_case.chosen_scope(batch.manifest.models))

    of_categories = categories(engine.connection, use_case) if batch.manifest.train else []
    unmapped = unmapped_warnings(batch.source_name, batch.unknown, use_case)
    quality.warnings = [*(quality.warnings or ()), *unmapped, *category_warnings(of_categories)]

    gates: list[Callable[[], object]] = [
        lambda: check_quarantine_gate(intake, use_case, batch.source.columns),
        lambda: check_conflicting_ids(quality.events or quality.table, use_case),
        lambda: check_refused_features(refused, use_case),
    ]
    of_training: list[Callable[[], object]] = [
        check_sizes,
        check_categories,
        lambda: use_case.labels.column and describe_labels(engine.connection, use_case, compared=False),
        lambda: plan_partitions(
            batch, use_case.chosen_scope(batch.manifest.models), partitions, chosen_groups(batch, compared=False)
        ),
    ]
    if batch.source.has_events:
        has_cases = batch.source.kind == "activities"
        gates.insert(2, lambda: check_freshness(engine, use_case, batch.as_of, has_cases=has_cases))
    for gate in gates + of_training * batch.manifest.train:
        found.refusals += _asked(gate)
    if not batch.manifest.train:
        found.not_run.append(
            "nothing is trained on this batch: whether a release is live that can answer for these records was not "
            "looked at"
        )
    elif not found.refusals:
        place_tenants(engine.connection, use_case, partitions)
        write_features(engine.connection, use_case, scratch / FEATURES_FILE)
        if has_examples(engine.connection):
            write_examples(engine.connection, use_case, scratch / EXAMPLES_FILE)
        # What features.sql gives of earlier moments, and what a condition says of an event, may be refused too.
        found.refusals += _asked(lambda: compute_past_features(engine, batch, folders))
        found.refusals += _asked(lambda: compute_risk_examples(engine, batch, folders))
        without_model = _cluster(batch, partitions, scratch, found)
        quality.warnings = [*(quality.warnings or ()), *without_model]
    found.refusals = list(dict.fromkeys(found.refusals))  # several gates may meet the same fault
    return found


def _cluster(batch: Batch, partitions: dict[str, PartitionSize], scratch: Path, found: Verdict) -> list[str]:
    """What ClusterTenants would say of each partition.

    Returns:
        Sentences about partitions that would get no model. A release goes on as long as one has a model; where none
        has, it is refused.
    """
    use_case, choice = batch.use_case, chosen_groups(batch, compared=False)
    by_column = use_case.labels.column is not None
    if choice is not None and choice != FIND_NEW:
        found.not_run.append(
            "the groups that manifest.json asks for are those of a release, so they were not looked at"
        )
        return []
    table = read_examples(scratch, use_case)
    if len(table) > MOST_GROUPED and not by_column:
        found.not_run.append(
            f"groups were not looked for, because there are more than {MOST_GROUPED} {use_case.words.records}: preview "
            "a part of them"
        )
        return []
    items = plan_partitions(batch, use_case.chosen_scope(batch.manifest.models), partitions, choice)
    asked = [Partition(size.partition, size.slug) for item in items for size in item.partitions]
    refused = {each: list(_asked(_grouping(table, each, batch))) for each in asked}
    if all(refused.values()):
        found.refusals += [refusal for each in refused.values() for refusal in each]
        return []
    word = use_case.words.partition
    return [
        f"The {word} {partition.partition} would get no model in this release ({code}): {message}"
        for partition, refusals in refused.items()
        for code, message in refusals
    ]


def _grouping(table: FeatureTable, partition: Partition, batch: Batch) -> Callable[[], object]:
    tenants, use_case = table.of_partition(partition.slug), batch.use_case
    if use_case.labels.column:
        return lambda: label_partition(tenants, partition, use_case)
    return lambda: choose_groups(tenants, partition, use_case, "preview", FIND_NEW, EarlierRules())


def _asked(gate: Callable[[], object]) -> Iterator[tuple[str, str]]:
    try:
        gate()
    except TenantExperienceError as refusal:
        yield refusal.code, refusal.message
