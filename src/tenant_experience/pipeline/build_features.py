"""From a batch of raw files to the features of a release: what the BuildFeatures job does."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path

import duckdb

from tenant_experience.data_layout import EXAMPLES_FILE, FEATURES_FILE, MANIFEST, PARTITIONS_FILE
from tenant_experience.data_quality.categories import categories, category_warnings, check_columns, rows_learned
from tenant_experience.data_quality.comparison import compare_releases, live_as_of
from tenant_experience.data_quality.describe import (
    IntakeFigures,
    describe_events,
    describe_history,
    describe_intake,
    describe_kept,
)
from tenant_experience.data_quality.feature_quality import (
    TenantFigures,
    describe_features,
    describe_labels,
    describe_tenants,
)
from tenant_experience.data_quality.gates import (
    BrokenGate,
    age_warnings,
    broken_comparison_gates,
    check_comparison_gates,
    check_conflicting_ids,
    check_quarantine_gate,
    intake_warnings,
    kept_warnings,
    scope_warnings,
    unlabelled_warnings,
    unmapped_warnings,
)
from tenant_experience.data_quality.report import DataQuality, data_quality_report
from tenant_experience.data_quality.shift_warnings import shift_warnings
from tenant_experience.errors import UserError
from tenant_experience.features.contract import check_refused_features
from tenant_experience.features.partitions import PartitionSize, Shard, assign_partitions, shards
from tenant_experience.features.sql import (
    check_freshness,
    has_examples,
    place_tenants,
    tenants_by_portfolio,
    tenants_that_may_train,
    write_examples,
    write_features,
)
from tenant_experience.features.statements import read_sql
from tenant_experience.features.table import read_features
from tenant_experience.groups.earlier_rules import EarlierRules
from tenant_experience.groups.held_rule import obstacle
from tenant_experience.groups.yardstick import measure
from tenant_experience.intake.duckdb_session import open_session
from tenant_experience.intake.engine import DuckDbEngine, OpenEngine, ProcessingEngine
from tenant_experience.intake.events import read_events
from tenant_experience.intake.files import find_raw_files, skipped_files
from tenant_experience.intake.formats import RawFile
from tenant_experience.intake.kept_events import KeptEvents, damaged_parts
from tenant_experience.intake.table import read_table
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.pipeline.adding_up import AddingUp, accept, keep_parts, kept_for_later
from tenant_experience.pipeline.batch import Batch, Folders
from tenant_experience.pipeline.computing import compute_features, compute_past_features, compute_risk_examples
from tenant_experience.pipeline.live_release import (
    check_live_release,
    forget_labels,
    live_partitions,
    refusing_gates,
)
from tenant_experience.pipeline.refused_features import add_refused_features, write_quarantine
from tenant_experience.pipeline.tenant_outcomes import keep_outcomes
from tenant_experience.pseudonyms import Pseudonyms
from tenant_experience.training.tuning_request import check_hyperparameters, wanted_tuning
from tenant_experience.use_case.group_choice import FIND_NEW, KEEP, GroupChoice
from tenant_experience.use_case.manifest import Scope, as_hyperparameters
from tenant_experience.use_case.schema import UseCase

_log = logging.getLogger("build_features")


def build_features(
    folders: Folders,
    *,
    release: str,
    use_case_name: str,
    requested_at: datetime,
    as_of: datetime | None = None,
    pseudonym_key: bytes | None = None,
    open_engine: OpenEngine = DuckDbEngine,
    live_rules: Callable[[], EarlierRules] = EarlierRules,
    adding_up: AddingUp | None = None,
) -> Outcome:
    """Builds features, partitions, quarantine and the data-quality report of one release.

    A refused batch leaves its quarantine and its data-quality report, but no features.

    Args:
        folders: what to read and where to write.
        release: its id.
        use_case_name: must be the one in the folder.
        requested_at: UTC; ``as_of`` unless the manifest or the source says otherwise.
        as_of: UTC, for history; takes precedence over both.
        pseudonym_key: with it, pseudonyms replace ids in everything that is written.
        open_engine: opens the engine that computes over events; DuckDB always reads ready-made tables.
        live_rules: fetches the rule of the live release's groups, when a refusal is to say what it makes of these
            tenants.
        adding_up: where the events of batches that add up are kept; None: nowhere, so that such a batch has its own.

    Raises:
        UserError: the batch or its settings are wrong.
        AlgorithmError: too few tenants have enough history.
    """
    with data_quality_report(folders.reports, release) as quality:
        batch = Batch.open(folders, use_case_name, requested_at, as_of)
        kept_in = adding_up.store.folders if adding_up else ()
        readable = (folders.raw, folders.previous, folders.features, folders.quarantine, *kept_in)
        kept = adding_up.find(batch, release) if adding_up and batch.manifest.appends else None
        new = kept if as_of is None else None
        session = open_session(*readable, time_zone=batch.source.time_zone)
        with damaged_parts(kept), session as (connection, scratch):
            engine = open_engine(connection, scratch, _pseudonyms(pseudonym_key, batch.use_case))
            if not batch.manifest.train:
                quality.answered_by = check_live_release(connection, batch, folders.previous)
            files = find_raw_files(folders.raw, batch.source, scratch, batch.chosen)
            intake = read_batch(engine, batch, files, folders, scratch, quality, kept)
            check_quarantine_gate(intake, batch.use_case, batch.source.columns)
            check_conflicting_ids(quality.events or quality.table, batch.use_case)
            if batch.source.has_events:
                has_cases = batch.source.kind == "activities"
                with kept_for_later(engine, new):
                    check_freshness(engine, batch.use_case, batch.as_of, has_cases=has_cases)
            scope = batch.use_case.chosen_scope(batch.manifest.models)
            refused = compute_features(engine, batch, folders, learns=as_of is None)
            intake = add_refused_features(connection, refused, batch.use_case, folders.quarantine, quality) or intake
            check_refused_features(refused, batch.use_case)
            # Of history, and of records that only get answers, nothing is validated or looked back on.
            trained = batch.manifest.train and as_of is None
            if trained:
                quality.add_outcomes(keep_outcomes(connection, batch, folders, engine.pseudonyms), batch.use_case)
            with kept_for_later(engine, new):
                partition_of, placed = _assign(connection, batch, scope, folders)
            place_tenants(connection, batch.use_case, partition_of)
            with kept_for_later(engine, new):
                tenants, broken = _describe(connection, batch, folders, quality, placed)
            by_rule = partial(by_live_rule, connection, batch, scratch, release, live_rules)
            accepted = check_comparison_gates(broken, batch.manifest.accept, by_rule, train=batch.manifest.train)
            quality.warnings = [*accepted, *(quality.warnings or ())]
            write_features(connection, batch.use_case, folders.features / FEATURES_FILE)
            if has_examples(connection) and trained:
                write_examples(connection, batch.use_case, folders.features / EXAMPLES_FILE)
            past = compute_past_features(engine, batch, folders) if trained else []
            no_risk = compute_risk_examples(engine, batch, folders) if trained else None
            if new:
                keep_parts(engine, new)
        items = _write_partitions(batch, scope, partition_of, quality, folders) if batch.manifest.train else []
    if new:
        accept(new)
    return Outcome.ok(
        release=release,
        as_of=quality.as_of,
        source=batch.source_name,
        train=batch.manifest.train,
        tenants=tenants.tenants,
        rows=intake.rows,
        quarantined=intake.quarantined,
        shards=len(items),
        past_periods=past,
        no_risk_examples=no_risk,
        data_quality={
            "quarantined_share": intake.quarantined_share,
            "may_train": tenants.may_train,
            "tenants_by_history": tenants.tenants_by_history,
            "warnings": quality.warnings,
        },
    )


def _pseudonyms(key: bytes | None, use_case: UseCase) -> Pseudonyms | None:
    return None if key is None else Pseudonyms(key, use_case.record_id, use_case.record_id_case)


def read_batch(
    engine: ProcessingEngine,
    batch: Batch,
    files: list[RawFile],
    folders: Folders,
    scratch: Path,
    quality: DataQuality,
    kept: KeptEvents | None = None,
    *,
    scores: bool = False,
) -> IntakeFigures:
    """Reads the files and writes the quarantine; what was found also goes into ``quality``.

    In a score batch (``scores``), a wrong row costs no other row its answer.
    """
    quality.words = batch.use_case.words
    quality.source, quality.as_of = batch.source_name, f"{batch.as_of:%Y-%m-%dT%H:%M:%SZ}"
    connection = engine.connection
    if batch.source.has_events:
        counts = read_events(engine, files, batch.source, batch.use_case, batch.requested_at, kept)
        intake = describe_intake(connection, counts.files, skipped_files(folders.raw))
        quality.events = describe_events(connection, counts, batch.use_case.declared_events)
        if kept:
            good = sum(file.rows - file.quarantined - file.filtered for file in counts.files)
            quality.kept = describe_kept(engine, kept, good)
            quality.warnings = kept_warnings(quality.kept, batch.use_case.declared_events)
        quality.history = describe_history(batch.use_case, batch.source, read_sql(folders.use_case))
    else:
        in_process = DuckDbEngine(connection, scratch, engine.pseudonyms)
        scored_at = batch.as_of if scores else None
        counted, quality.table = read_table(in_process, files, batch.source, batch.use_case, scored_at=scored_at)
        intake = describe_intake(connection, counted, skipped_files(folders.raw))
    if intake.skipped:  # all of them, also when a gate refuses the batch
        _log.info("not read, because their names begin with . or _: %s", ", ".join(intake.skipped))
    warnings = intake_warnings(intake, quality.events or quality.table, batch.use_case)
    quality.intake, quality.warnings = intake, [*(quality.warnings or ()), *warnings]
    write_quarantine(connection, folders.quarantine)
    return intake


def _assign(
    connection: duckdb.DuckDBPyConnection, batch: Batch, scope: Scope, folders: Folders
) -> tuple[dict[str, PartitionSize], list[str]]:
    """Portfolio -> the partition that answers for it, and warnings."""
    portfolios = tenants_by_portfolio(connection, batch.use_case)
    if not batch.manifest.train:
        forget_labels(connection, batch.use_case)
        return live_partitions(portfolios, batch.use_case, folders.previous)
    inherits = batch.manifest.groups is not None and batch.manifest.groups.kind == "from"
    pooled = tenants_that_may_train(connection, batch.use_case)
    partition_of = assign_partitions(portfolios, batch.use_case, scope, inherits=inherits, pooled=pooled)
    return partition_of, scope_warnings(scope, partition_of.values(), batch.use_case)


def _describe(
    connection: duckdb.DuckDBPyConnection, batch: Batch, folders: Folders, quality: DataQuality, placed: list[str]
) -> tuple[TenantFigures, list[BrokenGate]]:
    """Describes the tenants, and the features beside those of the live release, in ``quality``.

    Returns:
        The figures of the tenants, and the gates on changes that are broken.
    """
    use_case, train = batch.use_case, batch.manifest.train
    quality.tenants = tenants = describe_tenants(connection, use_case)
    comparison = compare_releases(connection, use_case, batch.source_name, batch.as_of, folders.previous)
    quality.comparison = comparison
    quality.features = describe_features(connection, use_case, compared=comparison.compared)
    labelled = use_case.labels.from_ == "column" or (use_case.labels.from_ == "events" and has_examples(connection))
    if labelled and train:
        quality.labels = describe_labels(connection, use_case, compared=comparison.compared)
    unmapped = unmapped_warnings(batch.source_name, batch.unknown, use_case)
    aged = age_warnings(f"{batch.as_of:%Y-%m-%dT%H:%M:%SZ}", live_as_of(folders.previous), train=train)
    broken = broken_comparison_gates(comparison, quality.features, quality.labels, use_case)
    broken, spared = (broken, []) if train else refusing_gates(broken, tenants.tenants, use_case.words)
    unlabelled = unlabelled_warnings(comparison, quality.labels, use_case)
    of_categories = categories(connection, use_case) if train else []
    known = [*(quality.warnings or ()), *aged, *placed, *unmapped, *spared, *unlabelled]
    known += category_warnings(of_categories)
    quality.warnings = [*known, *shift_warnings(quality.features, quality.labels, use_case)]
    scope = use_case.chosen_scope(batch.manifest.models)
    check_columns(of_categories, rows_learned(connection), use_case, scope)
    return tenants, broken


def by_live_rule(
    connection: duckdb.DuckDBPyConnection,
    batch: Batch,
    scratch: Path,
    release: str,
    live_rules: Callable[[], EarlierRules],
) -> list[str]:
    """What the rule of the live release's groups says of these tenants, so that a refusal says who fares worse.

    Args:
        connection: holds the features and who answers for each tenant.
        batch: its use case names the columns.
        scratch: a folder that the connection may write into.
        release: this one.
        live_rules: fetches the rule.

    Returns:
        Sentences; none where nothing is known.
    """
    use_case = batch.use_case
    if use_case.clustering is None:
        return []
    rules, path = live_rules(), scratch / FEATURES_FILE
    if rules.live is None:
        return []
    write_features(connection, use_case, path)
    table = read_features(path, use_case)
    if obstacle(rules.live, table, use_case):
        return []
    return list(measure(table, release, rules.live, rules.live, rules.yardstick).sentences(use_case.words))


def chosen_groups(batch: Batch, *, compared: bool) -> GroupChoice | None:
    """Where the groups of this release come from; None where labels come from a column.

    Args:
        batch: its manifest decides, else its use case.
        compared: whether this release can be compared with the live one. Groups of a release of another source are kept
            only when the manifest says so.

    Raises:
        UserError: ``invalid_manifest`` when it has groups and the use case has none.
    """
    wanted, clustering = batch.manifest.groups, batch.use_case.clustering
    if clustering is None:
        if wanted:
            raise UserError(
                f"{MANIFEST} has the key 'groups', but labels of {batch.use_case.name} do not come from groups",
                code="invalid_manifest",
            )
        return None
    return wanted or (KEEP if clustering.hold and compared else FIND_NEW)


def plan_partitions(
    batch: Batch, scope: Scope, partition_of: dict[str, PartitionSize], groups: GroupChoice | None
) -> list[Shard]:
    """The training jobs of a release.

    Raises:
        UserError: the trainer does not accept the hyperparameters, or a search of them is not possible.
    """
    hyperparameters = as_hyperparameters(batch.use_case.hyperparameters) | batch.manifest.hyperparameters
    tuning = wanted_tuning(batch.use_case, batch.manifest)
    check_hyperparameters(batch.use_case.trainer, hyperparameters, tuning, batch.use_case.labels)
    models = batch.use_case.models.model_copy(update={"scope": scope})
    return shards(partition_of, models, hyperparameters, tuning, groups)


def _write_partitions(
    batch: Batch, scope: Scope, partition_of: dict[str, PartitionSize], quality: DataQuality, folders: Folders
) -> list[Shard]:
    groups = chosen_groups(batch, compared=quality.comparison is not None and quality.comparison.compared)
    items = plan_partitions(batch, scope, partition_of, groups)
    _write_json(folders.features / PARTITIONS_FILE, [asdict(item) for item in items])
    return items


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
