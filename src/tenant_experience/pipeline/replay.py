"""Makes a registered model again from its own record, and compares it with the registered one."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenant_experience import data_layout
from tenant_experience.data_layout import (
    EXAMPLES_FILE,
    FEATURES_FILE,
    GROUPS_FILE,
    MODEL_ARCHIVE,
    MODEL_FILES,
    MODEL_MANIFEST,
    MODELS,
    PARTITIONS_FILE,
)
from tenant_experience.errors import UserError
from tenant_experience.features.table import read_features
from tenant_experience.groups.file import read_groups
from tenant_experience.jobs.archive import extract_archive, write_archive
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.models.artifact import ModelManifest, TrainingRecord, read_manifest
from tenant_experience.models.digests import has_digests
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.schema import USE_CASE_FILE, load_use_case

# Brings the file at an S3 key of the data bucket to this machine.
Fetch = Callable[[str], Path]
_DATA = ("data_sha256", "train_rows", "validation_rows", "left_out_features")
_SETTINGS = ("trainer", "hyperparameters", "seed", "feature_dropout", "threshold", "task", "labels", "positive_label")
_CODE = ("code_version", "libraries")


@dataclass(frozen=True)
class Replay:
    """The registered model beside the one that was made again.

    Attributes:
        recorded: part -> its value in the registered model; for the model's file, ``model.json`` and ``model.tar.gz``
            the SHA-256.
        rebuilt: the same for the model that was made again.
    """

    recorded: Mapping[str, Any]
    rebuilt: Mapping[str, Any]

    @property
    def differs(self) -> list[str]:
        """The parts that differ: data, settings, code version and the files; empty when all are equal."""
        return [part for part, value in self.recorded.items() if self.rebuilt[part] != value]


def replay_model(fetch: Fetch, release: str, partition: str, scratch: Path) -> Replay:
    """Trains a model again from the files of its release, with the settings in its own record.

    Args:
        fetch: gives the files of the data bucket.
        release: which one.
        partition: whose model.
        scratch: an empty folder.

    Raises:
        UserError: ``unknown_partition``; ``no_record`` for a model from before records were kept.
    """
    shard, found = _find(fetch, release, partition)
    archive = fetch(f"{MODELS}/{data_layout.model_archive(found.slug, release)}")
    extract_archive(archive, scratch / "recorded")
    manifest = read_manifest(scratch / "recorded")
    if manifest.training is None:
        raise UserError(f"the model of {partition}, release {release}, has no record of its training", code="no_record")
    rebuilt = scratch / "rebuilt"
    rebuilt.mkdir()
    # The other files in the archive were not trained, so they are copied; model.json has their digests.
    for file in (scratch / "recorded").iterdir():
        if file.name not in (*MODEL_FILES, MODEL_MANIFEST):
            shutil.copyfile(file, rebuilt / file.name)
    _train(fetch, manifest, manifest.training, found, shard, rebuilt)
    if not has_digests(json.loads((scratch / "recorded" / MODEL_MANIFEST).read_bytes())):
        read_manifest(rebuilt).write(rebuilt, digests=False)
    again = scratch / MODEL_ARCHIVE
    write_archive(again, sorted(rebuilt.iterdir()))
    return Replay(_parts(scratch / "recorded", archive), _parts(rebuilt, again))


def _find(fetch: Fetch, release: str, partition: str) -> tuple[int, Partition]:
    shards = json.loads(fetch(data_layout.features(release) + PARTITIONS_FILE).read_text())
    for entry in shards:
        for row in entry["partitions"]:
            if partition in (row["partition"], row["slug"]):
                return entry["shard"], Partition(row["partition"], row["slug"])
    known = ", ".join(row["partition"] for entry in shards for row in entry["partitions"])
    raise UserError(f"release {release} has no model of {partition!r}, but of {known}", code="unknown_partition")


def _train(
    fetch: Fetch, manifest: ModelManifest, record: TrainingRecord, partition: Partition, shard: int, folder: Path
) -> None:
    use_case = load_use_case(fetch(data_layout.use_case_snapshot(manifest.version) + USE_CASE_FILE).parent)
    settings = parse_settings(manifest.trainer, trainer_named(manifest.trainer), manifest.hyperparameters)
    recorded = use_case.model_copy(update={"trainer": manifest.trainer, "feature_dropout": record.feature_dropout})
    groups_file = fetch(data_layout.clusters(manifest.version, shard) + GROUPS_FILE)
    groups = read_groups(groups_file, partition.slug, recorded.labels)
    name = FEATURES_FILE if groups.examples is None else EXAMPLES_FILE
    table = read_features(fetch(data_layout.features(manifest.version) + name), recorded)
    training = TrainingRun(recorded, settings, manifest.version, pooled=manifest.levels is not None)
    training.train_partition(table, groups, partition, folder)


def _parts(folder: Path, archive: Path) -> dict[str, Any]:
    model = read_manifest(folder)
    manifest = model.model_dump(mode="json")
    recorded = manifest | manifest["training"]
    return {
        "data": {name: recorded[name] for name in _DATA},
        "settings": {name: recorded[name] for name in _SETTINGS},
        "code version": {name: recorded[name] for name in _CODE},
        **{name: _sha256(folder / name) for name in (model.model_file, MODEL_MANIFEST)},
        MODEL_ARCHIVE: _sha256(archive),
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
