"""Chooses the eraser for an object of the data bucket: raw files need the column mapping of their batch's source."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property, partial
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow.parquet as pq
import yaml

from operations.errors import OperationError
from tenant_experience import data_layout
from tenant_experience.aws import objects
from tenant_experience.erasure.file import Eraser, Erasure
from tenant_experience.erasure.id import ErasedId
from tenant_experience.erasure.mapping import RawMapping
from tenant_experience.erasure.split_table import SplitTableEraser
from tenant_experience.errors import UserError
from tenant_experience.intake.files import is_outcomes
from tenant_experience.scoring.manifest import IDS, ids_source
from tenant_experience.use_case.schema import USE_CASE_FILE, UseCase, load_use_case
from tenant_experience.use_case.source import Source, SourcePurpose, load_source

_TABLE, _ROWS = (name.format("") for name in (data_layout.SPLIT_TABLE, data_layout.SPLIT_ROWS_FILE))
# Below these, the next part of a key names the use case.
_ANSWERS = (data_layout.PREDICTIONS, data_layout.ERRORS)
_OF_USE_CASE = (
    *(data_layout.RAW, data_layout.EVENTS, data_layout.SCORE, data_layout.INFERENCE, data_layout.EVALUATIONS),
    *_ANSWERS,
)
_USE_CASES = Path(__file__).parents[2] / "use_cases"


@dataclass(frozen=True)
class QueueFileEraser:
    """Erases a tenant from a file of the queue."""

    rows: Eraser
    ids: Eraser

    @property
    def erased(self) -> ErasedId:
        """The tenant."""
        return self.ids.erased

    def erase(self, source: Path, name: str, target: Path) -> Erasure:
        """Erases the tenant from one file, as :meth:`Eraser.erase` does."""
        found = self.rows.erase(source, name, target)
        return found if found.removed else self.ids.erase(source, name, target)


class Erasers:
    """The erasers for the objects of a bucket, one for each source."""

    def __init__(self, bucket: str, use_case: str, erased: ErasedId) -> None:
        self.erased = erased
        self._bucket = bucket
        self._use_case = use_case
        self._cleanup = ExitStack()
        self._by_source: dict[str, Eraser] = {}
        self._sources_of_batch: dict[str, tuple[str, str | None]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def for_key(self, key: str) -> Eraser | SplitTableEraser | QueueFileEraser | None:
        """The eraser for this object of the data bucket; None when the object belongs to another use case."""
        first, *rest = key.split("/")
        if first in _OF_USE_CASE and len(rest) > 1 and rest[0] != self._use_case:
            # What is below predictions/ without the name of a use case is nobody's in particular, and is searched.
            is_of_another = first not in _ANSWERS or (_USE_CASES / rest[0]).is_dir()
            return None if is_of_another else self._own
        if first == data_layout.RAW and len(rest) > 2:
            return self._for_raw(rest[1], "/".join(rest[2:]))
        if first == data_layout.SCORE and len(rest) > 2:
            return self._for_score(rest[1])
        if first in _ANSWERS and rest[0] == self._use_case:
            return self._answers
        if first == data_layout.INFERENCE and len(rest) > 1:
            return self._for_queue(rest[-1])
        if self._releases_of_others.intersection(rest):
            return None
        if first == data_layout.SCORING:
            return self._requests
        if first == data_layout.SPLITS and key.endswith(_TABLE):
            return SplitTableEraser(self.erased, partial(self._tenants_of, key))
        return self._own

    def _tenants_of(self, key: str) -> list[str] | None:
        """The tenant of each row of a CSV of the split."""
        try:
            named = objects.s3().get_object(Bucket=self._bucket, Key=key.removesuffix(_TABLE) + _ROWS)["Body"].read()
        except objects.s3().exceptions.NoSuchKey:
            return None
        return [str(tenant) for tenant in pq.read_table(BytesIO(named))["tenant_id"].to_pylist()]

    def for_other(self, _key: str) -> Eraser:
        """The eraser for files that are not part of a batch."""
        return self._own

    def _for_raw(self, batch: str, name: str) -> Eraser:
        """Files of outcomes have a source of their own; an archive may hold files of both kinds."""
        prefix = data_layout.raw_batch(self._use_case, batch)
        if prefix not in self._sources_of_batch:
            self._sources_of_batch[prefix] = self._source_names(prefix)
        own, outcomes = self._sources_of_batch[prefix]
        if outcomes is None:
            return self._of_source(own, of="batch")
        of_outcomes = self._of_source(outcomes, of="outcomes")
        return of_outcomes if is_outcomes(name) else replace(self._of_source(own, of="batch"), outcomes=of_outcomes)

    def _for_score(self, batch: str) -> Eraser:
        """Files of a score batch are read as those of a release, or hold ids alone."""
        prefix = data_layout.score_batch(self._use_case, batch)
        if prefix not in self._sources_of_batch:
            self._sources_of_batch[prefix] = self._source_names(prefix)
        source, _ = self._sources_of_batch[prefix]
        return self._ids if source == IDS else self._of_source(source, of="batch")

    def _for_queue(self, name: str) -> QueueFileEraser:
        """A file of the queue holds ids alone, or rows of its source, which may read its name."""
        folder, use_case = self._definition
        source = load_source(folder, use_case.inference.source or use_case.default_source, use_case).of_file(name)
        id_source = source.columns[use_case.record_id]
        key = f"inference: {id_source}"
        if key not in self._by_source:
            self._by_source[key] = self._eraser(source, is_raw=True)
        return QueueFileEraser(self._by_source[key], self._ids)

    def _of_source(self, name: str, *, of: SourcePurpose) -> Eraser:
        if name not in self._by_source:
            folder, use_case = self._definition
            self._by_source[name] = self._eraser(load_source(folder, name, use_case, of=of), is_raw=True)
        return self._by_source[name]

    def _source_names(self, prefix: str) -> tuple[str, str | None]:
        """The sources of the batch and of its outcomes that the manifest names, or else the default ones.

        A name of no source, or of one for something else, counts as none.
        """
        folder, use_case = self._definition
        key = prefix + data_layout.MANIFEST
        listed = objects.s3().list_object_versions(Bucket=self._bucket, Prefix=key).get("Versions", [])
        named: dict[str, str] = {}
        for version in (each["VersionId"] for each in listed if each["Key"] == key):
            body = objects.s3().get_object(Bucket=self._bucket, Key=key, VersionId=version)["Body"].read()
            try:
                manifest = dict(json.loads(body))
            except (ValueError, TypeError):
                continue
            purposes: dict[str, SourcePurpose] = {"source": "batch", "outcomes": "outcomes"}
            for entry, purpose in purposes.items():
                name = str(manifest.get(entry))
                ids = name == IDS and prefix.startswith(f"{data_layout.SCORE}/")
                if entry not in named and (ids or _is_source(folder, name, use_case, purpose)):
                    named[entry] = name
        declared = None if use_case.outcomes is None else use_case.outcomes.source
        return named.get("source", use_case.default_source), named.get("outcomes", declared) if declared else None

    @cached_property
    def _own(self) -> Eraser:
        return self._with_ids_in(self._definition[1].record_id, is_raw=False)

    @cached_property
    def _ids(self) -> Eraser:
        """For files that hold ids alone."""
        return self._eraser(ids_source(self._definition[1]), is_raw=True)

    @cached_property
    def _answers(self) -> Eraser:
        """For the answers of scoring runs, and the rows without one."""
        return self._with_ids_in("record_id", is_raw=False)

    @cached_property
    def _requests(self) -> Eraser:
        """For the working files of scoring runs, whose lines are requests and answers of models."""
        return self._with_ids_in("tenant_id", is_raw=False)

    def _with_ids_in(self, column: str, *, is_raw: bool) -> Eraser:
        columns = {self._definition[1].record_id: column}
        return self._eraser(Source.model_validate({"kind": "table", "columns": columns}), is_raw=is_raw)

    def _eraser(self, source: Source, *, is_raw: bool) -> Eraser:
        record_id = self._definition[1].record_id
        mapping = self._cleanup.enter_context(RawMapping.open(source, record_id, self.erased))
        return Eraser(self.erased, record_id, mapping, is_raw)

    @cached_property
    def _definition(self) -> tuple[Path, UseCase]:
        folder = _USE_CASES / self._use_case
        if not (folder / USE_CASE_FILE).exists():
            raise OperationError(f"there is no use case {self._use_case}: choose a folder of {_USE_CASES}/")
        return folder, load_use_case(folder)

    @cached_property
    def _releases_of_others(self) -> frozenset[str]:
        """The releases of other use cases, by the copy of the use case that each release keeps."""
        client, others = objects.s3(), set()
        prefix = data_layout.use_case_snapshot("").rstrip("/") + "/"
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            for each in page.get("Contents", []):
                release, _, name = each["Key"].removeprefix(prefix).partition("/")
                if name == USE_CASE_FILE:
                    content = yaml.safe_load(client.get_object(Bucket=self._bucket, Key=each["Key"])["Body"].read())
                    if content.get("name") != self._use_case:
                        others.add(release)
        return frozenset(others)


def _is_source(folder: Path, name: str, use_case: UseCase, purpose: SourcePurpose) -> bool:
    try:
        load_source(folder, name, use_case, of=purpose)
    except UserError:
        return False
    return True
