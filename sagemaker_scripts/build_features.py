#!/usr/bin/env python3
"""BuildFeatures: raw files in; features, quarantine and the data-quality report out.

On a laptop: ``SAGEMAKER_BASE_DIR=/tmp/ml python sagemaker_scripts/build_features.py --release r1 --use-case
tenant_experience --batch b1 --requested-at 2026-11-20T10:00:00Z`` with the batch in ``/tmp/ml/processing/input/raw``
and the use case's folder in ``/tmp/ml/processing/input/use_case``. ``input/previous`` may hold the ``features/`` of the
live release, to compare with, and ``input/events`` the events of batches that add up, where this one adds its own. The
live release's rule of the groups is fetched when the environment has RELEASE_TABLE, DATA_BUCKET and USE_CASE.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tenant_experience.aws.event_bucket import EventBucket
from tenant_experience.aws.pseudonym_key import read_key
from tenant_experience.data_layout import GLOBAL_PARTITION, processing_input, processing_output
from tenant_experience.groups.earlier_rules import EarlierRules
from tenant_experience.intake.engine import DuckDbEngine, OpenEngine
from tenant_experience.intake.kept_events import EventFolder
from tenant_experience.jobs.job import run_job
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.pipeline.adding_up import AddingUp
from tenant_experience.pipeline.batch import Folders
from tenant_experience.pipeline.build_features import build_features
from tenant_experience.use_case.manifest import parse_utc


def main(arguments: list[str] | None = None, open_engine: OpenEngine = DuckDbEngine) -> Outcome:
    """Parses, builds, answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", required=True)
    parser.add_argument("--use-case", required=True)
    parser.add_argument("--batch", required=True, help="its folder below raw/<use case>/")
    parser.add_argument("--requested-at", required=True, type=parse_utc, help="2026-11-20T10:00:00Z")
    parser.add_argument("--as-of", type=parse_utc, help="takes precedence over the manifest and the source")
    options = parser.parse_args(arguments)
    outputs = {name: processing_output(name) for name in ("features", "quarantine", "reports")}
    for folder in outputs.values():
        folder.mkdir(parents=True, exist_ok=True)
    outcome = build_features(
        Folders(**{name: processing_input(name) for name in ("raw", "use_case", "previous")}, **outputs),
        release=options.release,
        use_case_name=options.use_case,
        requested_at=options.requested_at,
        pseudonym_key=read_key(),
        open_engine=open_engine,
        as_of=options.as_of,
        live_rules=_live_rules,
        adding_up=_adding_up(options.use_case, options.batch),
    )
    sys.stdout.write(f"batch {options.batch}: {outcome.figures}\n")
    return outcome


def _adding_up(use_case: str, batch: str) -> AddingUp | None:
    """Where the events of batches that add up are kept: in the data bucket, which the state machine names."""
    if "DATA_BUCKET" not in os.environ:
        folder = processing_input("events")
        return AddingUp(EventFolder(folder), batch) if folder.is_dir() else None
    days = os.environ.get("EVENT_RETENTION_DAYS")
    return AddingUp(
        EventBucket(os.environ["DATA_BUCKET"], use_case),
        batch,
        hidden=bool(os.environ.get("PSEUDONYM_SECRET")),
        retention_days=int(days) if days else None,
    )


def _live_rules() -> EarlierRules:
    """The rule of the live global model. Only a release that differs much from the live one asks for it."""
    from tenant_experience.aws.live_models import fetch_live_rules, live_models  # takes long, and is rarely needed

    live = live_models() if "RELEASE_TABLE" in os.environ else None
    model = live.model_of(GLOBAL_PARTITION) if live else None
    if model is None:
        return EarlierRules()
    with tempfile.TemporaryDirectory() as folder:
        return fetch_live_rules(model, Path(folder) / "live")


if __name__ == "__main__":
    sys.exit(run_job(main, output="features"))
