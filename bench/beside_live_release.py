"""Runs a script of the pipeline as if a release were live, without AWS: its model's archive is in a file.

``python bench/beside_live_release.py <archive> <release> <script> <arguments>``, where the script is one of
``sagemaker_scripts/`` that asks for live models.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tenant_experience.evaluation.champion import Champion
from tenant_experience.jobs.archive import extract_archive
from tenant_experience.jobs.job import run_job
from tenant_experience.release.release import LiveRelease, PublishedModel

PARTITION = "all"


def main() -> int:
    """Runs the script, and returns its exit code."""
    archive, release, script = sys.argv[1:4]
    # The script reads its own arguments.
    del sys.argv[1:4]
    module = import_module(f"sagemaker_scripts.{Path(script).stem}")
    # The scripts ask for live models only where this is set.
    os.environ["RELEASE_TABLE"] = "in this process"

    def fetched(model: PublishedModel, folder: Path) -> Champion:
        extract_archive(Path(archive), folder)
        return Champion(model.version, folder)

    live = LiveRelease.of_models(
        release=release, started_at="2026-11-01T00:00:00Z", revision=1, models={PARTITION: release}
    )
    module.__dict__.update(live_models=lambda: live, fetch_champion=fetched)
    return run_job(module.main, module.OUTPUT)


if __name__ == "__main__":
    sys.exit(main())
