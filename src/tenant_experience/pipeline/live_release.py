"""Records that the live release is to answer for: its models must be able to read them, and say who answers for whom.

Nothing is trained on such a batch (``"release": "features_only"`` in manifest.json), and the live release stays.
"""

# ruff: noqa: S608 - names in SQL are quoted, as is the path
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb

from tenant_experience.data_layout import FEATURES_FILE, GLOBAL_PARTITION, OUTCOME, SIDE_COLUMNS, partition_slug
from tenant_experience.data_quality.gates import BrokenGate
from tenant_experience.errors import UserError
from tenant_experience.features.contract import label_columns
from tenant_experience.features.partitions import PartitionSize
from tenant_experience.features.sql import FEATURES_TABLE
from tenant_experience.intake.duckdb_session import identifier, literal
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.jobs.partition_runs import read_partitions
from tenant_experience.pipeline.batch import Batch
from tenant_experience.use_case.schema import USE_CASE_FILE, UseCase
from tenant_experience.use_case.words import Words

# Of fewer records, shares say nothing: a gate that compares with the live release is then a warning.
LEAST_COMPARED = 30
_OWN_COLUMNS = ("partition", "partition_slug", "as_of", "history", "may_train", *SIDE_COLUMNS)


def check_live_release(connection: duckdb.DuckDBPyConnection, batch: Batch, folder: Path) -> str:
    """Refuses a batch that the live release cannot answer for, before its files are read.

    Args:
        connection: may read ``folder``.
        batch: on which nothing is trained.
        folder: the ``features/`` of the live release; missing when none is live.

    Returns:
        The id of the live release.

    Raises:
        UserError: ``no_live_release``, or ``missing_features`` when its models read a feature that this batch lacks.
    """
    use_case = batch.use_case
    if not (folder / FEATURES_FILE).is_file() or not (folder / OUTCOME).is_file():
        raise UserError(
            f"this batch brings features alone, but no release of {use_case.name} is live that could answer for these "
            'records: upload a batch with labels and without "train": false or "release": "features_only", and approve '
            "its release first",
            code="no_live_release",
        )
    release = str(Outcome.read(folder).figures.get("release"))
    given = {name: name in use_case.categories for name in use_case.features}
    for name, is_text in _features_read(connection, use_case, folder).items():
        if name not in given:
            wrong = f"{USE_CASE_FILE} no longer declares it"
        elif given[name] != is_text:
            wrong = f"{USE_CASE_FILE} now declares it as {'a category' if given[name] else 'a number'}"
        elif name in batch.source.unmapped(use_case):
            wrong = f"source {batch.source_name!r} maps no column to it"
        else:
            continue
        raise UserError(
            f"the models of the live release {release} read the feature {name!r}, but {wrong}: give the feature as it "
            'was, or release new models first, with a batch that has labels and no "train": false',
            code="missing_features",
        )
    return release


def _features_read(connection: duckdb.DuckDBPyConnection, use_case: UseCase, folder: Path) -> dict[str, bool]:
    """The features that models of a release may have been trained on, and whether each is a category.

    Those that are null for everybody are left out of every model.
    """
    table = f"read_parquet({literal(str(folder / FEATURES_FILE))})"
    of_use_case = (*label_columns(use_case), *use_case.kept_columns)
    others = {use_case.record_id, use_case.partition_column, *of_use_case, *_OWN_COLUMNS}
    found = {
        str(name): kind == "VARCHAR"
        for name, kind, *_ in connection.execute(f"DESCRIBE FROM {table}").fetchall()
        if name not in others
    }
    if not found:
        return {}
    counts = ", ".join(f"count({identifier(name)})" for name in found)
    known = connection.execute(f"SELECT {counts} FROM {table}").fetchone() or ()
    return {name: is_text for (name, is_text), values in zip(found.items(), known, strict=True) if values}


def forget_labels(connection: duckdb.DuckDBPyConnection, use_case: UseCase) -> None:
    """Makes ``features`` a table that nothing is trained on: whatever labels it has are not looked at."""
    unset = ", ".join(["may_train = false", *(f"{identifier(name)} = NULL" for name in label_columns(use_case))])
    connection.execute(f"UPDATE {FEATURES_TABLE} SET {unset}")


def live_partitions(
    portfolios: Mapping[str, tuple[int, int]], use_case: UseCase, folder: Path
) -> tuple[dict[str, PartitionSize], list[str]]:
    """Portfolio -> the partition whose model answers, as in the live release, and warnings.

    Args:
        portfolios: portfolio -> (tenants, tenants that may train).
        use_case: what it calls both.
        folder: the ``features/`` of the live release.

    Raises:
        UserError: ``no_live_model``: no model of the live release answers for any of these records.
    """
    trained = {partition.partition for partition in read_partitions(folder)}
    own = {name for name in portfolios if name in trained and name != GLOBAL_PARTITION}
    others = {name: tenants for name, (tenants, _) in portfolios.items() if name not in own}
    shared = PartitionSize(GLOBAL_PARTITION, partition_slug(GLOBAL_PARTITION), "global", sum(others.values()), 0)
    placed = {
        name: PartitionSize(name, partition_slug(name), "local", tenants, 0) if name in own else shared
        for name, (tenants, _) in portfolios.items()
    }
    if GLOBAL_PARTITION in trained or not others:
        return placed, []
    words = use_case.words
    unanswered = (
        f"{words.counted(shared.tenants)} are of {words.partitions} without a model in the live release, such as "
        f"{min(others)!r:.60}, and it has no global model"
    )
    if not own:
        raise UserError(
            f"{unanswered}, so nothing would answer: correct {use_case.partition_column}, or release models for these "
            f'{words.partitions} first, with a batch that has labels and no "train": false',
            code="no_live_model",
        )
    return placed, [f"{unanswered}: the API answers no_live_model for them"]


def refusing_gates(broken: list[BrokenGate], records: int, words: Words) -> tuple[list[BrokenGate], list[str]]:
    """Which of the broken gates can refuse records that nothing is trained on, and warnings about the others.

    Such a batch need not hold every portfolio, and a few records show no shares.
    """
    asked = [gate for gate in broken if gate.name != "vanished_portfolios"]
    if records >= LEAST_COMPARED:
        return asked, []
    few = f"a gate that refuses nothing here, because there are fewer than {LEAST_COMPARED} {words.records}"
    return [], [f"{gate.sentence} ({few})" for gate in asked]
