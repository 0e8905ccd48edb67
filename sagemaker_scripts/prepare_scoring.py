#!/usr/bin/env python3
"""PrepareScoring: finds the rows to answer and their features, and plans which job asks which model.

It reads the release pointer, and downloads what it needs from the data bucket, because only the pointer says what that
is. It writes features.parquet, errors.parquet, the requests of batch transforms and plan.json.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tenant_experience import data_layout
from tenant_experience.aws import objects, release_table
from tenant_experience.aws.pseudonym_key import read_key
from tenant_experience.data_layout import (
    FEATURES_FILE,
    INFERENCE,
    OUTCOME,
    PARTITIONS_FILE,
    processing_input,
    processing_output,
)
from tenant_experience.environment import setting
from tenant_experience.errors import UserError
from tenant_experience.jobs.job import run_job
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.queue.reading import source_of
from tenant_experience.release.release import ServedFeatures
from tenant_experience.scoring.manifest import IDS, ScoringManifest
from tenant_experience.scoring.prepare import Asked, LiveFeatures, ScoringFolders, prepare
from tenant_experience.use_case.manifest import parse_utc
from tenant_experience.use_case.schema import USE_CASE_FILE
from tenant_experience.use_case.served import parse

OUTPUT = "prepared"


def main(arguments: list[str] | None = None) -> Outcome:
    """Parses, downloads, prepares, answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True)
    parser.add_argument("--use-case", required=True)
    parser.add_argument("--batch", required=True)
    parser.add_argument("--kind", required=True, choices=("batch", "live"))
    parser.add_argument("--scored-at", required=True, type=parse_utc, help="2026-11-29T10:00:00Z")
    # An argument of a job has at most 256 characters, and a key 1,024.
    parser.add_argument("--key", action="append", help="of the only file, instead of a batch; a long one in parts")
    parser.add_argument("--version-id", default="", help="of that file")
    parser.add_argument("--transform-rows", type=int, default=0, help="from so many rows on, a model is transformed")
    options = parser.parse_args(arguments)
    options.key = "".join(options.key or ())
    bucket, scratch = setting("DATA_BUCKET"), processing_input("downloaded")
    live = release_table.read_live(options.use_case)
    if live is None:
        raise UserError(
            f"no release of {options.use_case} is live any more: release models first", code="no_live_release"
        )
    raw, previous, prepared = scratch / "raw", scratch / "previous", processing_output(OUTPUT)
    for folder in (raw, previous, prepared):
        folder.mkdir(parents=True, exist_ok=True)
    manifest = None
    if options.kind == "batch":
        _fetch_input(bucket, options, raw)
        manifest = _manifest(raw, options.key, scratch)
    fed = []
    if manifest is None or manifest.has_ids_alone:
        fed = _fetch_features(bucket, release_table.read_served_features(options.use_case, live), scratch)
    else:
        for name in (FEATURES_FILE, OUTCOME, PARTITIONS_FILE):
            objects.download(bucket, data_layout.features(live.release) + name, previous / name)
    use_case = processing_input("use_case")
    outcome = prepare(
        ScoringFolders(raw, use_case, previous, fed, prepared),
        Asked(options.run, options.use_case, options.scored_at, manifest, live, options.transform_rows),
        parse((use_case / USE_CASE_FILE).read_bytes()),
        pseudonym_key=read_key(),
    )
    sys.stdout.write(f"batch {options.batch}: {outcome.figures}\n")
    return outcome


def _manifest(raw: Path, key: str, scratch: Path) -> ScoringManifest:
    """What the batch says, and what its files say where it names no source."""
    manifest = ScoringManifest.read(raw)
    if manifest.source is not None or manifest.as_of is not None:
        return manifest
    source = source_of(raw, processing_input("use_case"), scratch / "names")
    if source is None:
        return replace(manifest, source=IDS)
    if key.startswith(f"{INFERENCE}/"):  # the queue has handed it over
        return ScoringManifest(source, file=Path(key).name)
    return manifest


def _fetch_input(bucket: str, options: argparse.Namespace, raw: Path) -> None:
    if options.key:
        objects.download(bucket, options.key, raw / Path(options.key).name, options.version_id)
    else:
        objects.download_all(bucket, data_layout.score_batch(options.use_case, options.batch), raw)


def _fetch_features(bucket: str, served: Iterable[ServedFeatures], folder: Path) -> list[LiveFeatures]:
    """``features.parquet`` of each release that the online store was fed from."""
    files = []
    for place, each in enumerate(served):
        path = folder / f"live_{place}" / FEATURES_FILE
        objects.download(bucket, data_layout.features(each.release) + FEATURES_FILE, path)
        files.append(LiveFeatures(path, each.without, each.again))
    return files


if __name__ == "__main__":
    sys.exit(run_job(main, output=OUTPUT))
