#!/usr/bin/env python3
"""IngestFeatures: writes the features of a release into the offline store, before anybody decides about the release.

The online store, from which clients are answered, is ServeFeatures' (``serve_features.py``).

Each instance of the job writes its own share of the tenants, and its outcome into a folder of its own.

On a laptop: ``SAGEMAKER_BASE_DIR=/tmp/ml python sagemaker_scripts/ingest_features.py --release r1 --feature-group
tenants --offline-role-arn arn:aws:iam::000000000000:role/store --offline-uri s3://bucket/feature-store/`` with
``AWS_ENDPOINT_URL`` set and the features in ``/tmp/ml/processing/input/features``.
"""

from __future__ import annotations

import argparse
import sys

import boto3

from tenant_experience.aws.feature_group import ensure_feature_group
from tenant_experience.aws.feature_store_writer import FeatureGroup, runtime_client
from tenant_experience.data_layout import FEATURES_FILE, processing_input, processing_output
from tenant_experience.features.ingestion import keep
from tenant_experience.features.records import feature_types, read_records
from tenant_experience.jobs.instance_resources import instance_share
from tenant_experience.jobs.job import run_job
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.use_case.schema import load_use_case

OUTPUT = "ingestion"


def main(arguments: list[str] | None = None) -> Outcome:
    """Parses, ensures the group, writes, answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", required=True)
    parser.add_argument("--feature-group", required=True)
    parser.add_argument("--offline-role-arn", required=True)
    parser.add_argument("--offline-uri", required=True, help="s3://bucket/prefix/")
    options = parser.parse_args(arguments)
    use_case = load_use_case(processing_input("use_case"))
    ensure_feature_group(
        boto3.client("sagemaker"),
        options.feature_group,
        feature_types(use_case),
        use_case.record_id,
        offline_uri=options.offline_uri,
        role_arn=options.offline_role_arn,
    )
    share = instance_share()
    result = keep(
        FeatureGroup(runtime_client(), options.feature_group, use_case.record_id),
        read_records(processing_input("features") / FEATURES_FILE, use_case, options.release, share),
        report=lambda text: print(text, flush=True),  # noqa: T201 - the job's log
    )
    result.write_failed(processing_output(OUTPUT) / share.host)
    result.raise_over_limit(use_case.gates.failed_records_share)
    return Outcome.ok(feature_group=options.feature_group, **result.counts())


if __name__ == "__main__":
    sys.exit(run_job(main, output=f"{OUTPUT}/{instance_share().host}"))
