"""The events of batches that add up, in the data bucket."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tenant_experience.aws.objects import s3
from tenant_experience.data_layout import kept_events


@dataclass(frozen=True)
class EventBucket:
    """An :class:`EventStore`: the events of one use case in the data bucket. Each process makes a client of its own."""

    bucket: str
    use_case: str

    @property
    def folders(self) -> tuple[Path, ...]:
        """Objects are fetched as files of their own."""
        return ()

    def keys(self) -> list[str]:
        """See the protocol."""
        prefix = kept_events(self.use_case)
        pages = s3().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [each["Key"].removeprefix(prefix) for page in pages for each in page.get("Contents", [])]

    def fetch(self, key: str, path: Path) -> None:
        """See the protocol."""
        s3().download_file(self.bucket, kept_events(self.use_case) + key, str(path))

    def put(self, path: Path, key: str) -> None:
        """See the protocol."""
        s3().upload_file(str(path), self.bucket, kept_events(self.use_case) + key)
