"""Every S3 key and every ``/opt/ml`` path of the application, spelled here and nowhere else.

Buckets hold, under the prefixes below, only objects this module names. Keys of models are never overwritten:
a model version is the id of the release that made it.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

RAW = "raw"
INGESTION = "ingestion"
MANIFEST = "manifest.json"
OUTCOME = "outcome.json"
FEATURES_FILE = "features.parquet"
PARTITIONS_FILE = "partitions.json"
DATA_QUALITY_FILE = "data_quality.json"
DATA_QUALITY_PAGE = "data_quality.html"
QUARANTINE_FILE = "quarantine.parquet"
FAILED_RECORDS_FILE = "failed_records.json"
GROUPS_FILE = "groups.parquet"
GROUPING_FILE = "grouping.json"
EVALUATION_FILE = "evaluation.json"
GROUP_CHANGES_FILE = "group_changes.parquet"
REPORT_FILE = "report.html"
ACTIONS_TABLE = "actions.csv"
ACTIONS_FILE = "actions.json"
SMOKE_TEST_FILE = "smoke_test.json"
MODEL_ARCHIVE = "model.tar.gz"
MODEL_FILE = "model.ubj"
MODEL_MANIFEST = "model.json"
MODELS = "models"
# Of features.parquet, beside the features: not for the model, but for people and for rules.
SIDE_COLUMNS = ("exposure_days", "open_count", "oldest_open_hr")
GLOBAL_PARTITION = "all"

RELEASE_ID = re.compile(r"^[a-z0-9](-*[a-z0-9]){0,15}$")
_SLUG = re.compile(r"[a-z0-9](-?[a-z0-9]){0,39}")


def ml_root() -> Path:
    """Where SageMaker's container contract lives: ``/opt/ml``, or ``SAGEMAKER_BASE_DIR`` when a host moves it."""
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
    """A partition's name as it may stand in keys and AWS names: ``[a-z0-9-]``, at most 40 characters.

    Different partitions never share a slug: a name that had to be altered carries eight digits of its hash.
    """
    if _SLUG.fullmatch(partition):
        return partition
    digest = hashlib.sha256(partition.encode()).hexdigest()[:8]
    stem = re.sub(r"[^a-z0-9]+", "-", partition.lower()).strip("-")[:31].strip("-")
    return f"{stem}-{digest}" if stem else f"p-{digest}"


def model_package_group(project: str, own_use_case: str, use_case: str, slug: str) -> str:
    """The package group of a partition's models: ``<project>-<slug>``, at most 59 characters.

    Partitions of two use cases may be spelled alike: those of another than the stack's own carry its name and a hash.
    """
    return f"{project}-{slug if use_case == own_use_case else partition_slug(f'{use_case}/{slug}')}"


def raw_batch(use_case: str, batch: str) -> str:
    """The prefix of one batch of raw input; its ``manifest.json`` completes it."""
    return f"{RAW}/{use_case}/{batch}/"


def use_case_snapshot(release: str) -> str:
    """The use case as it was when the release began: a release is read back by its own rules."""
    return f"use_cases/{release}/"


def features(release: str) -> str:
    """Features, partitions and the data-quality figures of a release."""
    return f"features/{release}/"


def quarantine(release: str) -> str:
    """Rows that were refused, each with its reason, file and line."""
    return f"quarantine/{release}/"


def ingestion(release: str) -> str:
    """What feature ingestion wrote, and what it could not."""
    return f"{INGESTION}/{release}/"


def clusters(release: str, shard: int) -> str:
    """Groups of one shard of partitions."""
    return f"clusters/{release}/{shard}/"


def training(release: str) -> str:
    """Where training jobs of a release put their archives, one per shard."""
    return f"training/{release}"


def reports(release: str, shard: int | None = None) -> str:
    """Reports of a release: data quality at the top, one folder per shard below."""
    return f"reports/{release}/" if shard is None else f"reports/{release}/{shard}/"


def erasure(name: str) -> str:
    """The proof that a tenant was erased; it does not say whom."""
    return f"erasures/{name}.json"


def model_archive(slug: str, version: str) -> str:
    """A model's key below ``models/``, which is also the endpoint's ``TargetModel``."""
    return f"{slug}/{version}/{MODEL_ARCHIVE}"
