#!/usr/bin/env python3
"""ScorePartitions: asks all models that have too few rows for a batch transform of their own, in one process.

It reads what PrepareScoring wrote, fetches each model from the data bucket, and writes answers.parquet.
"""

from __future__ import annotations

import argparse
import json
import sys

from tenant_experience.aws import model_archives
from tenant_experience.data_layout import PLAN_FILE, processing_input, processing_output
from tenant_experience.jobs.job import run_job
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.scoring.answers import Run, write_rows
from tenant_experience.scoring.partitions import score_partitions
from tenant_experience.use_case.schema import USE_CASE_FILE
from tenant_experience.use_case.served import parse

OUTPUT = "answered"


def main(arguments: list[str] | None = None) -> Outcome:
    """Parses, asks the models, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--run", "--batch", "--scored-at"):
        parser.add_argument(name, required=True)
    options = parser.parse_args(arguments)
    prepared, output = processing_input("prepared"), processing_output(OUTPUT)
    output.mkdir(parents=True, exist_ok=True)
    use_case = parse((processing_input("use_case") / USE_CASE_FILE).read_bytes())
    run = Run(options.run, options.batch, options.scored_at, use_case)
    plan = json.loads((prepared / PLAN_FILE).read_text())
    (item,) = (each for each in plan["items"] if each["kind"] == "rest")
    rows = score_partitions(prepared, item["models"], run, model_archives.fetch)
    return Outcome.ok(run=options.run, answers=write_rows(rows, output / "answers.parquet"))


if __name__ == "__main__":
    sys.exit(run_job(main, output=OUTPUT))
