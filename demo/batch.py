"""A batch of raw input: the caller's file or generated messages, uploaded as any client of the bucket would."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3

from demo.generate_events import generate
from demo.laptop import LOCAL, ROOT, DemoError
from tenant_experience import data_layout

USE_CASE = "tenant_experience"
USE_CASES = ROOT / "use_cases"


@dataclass(frozen=True)
class Batch:
    """Files to upload, what their manifest says, and which use case they are for."""

    name: str
    files: tuple[Path, ...]
    manifest: dict[str, object]
    use_case: str = USE_CASE


def of_file(path: Path, source: str | None, use_case: str = USE_CASE) -> Batch:
    """The caller's own file or folder.

    Raises:
        DemoError: when there is nothing at ``path``, or no such use case.
    """
    if not (USE_CASES / use_case / "use_case.yaml").is_file():
        known = ", ".join(sorted(each.parent.name for each in USE_CASES.glob("*/use_case.yaml")))
        raise DemoError(f"USE_CASE={use_case}: there is no such use case; known are {known}")
    if not path.exists():
        raise DemoError(f"INPUT={path}: there is no such file")
    files = tuple(sorted(child for child in path.rglob("*") if child.is_file())) if path.is_dir() else (path,)
    return Batch(_name(path.stem), files, {"source": source} if source else {}, use_case)


def generated(seed: int) -> Batch:
    """Generated messages of six portfolios, up to the last full hour."""
    as_of = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    folder = LOCAL / "demo_input" / f"seed-{seed}-{as_of:%Y%m%dT%H}"
    if not (folder / "complete").exists():
        generate(folder / "files", as_of=as_of, seed=seed)
        (folder / "complete").touch()
    files = tuple(sorted((folder / "files").iterdir()))
    return Batch(_name("generated"), files, {"source": "events", "as_of": as_of.strftime("%Y-%m-%dT%H:%M:%SZ")})


def upload(batch: Batch, bucket: str) -> None:
    """Upload the files, then the manifest: its arrival starts the release."""
    s3 = boto3.client("s3")
    prefix = data_layout.raw_batch(batch.use_case, batch.name)
    for path in batch.files:
        s3.upload_file(str(path), bucket, prefix + path.name)
    s3.put_object(Bucket=bucket, Key=prefix + data_layout.MANIFEST, Body=json.dumps(batch.manifest).encode())


def _name(stem: str) -> str:
    return f"{stem[:40]}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"
