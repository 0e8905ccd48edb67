#!/usr/bin/env python3
"""BuildFeatures on Spark, on every instance of the job: the first one leads and writes, the others compute.

On a laptop it runs like build_features.py, with the interpreter that ``make spark`` made.
"""

from __future__ import annotations

import sys
from functools import partial

import build_features

from tenant_experience.jobs.job import run_job
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.spark.cluster import follow_cluster, lead_cluster
from tenant_experience.spark.engine import open_spark_engine
from tenant_experience.spark.instances import read_instances
from tenant_experience.spark.session import spark_session

INSTANCES = read_instances()


def lead(arguments: list[str] | None = None) -> Outcome:
    """Builds the features, with the other instances' help when there are any."""
    with lead_cluster(INSTANCES) if len(INSTANCES.hosts) > 1 else spark_session() as spark:
        return build_features.main(arguments, partial(open_spark_engine, spark))


def follow(_arguments: list[str] | None = None) -> Outcome:
    """Computes what the first instance asks for."""
    follow_cluster(INSTANCES)
    return Outcome.ok()


if __name__ == "__main__":
    sys.exit(run_job(lead, output="features") if INSTANCES.leads else run_job(follow, output=None))
