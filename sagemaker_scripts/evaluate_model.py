"""EvaluateModel: evaluates each model of a shard on its test part, writes the report, and packs the archives.

On a laptop: ``SAGEMAKER_BASE_DIR=<folder> python sagemaker_scripts/evaluate_model.py --release r1 --shard 0`` with
the inputs in ``<folder>/processing/input/{features,clusters,use_case,model,ingestion}``; ``model`` holds the training
job's model.tar.gz, ``ingestion`` may be missing. ``previous`` may hold the ``features/`` of the live release, to see
which tenants change group; its models are fetched when the environment has RELEASE_TABLE, DATA_BUCKET and USE_CASE.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tenant_experience.aws.live_models import fetch_champion, live_models
from tenant_experience.data_layout import (
    BRIEF_FILE,
    EVALUATION_FILE,
    GROUP_CHANGES_FILE,
    MODEL_ARCHIVE,
    MODELS,
    REPORT_FILE,
    SMOKE_TEST_FILE,
    model_archive,
    processing_input,
    processing_output,
)
from tenant_experience.evaluation.champion import Champion
from tenant_experience.evaluation.evaluation import PartitionEvaluation
from tenant_experience.evaluation.smoke_samples import SMOKE_TEST_TOLERANCE
from tenant_experience.features.ingestion_result import read_ingestion
from tenant_experience.features.table import FeatureTable, read_answers_and_examples
from tenant_experience.groups.file import GroupRows
from tenant_experience.jobs.archive import extract_archive
from tenant_experience.jobs.job import run_job
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.jobs.partition_runs import (
    not_ready,
    read_shard,
    run_partitions,
    shard_outcome,
)
from tenant_experience.pipeline.evaluate_shard import (
    ShardEvaluation,
    read_outside_truth,
    read_previous,
    read_risk,
    write_group_changes,
)
from tenant_experience.report.action_files import report_actions
from tenant_experience.report.brief import Population, brief_document, partition_brief
from tenant_experience.report.change_files import write_change_lists
from tenant_experience.report.outcome_scores import write_outcome_scores
from tenant_experience.report.page_pictures import write_page_pictures
from tenant_experience.report.pictures import GroupPictures, group_pictures
from tenant_experience.report.report import ShardReport, read_intake, shown_models
from tenant_experience.report.risk_list import write_risk_list
from tenant_experience.report.share_pictures import share_pictures
from tenant_experience.use_case.schema import load_use_case

OUTPUT = "reports"


def main(arguments: list[str] | None) -> Outcome:
    """Writes evaluation.json, group_changes.parquet, report.html, the list to act on, smoke_test.json and the archives.

    For the approval page it writes brief.json, page_pictures.json, and who changes group, below ``changes/``. The
    outcome has a row for each partition.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", required=True)
    parser.add_argument("--shard", required=True, type=int)
    options = parser.parse_args(arguments)
    use_case = load_use_case(processing_input("use_case"))
    answers, examples = read_answers_and_examples(processing_input("features"), use_case)
    partitions = read_shard(processing_input("features"), options.shard)
    answered = answers.take(np.isin(answers.partition_slug, [partition.slug for partition in partitions]))
    intake = read_intake(processing_input("features"))
    risk = read_risk(processing_input("features"), use_case, answered, intake.get("no_risk_examples"))
    live, live_examples = read_previous(processing_input("previous"), use_case) or (None, None)
    output = processing_output(OUTPUT)
    with tempfile.TemporaryDirectory() as folder:
        trained = Path(folder) / "trained"
        extract_archive(processing_input("model") / MODEL_ARCHIVE, trained)
        shard = ShardEvaluation(
            release=options.release,
            use_case=use_case,
            table=examples,
            answers=answers,
            clusters=processing_input("clusters"),
            trained=trained,
            archives=processing_output(MODELS),
            champion_of=_champion_of(Path(folder) / "live", options.release),
            previous=live_examples,
            truth=read_outside_truth(processing_input("features"), use_case, answers, live),
            risk=risk,
        )
        given_up = not_ready(Outcome.read(trained), partitions) | not_ready(Outcome.read(shard.clusters), partitions)
        rows = [shard.with_notes(row) for row in run_partitions(partitions, shard.evaluate, given_up)]
        # While the models are there: the list says what they answer.
        actions = report_actions(answered, use_case, shard.ready, shard.groups)
        output.mkdir(parents=True, exist_ok=True)
        _write_brief(shard, options.shard, output)
    evaluations = shard.ready
    _write_json(output / EVALUATION_FILE, shard.document(options.shard))
    digests = {row.slug: str(row.figures["digest"]) for row in rows if row.is_ready}
    _write_json(output / SMOKE_TEST_FILE, _smoke_test(evaluations, digests))
    write_group_changes(evaluations, output / GROUP_CHANGES_FILE)
    actions.write(output, use_case.record_id)
    write_outcome_scores(evaluations, output, use_case.record_id)
    write_risk_list(risk, output, use_case.record_id)
    shown = shown_models(shard.ready, shard.refused)
    shares = {each.manifest.slug: share_pictures(each.yardstick, use_case.words) for each in shown}
    report = ShardReport(
        release=options.release,
        shard=options.shard,
        use_case=use_case,
        rows=rows,
        ready=shard.ready,
        refused=shard.refused,
        pictures=_pictures(answers, shard.groups, shown),
        shares=shares,
        actions=actions,
        risk=risk,
        intake=intake,
        ingestion=read_ingestion(processing_input("ingestion")),
    )
    (output / REPORT_FILE).write_text(report.render(), encoding="utf-8")
    write_page_pictures(report.parts, output)
    return shard_outcome(rows, release=options.release, shard=options.shard)


