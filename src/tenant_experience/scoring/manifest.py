"""``manifest.json`` of a score batch: it completes the batch, and says how its files are read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tenant_experience.data_layout import MANIFEST
from tenant_experience.errors import UserError
from tenant_experience.json_document import parse_json
from tenant_experience.use_case.manifest import parse_manifest
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.source import Source

# Files with one column, the ids of records whose features are live. It is no file of sources/.
IDS = "ids"
_KEYS = ("source", "as_of", "format")
_FORMATS = ("parquet", "csv")


@dataclass(frozen=True)
class ScoringManifest:
    """A parsed manifest.

    Attributes:
        source: how the files are read; None for the use case's default source, ``ids`` for ids alone.
        as_of: features describe what was known at this moment, UTC.
        csv: whether the answers are also written as CSV.
        file: the name of the only file, where the queue has handed it over.
    """

    source: str | None = None
    as_of: datetime | None = None
    csv: bool = False
    file: str = ""

    @property
    def has_ids_alone(self) -> bool:
        """Whether the rows are ids, whose features are live."""
        return self.source == IDS

    @classmethod
    def read(cls, folder: Path) -> ScoringManifest:
        """The manifest of the batch in ``folder``; without one, as in a file of its own, everything is as usual.

        Raises:
            UserError: ``invalid_manifest``; the message names the key.
        """
        path = folder / MANIFEST
        if not path.is_file():
            return cls()
        try:
            return cls.parse(parse_json(path.read_text(encoding="utf-8-sig")))
        except ValueError as error:
            raise UserError(f"{MANIFEST} is not valid JSON: {error}", code="invalid_manifest") from error

    @classmethod
    def parse(cls, document: object) -> ScoringManifest:
        """The manifest in ``document``, the decoded JSON.

        Raises:
            UserError: ``invalid_manifest``; the message names the key.
        """
        if not isinstance(document, dict):
            raise UserError(f"{MANIFEST} must be a JSON object", code="invalid_manifest")
        unknown = [str(key) for key in document if key not in _KEYS]
        if unknown:
            raise UserError(
                f"{MANIFEST} of a score batch has the unknown key {unknown[0]!r}; allowed are {', '.join(_KEYS)}",
                code="invalid_manifest",
            )
        wanted = document.get("format")
        if wanted not in (None, *_FORMATS):
            raise UserError(f"{MANIFEST} key 'format' must be one of {', '.join(_FORMATS)}", code="invalid_manifest")
        given = parse_manifest({key: value for key, value in document.items() if key != "format"})
        if given.source == IDS and given.as_of is not None:
            raise UserError(
                f"{MANIFEST} key 'as_of' would change nothing for ids, whose features are live: leave it out",
                code="invalid_manifest",
            )
        return cls(given.source, given.as_of, wanted == "csv")


def ids_source(use_case: UseCase) -> Source:
    """The source of files that hold ids alone, in a column that is called as the use case calls them."""
    key = use_case.record_id
    return Source.model_validate({"kind": "table", "columns": {key: f'"{key}"'}})
