"""A release made by the scripts, one after another, as real processes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenant_experience.jobs.archive import extract_archive
from tests.support.job_processes import cluster, evaluate, train


@dataclass(frozen=True)
class Release:
    """A release made by the three scripts, one after another, as real processes."""

    base: Path
    clustered: dict[str, Any]
    trained: dict[str, Any]
    evaluated: dict[str, Any]
    models: dict[str, Path]

    def output(self, name: str) -> Path:
        return self.base / "processing" / "output" / name

    def copy_to_bucket(self, folder: Path) -> None:
        """Lays out what ``tenx replay r1 --folder`` reads: the keys of the data bucket, as folders."""
        inputs = self.base / "processing" / "input"
        shutil.copytree(inputs / "features", folder / "features" / "r1")
        shutil.copytree(self.output("clusters"), folder / "clusters" / "r1" / "0")
        shutil.copytree(self.output("models"), folder / "models")
        shutil.copytree(inputs / "use_case", folder / "use_cases" / "r1")


def make_release(base: Path) -> Release:
    """Runs the scripts over the inputs below ``base`` and unpacks the archives they made."""
    clustered, trained, evaluated = cluster(base), train(base), evaluate(base)
    models = {}
    for row in evaluated["partitions"]:
        if row["status"] == "ready":
            folder = base / "unpacked" / row["slug"]
            extract_archive(base / "processing" / "output" / "models" / row["model_key"], folder)
            models[row["slug"]] = folder
    return Release(base, clustered, trained, evaluated, models)
