"""A score batch through its jobs' work in this process, with the models of a written use case."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tenant_experience.data_layout import ERRORS_FILE, FEATURES_FILE, PLAN_FILE
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.release.release import LiveRelease, PublishedModel
from tenant_experience.scoring.answers import Run
from tenant_experience.scoring.manifest import ScoringManifest
from tenant_experience.scoring.partitions import score_partitions
from tenant_experience.scoring.prepare import Asked, LiveFeatures, ScoringFolders, prepare
from tenant_experience.scoring.publish import Answers, check_counts, read_files, write_errors, write_files
from tenant_experience.use_case.served import parse
from tests.support.written_use_case import Written

SCORED_AT = "2026-11-02T03:00:00Z"


@dataclass
class Scored:
    """What a batch came to.

    Attributes:
        outcome: of PrepareScoring.
        rows: the answers, in the order of the files.
        errors: the rows without an answer.
        folder: what was published.
    """

    outcome: Outcome
    rows: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    folder: Path

    def of(self, record: str) -> dict[str, Any]:
        """The only answer for a record."""
        (row,) = (each for each in self.rows if each["record_id"] == record)
        return row


@dataclass
class Scoring:
    """A live release and batches for it.

    Attributes:
        written: released; its models answer.
        base: an empty folder.
        models: the slugs that have a model.
        transform_rows: how many rows a model must have to get a batch transform.
    """

    written: Written
    base: Path
    models: list[str]
    transform_rows: int = 0
    _number: int = field(default=0, init=False)

    @property
    def live(self) -> LiveRelease:
        return LiveRelease.of_models("r1", "2026-11-01T00:00:00Z", 1, dict.fromkeys(self.models, "r1"))

    def prepare(
        self,
        files: dict[str, bytes],
        manifest: dict[str, Any] | None,
        fed: list[LiveFeatures] | None = None,
        **more: Any,
    ) -> tuple[Outcome, Path]:
        """PrepareScoring; a manifest of None is what is live."""
        self._number += 1
        base = self.base / str(self._number)
        raw, prepared = base / "raw", base / "prepared"
        for folder in (raw, prepared):
            folder.mkdir(parents=True)
        for name, content in files.items():
            (raw / name).write_bytes(content)
        if manifest is not None:
            (raw / "manifest.json").write_text(json.dumps(manifest))
        previous = self.written.base / "job/features"
        asked = Asked(
            run="20261102-abcdef0",
            use_case=self.written.settings["name"],
            scored_at=datetime(2026, 11, 2, 3, tzinfo=UTC),
            manifest=None if manifest is None else ScoringManifest.read(raw),
            live=self.live,
            transform_rows=self.transform_rows,
        )
        live = fed or [LiveFeatures(previous / FEATURES_FILE)]
        folders = ScoringFolders(raw, self.written.folder, previous, live, prepared)
        outcome = prepare(folders, asked, self.run.use_case, **more)
        outcome.write(prepared)
        return outcome, prepared

    @property
    def run(self) -> Run:
        use_case = parse((self.written.folder / "use_case.yaml").read_bytes())
        return Run("20261102-abcdef0", "b1", SCORED_AT, use_case)

    def score(
        self,
        files: dict[str, bytes],
        manifest: dict[str, Any] | None,
        fed: list[LiveFeatures] | None = None,
        **more: Any,
    ) -> Scored:
        """All of it."""
        outcome, prepared = self.prepare(files, manifest, fed, **more)
        answered, published = prepared.parent / "answered", prepared.parent / "published"
        answered.mkdir()
        plan = json.loads((prepared / PLAN_FILE).read_text())
        for item in plan["items"]:
            rows = score_partitions(prepared, item["models"], self.run, self._fetch)
            write_files(rows, answered / item["name"], csv=False)
        found = Answers(prepared, answered, self.run)
        count = write_files(found, published, csv=plan["csv"])
        check_counts(plan["counts"], count, len(found.refused))
        write_errors(prepared, found.refused, prepared.parent / ERRORS_FILE)
        errors = pq.read_table(prepared.parent / ERRORS_FILE).to_pylist()
        return Scored(outcome, list(read_files(published)), errors, published)

    def _fetch(self, model: PublishedModel, folder: Path) -> None:
        shutil.copytree(self.written.base / "models" / model.slug, folder, dirs_exist_ok=True)
