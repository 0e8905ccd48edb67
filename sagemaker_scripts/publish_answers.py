#!/usr/bin/env python3
"""PublishAnswers: writes the answers of a run where they are read: ``predictions/``, ``errors/`` and the answer table.

It refuses to publish when a record is neither answered nor among the errors. The same run again changes nothing in the
table.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tenant_experience import data_layout
from tenant_experience.aws import kept_answers, objects
from tenant_experience.data_layout import ERRORS_FILE, PLAN_FILE, processing_input, processing_output
from tenant_experience.environment import setting, whole_number
from tenant_experience.errors import PlatformError
from tenant_experience.jobs.job import run_job
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.scoring.answers import Run, read_answers
from tenant_experience.scoring.publish import Answers, check_counts, write_errors, write_files
from tenant_experience.use_case.schema import USE_CASE_FILE
from tenant_experience.use_case.served import parse

OUTPUT = "published"


def main(arguments: list[str] | None = None) -> Outcome:
    """Parses, joins, checks, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--run", "--batch", "--scored-at"):
        parser.add_argument(name, required=True)
    options = parser.parse_args(arguments)
    prepared = processing_input("prepared")
    use_case = parse((processing_input("use_case") / USE_CASE_FILE).read_bytes())
    run = Run(options.run, options.batch, options.scored_at, use_case)
    plan = json.loads((prepared / PLAN_FILE).read_text())
    files = processing_output("predictions")
    found = Answers(prepared, processing_input("answered"), run)
    counts = plan["counts"]
    try:
        answers = write_files(found, files, csv=plan["csv"])
        check_counts(counts, answers, len(found.refused))
    except PlatformError as error:
        shutil.rmtree(files)
        return Outcome.refused(error, run=options.run)
    errors = processing_output("errors")
    errors.mkdir(parents=True, exist_ok=True)
    write_errors(prepared, found.refused, errors / ERRORS_FILE)
    counts |= {"errors": counts["errors"] + len(found.refused)}
    kept = kept_answers.Written(0, 0)
    if plan["is_kept"]:  # what is uploaded to be scored may be a question of "what if", and nobody is to act on that
        kept = keep_files(sorted(files.glob("*.parquet")), use_case.name, use_case.positive)
    # An earlier run of the same batch on the same day may have had more files. Those of the same names are replaced
    # when the job ends, so the others go last.
    folder = data_layout.predictions(use_case.name, options.scored_at[:10], options.batch)
    objects.delete_others(setting("DATA_BUCKET"), folder, {path.name for path in files.iterdir()})
    return Outcome.ok(run=options.run, answers=answers, kept=kept.written, unchanged=kept.kept, **counts)


def keep_files(paths: Sequence[Path], use_case: str, positive: str | None) -> kept_answers.Written:
    """Writes the answers of these files to the table, each file in a process of its own where there are several.

    A write takes more of Python's time than of DynamoDB's, and threads share one core.
    """
    keep = partial(_keep_file, use_case=use_case, positive=positive)
    if len(paths) == 1:
        return keep(paths[0])
    with ProcessPoolExecutor(min(len(paths), os.cpu_count() or 1), get_context("spawn")) as pool:
        written = list(pool.map(keep, paths))
    return kept_answers.Written(sum(each.written for each in written), sum(each.kept for each in written))


def _keep_file(path: Path, use_case: str, positive: str | None) -> kept_answers.Written:
    days = whole_number("ANSWER_RETENTION_DAYS")
    return kept_answers.write(read_answers(path), use_case, positive, retention_days=days)


if __name__ == "__main__":
    sys.exit(run_job(main, output=OUTPUT))
