#!/usr/bin/env python3
"""ServeFeatures: writes the features of a release that have changed into the online store, once they may be served.

Each instance of the job writes its own share of the tenants, and its outcome into a folder of its own. Partitions that
the approver rejected keep the features that they have: ``input/decision/rejected.json``, which may be missing, lists
them.

On a laptop: ``SAGEMAKER_BASE_DIR=/tmp/ml python sagemaker_scripts/serve_features.py --release r1 --feature-group
tenants --began 2026-11-20T10:00:00Z`` with ``AWS_ENDPOINT_URL`` set and the features in
``/tmp/ml/processing/input/features``.
"""

from __future__ import annotations

import argparse
import json
import sys

from tenant_experience.aws.feature_store_writer import FeatureGroup, runtime_client
from tenant_experience.data_layout import FEATURES_FILE, REJECTED_FILE, processing_input, processing_output
from tenant_experience.features.ingestion import serve
from tenant_experience.features.records import read_records
from tenant_experience.jobs.instance_resources import instance_share
from tenant_experience.jobs.job import run_job
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.use_case.manifest import parse_utc
from tenant_experience.use_case.schema import load_use_case

OUTPUT = "served"


def main(arguments: list[str] | None = None) -> Outcome:
    """Parses, writes, answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", required=True)
    parser.add_argument("--feature-group", required=True)
    parser.add_argument("--began", required=True, type=parse_utc, help="when the release began: 2026-11-20T10:00:00Z")
    parser.add_argument("--again", action="store_true", help="the release is served again: a roll-back began then")
    options = parser.parse_args(arguments)
    use_case = load_use_case(processing_input("use_case"))
    share, rejected = instance_share(), _rejected()
    records = read_records(processing_input("features") / FEATURES_FILE, use_case, options.release, share)
    result = serve(
        FeatureGroup(runtime_client(), options.feature_group, use_case.record_id),
        (each for each in records if each["partition_slug"] not in rejected),
        began=options.began,
        again=options.again,
        report=lambda text: print(text, flush=True),  # noqa: T201 - the job's log
    )
    result.write_failed(processing_output(OUTPUT) / share.host)
    result.raise_over_limit(use_case.gates.failed_records_share)
    return Outcome.ok(feature_group=options.feature_group, **result.counts())


def _rejected() -> frozenset[str]:
    path = processing_input("decision") / REJECTED_FILE
    return frozenset(json.loads(path.read_text())) if path.is_file() else frozenset()


if __name__ == "__main__":
    sys.exit(run_job(main, output=f"{OUTPUT}/{instance_share().host}"))
