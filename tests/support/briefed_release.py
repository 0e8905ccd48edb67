"""A release over a live one, evaluated in this process, and what its approval page reads: as files by their keys."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenant_experience.aws import objects
from tenant_experience.data_layout import EVALUATION_FILE, REPORT_FILE, reports
from tenant_experience.evaluation.champion import Champion
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.file import to_arrow, write_groups
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.next_period import NextPeriod
from tenant_experience.groups.yardstick import Yardstick, measure
from tenant_experience.jobs.partition_runs import Partition, PartitionOutcome, run_partitions
from tenant_experience.pipeline.evaluate_shard import ShardEvaluation
from tenant_experience.report.action_files import report_actions
from tenant_experience.report.page_pictures import write_page_pictures
from tenant_experience.report.pictures import group_pictures
from tenant_experience.report.report import ShardReport
from tenant_experience.report.share_pictures import share_pictures
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tests.support.generated_tenants import generated_table, use_case
from tests.support.places import ROOT


@dataclass(frozen=True)
class Made:
    """A release whose models are trained.

    Attributes:
        name: its id.
        folder: holds a folder for each partition's slug with its model.
        table: its records.
    """

    name: str
    folder: Path
    table: FeatureTable


def trained(name: str, table: FeatureTable, partitions: Sequence[Partition], folder: Path, live: Made | None) -> Made:
    """Finds groups and trains a small model for each partition."""
    groups = []
    for partition in partitions:
        own = folder / partition.slug
        own.mkdir(parents=True)
        rows_of = table.of_partition(partition.slug)
        grouping, rows = group_partition(rows_of, partition, use_case(), name)
        grouping.write(own)
        NextPeriod().write(own)
        rule, earlier = (
            (Grouping.read(live.folder / partition.slug), Yardstick.read(live.folder / partition.slug))
            if live
            else (None, None)
        )
        measure(rows_of, name, grouping, rule, earlier).write(own)
        settings = parse_settings("xgboost", trainer_named("xgboost"), {"n_estimators": "20"})
        TrainingRun(use_case(), settings, name).train_partition(rows_of, rows, partition, own)
        groups.append(to_arrow(rows, partition.slug))
    write_groups(groups, folder / "groups.parquet")
    return Made(name, folder, table)


@dataclass(frozen=True)
class Briefed:
    """A release that was evaluated: its reports as files below ``bucket``, by their keys."""

    release: str
    bucket: Path
    outcomes: list[PartitionOutcome]

    def serve(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Lets the objects of the data bucket be these files."""

        def read_part(_bucket: str, key: str, start: int, length: int) -> bytes:
            path = self.bucket / key
            return path.read_bytes()[start : start + length] if path.is_file() else b""

        def find_json(_bucket: str, key: str) -> Any:
            path = self.bucket / key
            return objects.json.loads(path.read_text()) if path.is_file() else None

        monkeypatch.setenv("DATA_BUCKET", "bucket")
        monkeypatch.setattr(objects, "read_part", read_part)
        monkeypatch.setattr(objects, "find_json", find_json)


def worse_off(table: FeatureTable, rows: slice) -> FeatureTable:
    """The same records, some of whom wait and escalate twice as much."""
    values = table.values.copy()
    for name in ("mean_first_response_hr", "escalation_count", "total_maintenance_tickets"):
        values[rows, table.features.index(name)] *= 2
    return replace(table, values=values)


def briefed(folder: Path, names: Sequence[str] = (), count: int = 800) -> Briefed:
    """A release over a live one that knows the same records, a third of whom wait longer now.

    Args:
        folder: where to put all of it.
        names: of partitions with models of their own; one model for all without them.
        count: of records.
    """
    partitions = [Partition(name, f"p{place}") for place, name in enumerate(names)] or [Partition("all", "all")]
    before = generated_table(count, portfolios=names or ("north", "south"))
    slugs = {partition.partition: partition.slug for partition in partitions}
    if names:
        before = replace(before, partition_slug=np.array([slugs[name] for name in before.portfolio_id.tolist()]))
    now = replace(worse_off(before, slice(0, count // 3)), as_of="2026-12-01T00:00:00Z")
    live = trained("r1", before, partitions, folder / "r1", None)
    new = trained("r2", now, partitions, folder / "r2", live)
    shard = ShardEvaluation(
        release="r2",
        use_case=use_case().model_copy(update={"gates": use_case().gates.model_copy(update={"champion_loss": None})}),
        table=now,
        answers=now,
        clusters=new.folder,
        trained=new.folder,
        archives=folder / "models",
        champion_of=lambda slug: Champion("r1", live.folder / slug),
        previous=before,
    )
    outcomes = run_partitions(partitions, shard.evaluate)
    output = folder / "bucket" / reports("r2", 0)
    output.mkdir(parents=True)
    script = _evaluate_model()
    script._write_brief(shard, 0, output)
    report = ShardReport(
        release="r2",
        shard=0,
        use_case=shard.use_case,
        rows=outcomes,
        ready=shard.ready,
        refused=shard.refused,
        pictures={
            each.manifest.slug: group_pictures(now, shard.groups[each.manifest.slug], each.grouping)
            for each in shard.ready
        },
        shares={each.manifest.slug: share_pictures(each.yardstick, shard.use_case.words) for each in shard.ready},
        actions=report_actions(now, shard.use_case, shard.ready, shard.groups),
    )
    (output / REPORT_FILE).write_text(report.render())
    write_page_pictures(report.parts, output)
    (output / EVALUATION_FILE).write_text("{}")
    return Briefed("r2", folder / "bucket", outcomes)


def _evaluate_model() -> Any:
    spec = importlib.util.spec_from_file_location("evaluate_model", ROOT / "sagemaker_scripts" / "evaluate_model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