def _write_brief(shard: ShardEvaluation, number: int, output: Path) -> None:
    """What the approver needs to know of each model that is ready, and the lists of who changes group."""
    briefs = []
    for evaluation in shard.ready:
        slug = evaluation.manifest.slug
        now, before = shard.table.of_partition(slug), None
        if evaluation.champion is not None and shard.previous is not None:
            before = shard.previous.of_partition(slug)
            write_change_lists(evaluation, now, before, shard.use_case, output)
        population = None if before is None else Population.of(now, before)
        briefs.append(partition_brief(evaluation, number, population, shard.offers(evaluation)))
    _write_json(output / BRIEF_FILE, brief_document(briefs))


def _champion_of(folder: Path, release: str) -> Callable[[str], Champion | None]:
    """Fetches the live model of a partition into ``folder``; outside a stack there is none."""
    live = live_models() if "RELEASE_TABLE" in os.environ else None

    def fetched(slug: str) -> Champion | None:
        model = live.model_of(slug) if live else None
        # A release that is evaluated again after it went live is not its own champion.
        return None if model is None or model.version == release else fetch_champion(model, folder / slug)

    return fetched


def _pictures(
    table: FeatureTable, groups: Mapping[str, GroupRows], evaluations: Sequence[PartitionEvaluation]
) -> dict[str, GroupPictures]:
    """The pictures of each partition whose labels come from clusters, by slug."""
    return {
        each.manifest.slug: group_pictures(table, groups[each.manifest.slug], each.grouping)
        for each in evaluations
        if each.grouping
    }


def _smoke_test(evaluations: Sequence[PartitionEvaluation], digests: Mapping[str, str]) -> dict[str, Any]:
    models = [
        {
            "model_key": model_archive(evaluation.manifest.slug, evaluation.manifest.version),
            "digest": digests[evaluation.manifest.slug],
            "samples": [asdict(sample) for sample in evaluation.smoke_test],
        }
        for evaluation in evaluations
    ]
    return {"tolerance": SMOKE_TEST_TOLERANCE, "models": models}


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    sys.exit(run_job(main, OUTPUT))
