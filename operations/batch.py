"""A batch of raw files, uploaded as any client of the data bucket would do it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import boto3

from operations.errors import OperationError
from operations.laptop import ROOT
from tenant_experience import data_layout

USE_CASE = "tenant_experience"
USE_CASES = ROOT / "use_cases"


@dataclass(frozen=True)
class RawBatch:
    """Files to upload.

    Attributes:
        name: the batch's folder below ``raw/<use case>/``.
        files: what is uploaded, side by side.
        manifest: the content of ``manifest.json``.
        use_case: a folder of ``use_cases/``.
    """

    name: str
    files: tuple[Path, ...]
    manifest: dict[str, object] = field(default_factory=dict)
    use_case: str = USE_CASE


def of_path(path: Path, source: str | None, use_case: str = USE_CASE) -> RawBatch:
    """The caller's own file, or the files of a folder.

    Raises:
        OperationError: nothing is at ``path``, or there is no such use case.
    """
    if not (USE_CASES / use_case / "use_case.yaml").is_file():
        known = ", ".join(sorted(each.parent.name for each in USE_CASES.glob("*/use_case.yaml")))
        raise OperationError(f"USE_CASE={use_case}: there is no such use case; choose one of {known}")
    if not path.exists():
        raise OperationError(f"INPUT={path}: there is no such file or folder")
    files = tuple(sorted(child for child in path.rglob("*") if child.is_file())) if path.is_dir() else (path,)
    return RawBatch(timed_name(path.stem), files, {"source": source} if source else {}, use_case)


def upload(batch: RawBatch, bucket: str) -> None:
    """Upload the files and then the manifest, whose arrival starts the release."""
    s3 = boto3.client("s3")
    prefix = data_layout.raw_batch(batch.use_case, batch.name)
    for path in batch.files:
        s3.upload_file(str(path), bucket, prefix + path.name)
    s3.put_object(Bucket=bucket, Key=prefix + data_layout.MANIFEST, Body=json.dumps(batch.manifest).encode())


def timed_name(stem: str) -> str:
    """A batch's name that no other batch has: with the time in UTC, to the second."""
    return f"{stem[:40]}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"
