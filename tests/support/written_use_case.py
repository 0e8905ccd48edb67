"""A use case written for a test, its data, and everything that a release makes of them in this process."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from operations.batch import read_input
from operations.preview import Shown, preview
from tenant_experience.data_layout import FEATURES_FILE, PARTITIONS_FILE
from tenant_experience.evaluation.evaluation import PartitionEvaluation
from tenant_experience.evaluation.partition import evaluate_partition
from tenant_experience.features.records import feature_types, read_records
from tenant_experience.features.table import read_examples
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.groups.file import read_groups, to_arrow, write_groups
from tenant_experience.jobs.instance_resources import InstanceShare
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.jobs.partition_runs import Partition, read_shard
from tenant_experience.pipeline.adding_up import AddingUp
from tenant_experience.pipeline.batch import Folders
from tenant_experience.pipeline.build_features import build_features
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.schema import load_use_case

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
SETTINGS: dict[str, Any] = {
    "name": "written",
    "record_id": "client",
    "partition_column": "branch",
    "default_source": "export",
    "features": {"amount": {}, "colour": {"kind": "category"}},
    "labels": {"from": "column", "column": "outcome", "classes": ["stays", "leaves"], "positive": "leaves"},
    "trainer": "linear",
    "gates": {"pooled_tenants": 50, "freshness_days": None, "roc_auc": None, "calibration_error": None},
}


@dataclass
class Written:
    """A use case and a batch for it, below ``base``.

    Attributes:
        base: an empty folder.
        settings: ``use_case.yaml``.
        source: ``sources/export.yaml``.
        rows: the lines of the export, by column.
        sql: ``features.sql``, if there is one.
        yaml_text: instead of the settings: the text of ``use_case.yaml``.
        evaluations: partition slug -> what ``release`` found.
    """

    base: Path
    settings: dict[str, Any]
    source: dict[str, Any]
    rows: dict[str, list[Any]]
    sql: str | None = None
    yaml_text: str | None = None
    folder: Path = field(init=False)
    export: Path = field(init=False)
    evaluations: dict[str, PartitionEvaluation] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.folder, self.export = self.base / self.settings["name"], self.base / "export.csv"
        (self.folder / "sources").mkdir(parents=True)
        text = self.yaml_text or yaml.safe_dump(self.settings, sort_keys=False, allow_unicode=True)
        (self.folder / "use_case.yaml").write_text(text, encoding="utf-8")
        (self.folder / "sources/export.yaml").write_text(yaml.safe_dump(self.source, sort_keys=False, width=1_000))
        if self.sql is not None:
            (self.folder / "features.sql").write_text(self.sql, encoding="utf-8")
        with self.export.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(self.rows)
            writer.writerows(zip(*self.rows.values(), strict=True))

    def preview(self, *, train: bool = True) -> Shown:
        """What ``tenx preview`` finds."""
        raw = read_input(self.export, self.folder, None, AS_OF, train=train)
        return preview(raw, self.folder, [], 2, Console(file=io.StringIO()))

    def build(
        self,
        manifest: dict[str, Any] | None = None,
        previous: Path | None = None,
        as_of: datetime | None = None,
        pseudonym_key: bytes | None = None,
        adding_up: AddingUp | None = None,
        release: str = "r1",
    ) -> Outcome:
        """What the BuildFeatures job does; it replaces a former output.

        Args:
            manifest: of the batch; without keys by default.
            previous: the features of the live release; none is live by default.
            as_of: for history.
            pseudonym_key: with it, pseudonyms replace ids.
            adding_up: where events of batches that add up are kept; nowhere by default.
            release: its id.
        """
        shutil.rmtree(self.base / "job", ignore_errors=True)
        made = {name: self.base / "job" / name for name in ("raw", "previous", "features", "quarantine", "reports")}
        for path in made.values():
            path.mkdir(parents=True)
        shutil.copy(self.export, made["raw"])
        (made["raw"] / "manifest.json").write_text(json.dumps(manifest or {}))
        if previous is not None:
            shutil.copytree(previous, made["previous"], dirs_exist_ok=True)
        folders = Folders(use_case=self.folder, **made)
        outcome = build_features(
            folders,
            release=release,
            use_case_name=self.settings["name"],
            requested_at=AS_OF,
            as_of=as_of,
            pseudonym_key=pseudonym_key,
            adding_up=adding_up,
        )
        outcome.write(made["features"])
        return outcome

    def release(self) -> list[str]:
        """BuildFeatures, the records of IngestFeatures, ClusterTenants, TrainModel and EvaluateModel.

        Returns:
            The slugs of the partitions that got a model.
        """
        self.build()
        features, use_case = self.base / "job/features", load_use_case(self.folder)
        records = list(read_records(features / FEATURES_FILE, use_case, "r1", InstanceShare("algo-1", 0, 1)))
        assert records
        assert all(record.keys() <= feature_types(use_case).keys() for record in records)
        assert (features / PARTITIONS_FILE).is_file()
        table = read_examples(features, use_case)
        trained = []
        for partition in read_shard(features, 0):
            trained.append(partition.slug)
            self._train(table, partition, use_case)
        return trained

    def _train(self, table: Any, partition: Partition, use_case: Any) -> None:
        folder = self.base / "models" / partition.slug
        folder.mkdir(parents=True)
        rows = label_partition(table.of_partition(partition.slug), partition, use_case)
        write_groups([to_arrow(rows, partition.slug)], folder / "groups.parquet")
        read = read_groups(folder / "groups.parquet", partition.slug, use_case.labels)
        settings = parse_settings(use_case.trainer, trainer_named(use_case.trainer), use_case.hyperparameters)
        TrainingRun(use_case, settings, "r1").train_partition(
            table.of_partition(partition.slug), read, partition, folder
        )
        evaluation = evaluate_partition(table.of_partition(partition.slug), read, folder, use_case)
        evaluation.document()
        self.evaluations[partition.slug] = evaluation


def table_of(base: Path, rows: int = 240, **changes: Any) -> Written:
    """A ready-made table whose columns are found under plain names, c0, c1 and so on.

    Args:
        base: an empty folder.
        rows: how many.
        changes: keys of ``use_case.yaml``, and ``partitions`` and ``categories``: the values of the rows, in turn.
    """
    partitions = changes.pop("partitions", ["north"])
    categories = changes.pop("categories", ["red", "blue"])
    settings = {**SETTINGS, **changes}
    label = settings["labels"]["column"]
    features = list(settings["features"])
    numbers = [name for name in features if (settings["features"][name] or {}).get("kind") != "category"]
    classes = [str(each) for each in settings["labels"]["classes"]]
    ours = [settings["record_id"], settings.get("partition_column"), *features, label]
    columns = {name: f"c{place}" for place, name in enumerate(ours) if name}
    values: dict[str, list[Any]] = {}
    for name, column in columns.items():
        if name == settings["record_id"]:
            values[column] = [f"K{row}" for row in range(rows)]
        elif name == settings.get("partition_column"):
            values[column] = [partitions[row % len(partitions)] for row in range(rows)]
        elif name == label:
            values[column] = [classes[row // 7 % len(classes)] for row in range(rows)]
        elif name in numbers:
            values[column] = [(row * 37 % 101) + row // 7 % len(classes) for row in range(rows)]
        else:
            values[column] = [categories[row % len(categories)] for row in range(rows)]
    return Written(base, settings, {"kind": "table", "columns": columns}, values)


def events_of(base: Path, sql: str, tenants: int = 120, **changes: Any) -> Written:
    """An event log of three calls of each tenant, with ``features.sql``."""
    settings = {
        **SETTINGS,
        "record_id": "tenant_id",
        "partition_column": "portfolio_id",
        "events": {"time": "opened_at", "kind": "channel", "columns": {"channel": {"values": ["call", "visit"]}}},
        "features": {"calls": {"minimum": 0, "maximum": 100}},
        "labels": {"from": "column", "column": "outcome", "classes": ["few", "many"], "positive": "many"},
        **changes,
    }
    events = [(tenant, number) for tenant in range(tenants) for number in range(2 + tenant % 2)]
    names = ("event_id", "tenant_id", "portfolio_id", "channel", "opened_at")
    rows = [
        (f"E{tenant}-{number}", f"K{tenant}", "north", "call", f"2026-{6 + number:02}-03T10:00:00Z")
        for tenant, number in events
    ]
    source = {"kind": "events", "columns": {name: name for name in names}}
    return Written(base, settings, source, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)), sql)
