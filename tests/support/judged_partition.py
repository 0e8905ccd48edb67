"""A partition of generated tenants with its groups, its model and what its page says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tenant_experience.evaluation.partition import evaluate_partition
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.file import GroupRows
from tenant_experience.groups.next_period import NextPeriod
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.report.action_files import report_actions
from tenant_experience.report.pictures import group_pictures
from tenant_experience.report.report import ShardReport
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.schema import UseCase
from tests.support.generated_tenants import generated_table, use_case

NAME = "<script>alert('north')</script>"

PARTITION = Partition(NAME, "north")


@dataclass(frozen=True)
class Judged:
    """A partition with its model judged, and what the page needs of it beside."""

    evaluation: Any
    table: FeatureTable
    groups: GroupRows
    use_case: UseCase
    partition: Partition = PARTITION

    @cached_property
    def pictures(self) -> Any:
        return group_pictures(self.table, self.groups, self.evaluation.grouping)

    def report(self, **more: Any) -> str:
        evaluation, slug = self.evaluation, self.evaluation.manifest.slug
        content: dict[str, Any] = {
            "rows": [],
            "ready": [evaluation],
            "pictures": {slug: self.pictures} if evaluation.grouping else {},
            "actions": report_actions(self.table, self.use_case, [evaluation], {slug: self.groups}),
        }
        return ShardReport("r1", 0, self.use_case, **(content | more)).render()

    def with_next_period(self, next_period: NextPeriod, folder: Path) -> Judged:
        """The same model, in ``folder``, beside another account of the next period."""
        self.evaluation.grouping.write(folder)
        next_period.write(folder)
        return self.trained(folder)

    def trained(self, folder: Path) -> Judged:
        """The same with its model made in ``folder`` and judged."""
        settings = parse_settings("xgboost", trainer_named("xgboost"), {"n_estimators": "20"})
        TrainingRun(self.use_case, settings, "r1").train_partition(self.table, self.groups, self.partition, folder)
        return replace(self, evaluation=evaluate_partition(self.table, self.groups, folder, self.use_case))


def judged_groups(folder: Path) -> Judged:
    """Groups of tenants, some of whom wait; nobody has a positive_rate. The model is written into ``folder``."""
    table = generated_table(800, portfolios=("north", NAME))
    values = table.values.copy()
    values[:, table.features.index("positive_rate")] = np.nan
    age = np.where(np.arange(800) < 40, np.arange(800) * 6.0, np.nan)
    side = {"open_count": np.where(np.isnan(age), 0.0, 2.0), "oldest_open_hr": age}
    table = replace(table, values=values, partition_slug=np.full(800, "north"), side=side)
    grouping, groups = group_partition(table, PARTITION, use_case(), "r1")
    grouping.write(folder)
    return Judged(None, table, groups, use_case()).trained(folder)
