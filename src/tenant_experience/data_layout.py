"""Every S3 key and every ``/opt/ml`` path of the application is defined here and nowhere else.

Under the prefixes below, buckets hold only objects that this module names. Keys of models are never overwritten,
because a model version is the id of the release that made it.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Final

RAW = "raw"
INFERENCE = "inference"
EVALUATIONS = "evaluations"
INGESTION = "ingestion"
SERVED = "served"
SCORE = "score"
SCORING = "scoring"
PREDICTIONS = "predictions"
ERRORS = "errors"
EVENTS = "events"
SPLITS = "splits"
AUDIT = "audit"
MANIFEST = "manifest.json"
OUTCOME = "outcome.json"
FEATURES_FILE = "features.parquet"
# Beside it where a record may have several rows that a model learns from; features.parquet has the latest of each.
EXAMPLES_FILE = "examples.parquet"
PAST = "past"
PARTITIONS_FILE = "partitions.json"
DATA_QUALITY_FILE = "data_quality.json"
DATA_QUALITY_PAGE = "data_quality.html"
QUARANTINE_FILE = "quarantine.parquet"
OUTCOMES_FILE = "outcomes.parquet"
OUTCOME_QUARANTINE_FILE = "outcome_quarantine.parquet"
FAILED_RECORDS_FILE = "failed_records.json"
# The partitions of a release that its approver rejected.
REJECTED_FILE = "rejected.json"
GROUPS_FILE = "groups.parquet"
GROUPING_FILE = "grouping.json"
NEXT_PERIOD_FILE = "next_period.json"
YARDSTICK_FILE = "yardstick.json"
VALIDATION_FILE = "validation.json"
EVALUATION_FILE = "evaluation.json"
GROUP_CHANGES_FILE = "group_changes.parquet"
PAGE_PICTURES_FILE = "page_pictures.json"
BRIEF_FILE = "brief.json"
REPORT_FILE = "report.html"
ACTIONS_TABLE = "actions.csv"
ACTIONS_FILE = "actions.json"
OUTCOME_SCORES_TABLE = "outcome_scores.csv"
# What the list of the event that may happen soon is learned from.
RISK_FILE = "risk.parquet"
SMOKE_TEST_FILE = "smoke_test.json"
MODEL_ARCHIVE = "model.tar.gz"
# The two files that a model can be in: trees or weights in XGBoost's format, or the arrays of a network.
MODEL_FILE: Final = "model.ubj"
NETWORK_FILE: Final = "model.npz"
MODEL_FILES = (NETWORK_FILE, MODEL_FILE)
MODEL_MANIFEST = "model.json"
# In the folder of a pooled model: models of single partitions, which it is compared with.
OWN_MODELS = "own"
MODELS = "models"
# Of a scoring run: its plan, the rows that are answered, and those that cannot be.
PLAN_FILE = "plan.json"
ERRORS_FILE = "errors.parquet"
# The column of examples.parquet that tells its rows apart.
EXAMPLE_ID = "example_id"
# Its column that says of days until an event whether there was none by the end of the log.
CENSORED = "censored"
# Of each part of the split, below ``splits``: a table for XGBoost, and whose its rows are. The table comes first in the
# order of names: an erasure needs to know whose rows are to be removed.
SPLIT_TABLE, SPLIT_ROWS_FILE = "{}.csv", "{}_rows.parquet"
SPLIT_COLUMNS_FILE = "columns.json"
# Columns of features.parquet beside the features: for people and for rules, not for the model.
SIDE_COLUMNS = ("exposure_days", "open_count", "oldest_open_hr")
GLOBAL_PARTITION = "all"

RELEASE_ID = re.compile(r"^[a-z0-9](-*[a-z0-9]){0,15}$")
_SLUG = re.compile(r"[a-z0-9](-?[a-z0-9]){0,39}")


def ml_root() -> Path:
    """The root of SageMaker's container contract: ``/opt/ml``, or ``SAGEMAKER_BASE_DIR`` when a host sets it."""
    return Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))


def processing_input(name: str) -> Path:
    """The folder SageMaker downloads the processing input ``name`` into."""
    return ml_root() / "processing" / "input" / name


def processing_output(name: str) -> Path:
    """The folder SageMaker uploads as the processing output ``name`` when the job ends."""
    return ml_root() / "processing" / "output" / name


def training_channel(name: str) -> Path:
    """The folder of one training channel."""
    return ml_root() / "input" / "data" / name


def partition_slug(partition: str) -> str:
    """A partition's name in a form that keys and AWS names allow: ``[a-z0-9-]``, at most 40 characters.

    Different partitions never share a slug: a name that had to be changed carries eight digits of its hash.
    """
    if _SLUG.fullmatch(partition):
        return partition
    digest = hashlib.sha256(partition.encode()).hexdigest()[:8]
    stem = re.sub(r"[^a-z0-9]+", "-", partition.lower()).strip("-")[:31].strip("-")
    return f"{stem}-{digest}" if stem else f"p-{digest}"


