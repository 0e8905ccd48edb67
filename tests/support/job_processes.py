"""The scripts as SageMaker starts them: processes that see folders below SAGEMAKER_BASE_DIR, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.places import ROOT


def run_script(base: Path, *command: str, more: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs ``python <command>`` from the repository's root, ``more`` in its environment; the caller judges its exit."""
    environment = {"PATH": os.environ["PATH"], "SAGEMAKER_BASE_DIR": str(base), "MPLCONFIGDIR": str(base / "mpl")}
    environment |= more or {}
    if "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    return subprocess.run(  # noqa: S603
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=250
    )


def cluster(base: Path) -> dict[str, Any]:
    return _processing(base, "cluster_tenants.py", "clusters")


def train(base: Path, hyperparameters: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Hands the cluster job's output to a training job and runs it, through the container's ``train`` command."""
    processing, channels = base / "processing", base / "input" / "data"
    shutil.rmtree(base / "model", ignore_errors=True)
    shutil.rmtree(channels, ignore_errors=True)
    shutil.copytree(processing / "input" / "features", channels / "features")
    shutil.copytree(processing / "input" / "use_case", channels / "use_case")
    shutil.copytree(processing / "output" / "clusters", channels / "clusters")
    shards = json.loads((channels / "features" / "partitions.json").read_text())
    config = base / "input" / "config"
    config.mkdir(parents=True, exist_ok=True)
    strings = {"release": "r1", "shard": "0"} | shards[0]["hyperparameters"] | dict(hyperparameters or {})
    (config / "hyperparameters.json").write_text(json.dumps(strings))
    done = run_script(base, "container/train")
    assert done.returncode == 0, done.stderr
    return _read(base / "model" / "outcome.json")


def evaluate(base: Path, more: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Packs the model folder as SageMaker does, and evaluates it, with ``more`` in the job's environment."""
    inputs = base / "processing" / "input"
    shutil.rmtree(inputs / "clusters", ignore_errors=True)
    shutil.copytree(base / "processing" / "output" / "clusters", inputs / "clusters")
    (inputs / "model").mkdir(exist_ok=True)
    with tarfile.open(inputs / "model" / "model.tar.gz", "w:gz") as archive:
        archive.add(base / "model", ".")
    return _processing(base, "evaluate_model.py", "reports", more)


def _processing(base: Path, script: str, output: str, more: Mapping[str, str] | None = None) -> dict[str, Any]:
    done = run_script(base, f"sagemaker_scripts/{script}", "--release", "r1", "--shard", "0", more=more)
    assert done.returncode == 0, done.stderr
    return _read(base / "processing" / "output" / output / "outcome.json")


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document
