"""A file below ``inference/`` has arrived: which file, of which use case, in which version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tenant_experience import data_layout
from tenant_experience.errors import UserError
from tenant_experience.use_case.manifest import parse_utc

_KEY = re.compile(rf"{data_layout.INFERENCE}/(?P<use_case>[a-z0-9_]{{1,40}})/(?P<file>.{{1,500}})", re.DOTALL)


@dataclass(frozen=True)
class FileArrival:
    """One version of a file.

    Attributes:
        bucket: the data bucket.
        use_case: the folder below ``inference/``.
        file: the rest of the key.
        version: of the object; empty where the event does not say it.
        etag: of the object.
        arrived_at: the event's own time, UTC (the same in a repeated event).
    """

    bucket: str
    use_case: str
    file: str
    version: str
    etag: str
    arrived_at: datetime

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> FileArrival:
        """Read an EventBridge ``Object Created`` event of S3.

        Raises:
            UserError: ``not_a_file`` when the key is not ``inference/<use_case>/<file>``.
        """
        detail = event["detail"]
        stored = detail["object"]
        match = _KEY.fullmatch(stored["key"])
        if match is None:
            raise UserError(
                f"{stored['key']} is not {data_layout.INFERENCE}/<use_case>/<file>; a use case is named by lower-case "
                "letters, digits and _",
                code="not_a_file",
            )
        return cls(
            bucket=detail["bucket"]["name"],
            use_case=match["use_case"],
            file=match["file"],
            version=str(stored.get("version-id") or ""),
            etag=str(stored.get("etag") or "").strip('"'),
            arrived_at=parse_utc(event["time"]),
        )

    def of_version(self, version: str) -> FileArrival:
        """The same with the version that the bucket has said."""
        return replace(self, version=version)

    @property
    def is_folder(self) -> bool:
        """Whether it is the empty object that a console makes for a folder."""
        return self.file.endswith("/")

    @property
    def key(self) -> str:
        """Of the object."""
        return data_layout.inference_file(self.use_case, self.file)

    @property
    def name(self) -> str:
        """What its items are kept under: ``<use_case>/<file>#<version>``."""
        return f"{self.use_case}/{self.file}#{self.version}"

    @property
    def batch(self) -> str:
        """What score_batch calls the file when it takes it over."""
        return data_layout.partition_slug(self.file)