def model_package_group(project: str, own_use_case: str, use_case: str, slug: str) -> str:
    """The package group of a partition's models: ``<project>-<slug>``, at most 59 characters.

    Partitions of two use cases may have the same name, so those of a use case other than the stack's own carry its name
    and a hash.
    """
    return f"{project}-{slug if use_case == own_use_case else partition_slug(f'{use_case}/{slug}')}"


def feature_group(project: str, use_case: str) -> str:
    """The feature group of a use case, whose name the state machine gives to the job that creates it."""
    return f"{project}-{use_case}"


def raw_batch(use_case: str, batch: str) -> str:
    """The prefix of one batch of raw input, which is complete once its ``manifest.json`` is there."""
    return f"{RAW}/{use_case}/{batch}/"


def kept_events(use_case: str) -> str:
    """The events of batches that add up: a part for each month of a batch, and a mark for each accepted batch."""
    return f"{EVENTS}/{use_case}/"


def inference_file(use_case: str, file: str) -> str:
    """A file whose rows go through the queue."""
    return f"{INFERENCE}/{use_case}/{file}"


def file_evaluation(use_case: str, file: str) -> str:
    """How good the answers of the queue about a file were, by the truth that its rows brought along."""
    return f"{EVALUATIONS}/{use_case}/{file}/{EVALUATION_FILE}"


def audit_row(use_case: str, release: str, at: str) -> str:
    """One row of the audit, in the audit's own bucket. S3 advises against ``#`` in a key."""
    return f"{AUDIT}/{use_case}/{release}/{at.replace('#', '-')}.json"


def changed_audit_row(release: str, at: str, change: str, sequence: str) -> str:
    """A row of the audit that somebody changed or removed; no use case has a name with a hyphen."""
    return audit_row("changed-rows", release, f"{at}-{change}-{sequence}")


def use_case_snapshot(release: str) -> str:
    """The use case as it was when the release or the scoring run began, so that it is always read by its own rules."""
    return f"use_cases/{release}/"


def features(release: str) -> str:
    """The features, the partitions and the data-quality figures of a release, and the features of earlier periods."""
    return f"features/{release}/"


def past_features(days: int) -> str:
    """Below ``features``: the features of the period that ended so many days before the release's own."""
    return f"{PAST}/{days}/{FEATURES_FILE}"


def group_change_list(slug: str, before: int, now: int) -> str:
    """Below ``reports``: the records of a partition that change from one group to another, by the groups' numbers."""
    return f"changes/{slug}/{before}-{now}.csv"


def risk_table(event: str) -> str:
    """Below ``reports``: the list of the tenants by their risk of an event."""
    return f"{event}_risk.csv"


def quarantine(release: str) -> str:
    """The rows that were refused, each with its reason, file and line."""
    return f"quarantine/{release}/"


def ingestion(release: str) -> str:
    """What was written to the offline store, and what could not be written."""
    return f"{INGESTION}/{release}/"


def served(release: str) -> str:
    """What was written to the online store, and what could not be written."""
    return f"{SERVED}/{release}/"


def decided(release: str) -> str:
    """What the job that serves features needs to know of the decision."""
    return f"decided/{release}/"


def clusters(release: str, shard: int) -> str:
    """The groups of one shard of partitions."""
    return f"clusters/{release}/{shard}/"


def splits(release: str) -> str:
    """The parts of the split as CSV, in a folder for each partition."""
    return f"{SPLITS}/{release}/"


def training(release: str) -> str:
    """Where the training jobs of a release put their archives, one per shard."""
    return f"training/{release}"


def reports(release: str, shard: int | None = None) -> str:
    """The reports of a release: data quality at the top, and a folder for each shard below."""
    return f"reports/{release}/" if shard is None else f"reports/{release}/{shard}/"


def score_batch(use_case: str, batch: str) -> str:
    """The prefix of one batch of rows to be answered, which is complete once its ``manifest.json`` is there."""
    return f"{SCORE}/{use_case}/{batch}/"


def scoring(run: str) -> str:
    """The working files of one scoring run; they expire."""
    return f"{SCORING}/{run}/"


def predictions(use_case: str, day: str, batch: str) -> str:
    """The answers of a batch; ``day`` is that of the trigger, ``YYYY-MM-DD``."""
    return f"{PREDICTIONS}/{use_case}/date={day}/{batch}/"


def predictions_file(part: int, suffix: str = "parquet") -> str:
    """One file of answers, below ``predictions``.

    Athena reads every file there as Parquet, but for those whose names begin with ``_`` or a dot.
    """
    return f"{'' if suffix == 'parquet' else '_'}part-{part:05d}.{suffix}"


def scoring_errors(use_case: str, day: str, batch: str) -> str:
    """The rows of a batch that could not be answered, each with its reason."""
    return f"{ERRORS}/{use_case}/date={day}/{batch}/"


def erasure(name: str) -> str:
    """The proof that a tenant was erased, which does not name the tenant."""
    return f"erasures/{name}.json"


def model_archive(slug: str, version: str) -> str:
    """A model's key below ``models/``, which is also the endpoint's ``TargetModel``."""
    return f"{slug}/{version}/{MODEL_ARCHIVE}"
