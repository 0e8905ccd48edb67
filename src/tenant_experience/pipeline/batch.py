"""A batch of raw files with its settings, and the folders of the BuildFeatures job."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tenant_experience.data_layout import FEATURES_FILE, MANIFEST
from tenant_experience.errors import UserError
from tenant_experience.features.later_events import check_condition
from tenant_experience.features.sql import statements
from tenant_experience.features.statements import read_sql
from tenant_experience.intake.files import Chosen, is_any, is_no_outcomes
from tenant_experience.use_case.events import DELETED, EVENT_ID
from tenant_experience.use_case.manifest import Manifest, read_batch_manifest, without_training
from tenant_experience.use_case.schema import USE_CASE_FILE, UseCase, load_use_case
from tenant_experience.use_case.source import Source, load_source


@dataclass(frozen=True)
class Folders:
    """The folders that the job reads and writes. All outputs exist; ``previous`` is missing when no release is live."""

    raw: Path
    use_case: Path
    previous: Path
    features: Path
    quarantine: Path
    reports: Path


@dataclass(frozen=True)
class Batch:
    """A batch: the use case with the thresholds of history that its source sets, its manifest, and the source."""

    use_case: UseCase
    manifest: Manifest
    source_name: str
    source: Source
    requested_at: datetime
    as_of: datetime

    @classmethod
    def open(
        cls,
        folders: Folders,
        use_case_name: str,
        requested_at: datetime,
        history_as_of: datetime | None = None,
        manifest: Manifest | None = None,
        file: str = "",
    ) -> Batch:
        """Reads the settings of a batch.

        Args:
            folders: of the batch.
            use_case_name: must be the one in the folder.
            requested_at: UTC.
            history_as_of: takes precedence over the settings.
            manifest: that of the batch; None for the one in its folder.
            file: the name of the only file, where it came for the queue; its source may read it.

        Raises:
            UserError: a setting is wrong; the message names the file and the key.
        """
        use_case = load_use_case(folders.use_case)
        if use_case.name != use_case_name:
            raise UserError(
                f"use_case.yaml: key 'name' is {use_case.name!r}, but the batch is for {use_case_name!r}",
                code="invalid_use_case",
            )
        manifest = manifest or read_batch_manifest(folders.raw)
        has_live_release = (folders.previous / FEATURES_FILE).is_file()
        if use_case.refresh == "auto" and not manifest.says_what and history_as_of is None and has_live_release:
            manifest = replace(manifest, train=False)
        source_name = manifest.source or use_case.default_source
        source = load_source(folders.use_case, source_name, use_case)
        source = source.of_file(file) if file else source.of_batch(source_name)
        if manifest.outcomes is not None and use_case.outcomes is None:
            raise UserError(
                f"{MANIFEST} has the key 'outcomes', but {USE_CASE_FILE} of {use_case.name} has no key 'outcomes', so "
                "files of outcomes would be read as any other: leave the key out, or declare there what each kind of "
                "outcome means",
                code="invalid_manifest",
            )
        if manifest.appends:
            source = _adding_up(source, source_name, use_case)
        elif not manifest.train:
            source = source.without(use_case.labels.column)
        elif source.kind == "table" and (label := use_case.labels.column) and label not in source.columns:
            raise UserError(
                f"source {source_name!r} maps no column to {label}, which a model learns to predict: map it. "
                f"{without_training()}",
                code="invalid_source",
            )
        as_of = history_as_of or manifest.as_of or source.as_of or requested_at
        if as_of > requested_at:
            where = f"{MANIFEST} key" if manifest.as_of else f"source {source_name!r}, key"
            raise UserError(
                f"{where} 'as_of' is {as_of:%Y-%m-%dT%H:%M:%SZ}, which is later than the request at "
                f"{requested_at:%Y-%m-%dT%H:%M:%SZ}. Set it to the time of the request or earlier",
                code="invalid_manifest" if manifest.as_of else "invalid_source",
            )
        use_case = source.adjust(use_case)
        source = source.at(as_of)
        if source.has_events:
            check_condition(use_case, folders.use_case)
            statements(read_sql(folders.use_case), use_case, as_of)
        return cls(use_case, manifest, source_name, source, requested_at, as_of)

    @property
    def has_deletions(self) -> bool:
        """Whether an event may have been deleted."""
        return DELETED in self.source.columns

    @property
    def unknown(self) -> dict[str, list[str]]:
        """The features that are null for everybody -> what the source would have to map for them."""
        return self.source.unmapped(self.use_case)

    @property
    def chosen(self) -> Chosen:
        """Which files are the batch's own: those of outcomes are not, where the use case has outcomes."""
        return is_any if self.use_case.outcomes is None else is_no_outcomes


def _adding_up(source: Source, name: str, use_case: UseCase) -> Source:
    """The source of a batch whose events are added to those of earlier ones.

    Raises:
        UserError: its rows cannot be added up.
    """
    if not source.has_events:
        raise UserError(
            f'{MANIFEST} says "mode": "append", but source {name!r} is of kind: {source.kind}: only events add up. '
            "Leave the key out, and send the rows of all records in one batch",
            code="invalid_manifest",
        )
    if EVENT_ID not in source.columns:
        raise UserError(
            f'{MANIFEST} says "mode": "append", but source {name!r} maps no {EVENT_ID}, so an event that comes twice '
            "would count twice: map it to the column, or to the columns together, that tell one event from another",
            code="invalid_source",
        )
    if use_case.examples == "several" and use_case.declared_events.kept_days is None:
        raise UserError(
            f'{MANIFEST} says "mode": "append", and {USE_CASE_FILE} of {use_case.name} says "examples: several", so a '
            "model learns from old events as from new ones, but not how many days they count: set its key "
            "events.kept_days to the length of the log in days",
            code="invalid_use_case",
        )
    return source.with_deletions()
