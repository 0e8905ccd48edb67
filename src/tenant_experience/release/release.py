"""How a release is named, what starts one, and which model versions are live: plain rules without AWS."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tenant_experience import data_layout
from tenant_experience.errors import UserError
from tenant_experience.use_case.manifest import parse_utc

_MANIFEST_KEY = re.compile(
    rf"^{data_layout.RAW}/(?P<use_case>[a-z0-9_]{{1,40}})/(?P<batch>[^/]{{1,128}})/{re.escape(data_layout.MANIFEST)}$"
)


@dataclass(frozen=True)
class ManifestArrival:
    """A batch of raw input is complete: its manifest has arrived.

    Attributes:
        bucket: the data bucket.
        use_case: the folder under ``raw/``.
        batch: the folder under the use case.
        version: tells this upload from any other of the same key (S3's sequencer; the same in a repeated event).
        arrived_at: ``yyyy-MM-ddTHH:mm:ssZ``, the event's own time (the same in a repeated event).
    """

    bucket: str
    use_case: str
    batch: str
    version: str
    arrived_at: str

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> ManifestArrival:
        """Read an EventBridge ``Object Created`` event of S3.

        Raises:
            UserError: ``not_a_manifest`` when the key is not ``raw/<use_case>/<batch>/manifest.json``.
        """
        detail = event["detail"]
        key = detail["object"]["key"]
        match = _MANIFEST_KEY.match(key)
        if match is None:
            raise UserError(
                f"{key} is not raw/<use_case>/<batch>/{data_layout.MANIFEST}; "
                "a use case is named by lower-case letters, digits and _",
                code="not_a_manifest",
            )
        stored = detail["object"]
        return cls(
            bucket=detail["bucket"]["name"],
            use_case=match["use_case"],
            batch=match["batch"],
            version="/".join(str(stored.get(name, "")) for name in ("version-id", "etag", "sequencer")),
            arrived_at=event["time"],
        )

    @property
    def release(self) -> str:
        """The release id: day of arrival and seven digits of a hash, the same for every repeated event."""
        identity = "\n".join((self.bucket, self.use_case, self.batch, self.version))
        return f"{self.arrived_at[:10].replace('-', '')}-{hashlib.sha256(identity.encode()).hexdigest()[:7]}"


_MOST_NAMED = 3  # a message to people names so many partitions
_HISTORY_KEYS = {"use_case", "batch", "as_of"}


@dataclass(frozen=True)
class HistoryRequest:
    """A request to record the features of a batch as they were known at an earlier time.

    Attributes:
        use_case: the folder under ``raw/``.
        batch: the folder under the use case.
        as_of: UTC.
    """

    use_case: str
    batch: str
    as_of: datetime

    @classmethod
    def is_meant_by(cls, event: Mapping[str, Any]) -> bool:
        """Whether an event of StartRelease is such a request rather than a manifest's arrival."""
        return "detail" not in event

    @classmethod
    def from_event(cls, event: Mapping[str, Any], now: datetime) -> HistoryRequest:
        """Read ``{"use_case": ..., "batch": ..., "as_of": "2016-04-01T00:00:00Z"}``.

        Raises:
            UserError: ``malformed_request``; the message names the key.
        """
        if set(event) != _HISTORY_KEYS or not all(isinstance(value, str) for value in event.values()):
            raise UserError(
                f"send exactly the keys {', '.join(sorted(_HISTORY_KEYS))}, each with a text", code="malformed_request"
            )
        if not _MANIFEST_KEY.match(data_layout.raw_batch(event["use_case"], event["batch"]) + data_layout.MANIFEST):
            raise UserError("keys 'use_case' and 'batch' must name a folder below raw/", code="malformed_request")
        try:
            as_of = parse_utc(event["as_of"]).replace(microsecond=0)
        except (ValueError, OverflowError) as error:
            raise UserError(
                f"key 'as_of' must be a time like 2016-04-01T00:00:00Z: {error}", code="malformed_request"
            ) from error
        if as_of > now:
            raise UserError("key 'as_of' is in the future; it must be a time in the past", code="malformed_request")
        return cls(event["use_case"], event["batch"], as_of)

    @property
    def release(self) -> str:
        """The release id: the day of ``as_of`` and seven digits of a hash, the same for every repeated request."""
        identity = "\n".join((self.use_case, self.batch, self.as_of.isoformat()))
        return f"{self.as_of:%Y%m%d}-{hashlib.sha256(identity.encode()).hexdigest()[:7]}"


@dataclass(frozen=True)
class PublishedModel:
    """A model that the release pointer names.

    Attributes:
        slug: its partition.
        version: the release that made it.
        digest: the SHA-256 of its ``model.json``, as it was registered; empty for a model of an earlier version of this
            program, which is asked without a digest.
    """

    slug: str
    version: str
    digest: str = ""

    @property
    def key(self) -> str:
        """Its archive's key below ``models/``, which is also the endpoint's ``TargetModel``."""
        return data_layout.model_archive(self.slug, self.version)


@dataclass(frozen=True)
class LivePartition:
    """What answers for one partition.

    Attributes:
        version: the release that made its model.
        digest: the SHA-256 of that model's ``model.json``; empty for a model of an earlier version of this program.
        features: the release that the online store was last fed from for it, beside batches of features alone.
        started_at: when the execution began that put this version here, ISO 8601 UTC; a release never replaces a
            version that was put here by one that began later. A version that was put back keeps the time of the one
            that was taken back.
        put_back_by: the roll-back that put this version here; empty when it is here since it was released.
    """

    version: str
    digest: str = ""
    features: str = ""
    started_at: str = ""
    put_back_by: str = ""


@dataclass(frozen=True)
class ServedFeatures:
    """A release whose features the online store was fed from.

    Attributes:
        release: which one.
        started_at: when its execution began, ISO 8601 UTC; of one record, the store has what began last.
        without: slugs of the partitions that were not fed from it, because their approver rejected them.
        again: whether it was served again by a roll-back, in the place of whatever was served before, also of records
            as of a later time.
    """

    release: str
    started_at: str
    without: tuple[str, ...] = ()
    again: bool = False


@dataclass(frozen=True)
class LiveRelease:
    """The release pointer: which version of each partition's model answers now, and from which features.

    Attributes:
        release: of the releases that were published, the one that began last.
        started_at: when its execution began, ISO 8601 UTC.
        revision: counts writes of the pointer; the condition of every write.
        partitions: by slug. A partition that a release could not train, or that was rejected, keeps its older version.
        previous: the release before it, or None.
        served: what the online store was fed from, in the order of ``started_at``; empty in pointers of earlier
            versions of this program.
    """

    release: str
    started_at: str
    revision: int
    partitions: Mapping[str, LivePartition] = field(default_factory=dict)
    previous: str | None = None
    served: tuple[ServedFeatures, ...] = ()

    @classmethod
    def of_models(
        cls,
        release: str,
        started_at: str,
        revision: int,
        models: Mapping[str, str],
        previous: str | None = None,
        digests: Mapping[str, str] | None = None,
    ) -> LiveRelease:
        """A pointer whose partitions were all put there by one release, as in earlier versions of this program.

        Args:
            release: which one.
            started_at: when it began.
            revision: of the pointer.
            models: partition slug -> version.
            previous: the release before it.
            digests: partition slug -> digest, where one is known.
        """
        known = digests or {}
        partitions = {
            slug: LivePartition(version, known.get(slug, ""), release, started_at) for slug, version in models.items()
        }
        return cls(release, started_at, revision, partitions, previous)

    @property
    def models(self) -> dict[str, str]:
        """Partition slug -> version."""
        return {slug: partition.version for slug, partition in self.partitions.items()}

    @property
    def digests(self) -> dict[str, str]:
        """Partition slug -> digest of its model; without the models that have none."""
        return {slug: partition.digest for slug, partition in self.partitions.items() if partition.digest}

    def model_of(self, slug: str) -> PublishedModel | None:
        """The live model of this very partition."""
        partition = self.partitions.get(slug)
        return None if partition is None else PublishedModel(slug, partition.version, partition.digest)

    def model_for(self, partition_slug: str) -> PublishedModel | None:
        """The model that answers for a tenant of this partition: its own, else the global one."""
        return self.model_of(partition_slug) or self.model_of(data_layout.GLOBAL_PARTITION)

    def later(self, started_at: str, slugs: Iterable[str]) -> dict[str, LivePartition]:
        """Those of some partitions in which something is live that began after ``started_at``."""
        found = {slug: self.partitions[slug] for slug in slugs if slug in self.partitions}
        return {slug: partition for slug, partition in found.items() if partition.started_at > started_at}

    def later_than(self, started_at: str, slugs: Iterable[str]) -> str | None:
        """The live release that keeps one that began at ``started_at`` from being published; None where none does."""
        later = self.later(started_at, slugs).values()
        return max(later, key=lambda each: each.started_at).version if later else None


def next_live(
    current: LiveRelease | None,
    *,
    release: str,
    started_at: str,
    models: Iterable[PublishedModel],
    rejected: Iterable[str] = (),
) -> LiveRelease | None:
    """The pointer after publishing ``release``; None when it is already published.

    Args:
        current: the pointer now; None before the first release.
        release: which one.
        started_at: when its execution began.
        models: the models of the release that may answer; none of a batch of features alone.
        rejected: slugs of the partitions that keep what they have.

    Raises:
        UserError: ``superseded`` when a release that began later is live in one of its partitions. Nothing of it may
            be published then. ``no_live_release`` when there are only features, and no release is live.
    """
    fed = ServedFeatures(release, started_at, tuple(sorted(rejected)))
    published = {model.slug: LivePartition(model.version, model.digest, release, started_at) for model in models}
    if current is None:
        if not published:
            raise UserError(f"release {release} has features alone, but no release is live", code="no_live_release")
        return LiveRelease(release, started_at, 1, published, None, (fed,))
    if any(each.release == release for each in current.served):
        return None
    _check_order(current, release, started_at, published)
    begins_last = bool(published) and started_at >= current.started_at
    return LiveRelease(
        release=release if begins_last else current.release,
        started_at=started_at if begins_last else current.started_at,
        revision=current.revision + 1,
        partitions={**current.partitions, **published},
        previous=current.release if begins_last else current.previous,
        served=_next_served(current.served, fed, replaces=bool(published) and not fed.without),
    )


def _check_order(current: LiveRelease, release: str, started_at: str, published: Iterable[str]) -> None:
    later = current.later(started_at, published)
    if not later:
        return
    names = [
        f"{slug} (release {found.version}, which began on {readable_time(found.started_at)})"
        for slug, found in sorted(later.items())
    ]
    rest = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    raise UserError(
        f"release {release} began on {readable_time(started_at)}, and a later one is live in {len(names)} of its "
        f"partitions: {', '.join(names[:_MOST_NAMED])}{rest}; upload the batch again to release it",
        code="superseded",
    )


def _next_served(
    served: Iterable[ServedFeatures], fed: ServedFeatures, *, replaces: bool
) -> tuple[ServedFeatures, ...]:
    """``replaces``: the batch was a whole one, so that what was served before it no longer counts."""
    kept = [each for each in served if not replaces or each.started_at > fed.started_at]
    return tuple(sorted([*kept, fed], key=lambda each: each.started_at))


def readable_time(moment: str | float) -> str:
    """A time for people to read, ``5 December 2026, 22:02 UTC``.

    Args:
        moment: ISO 8601, or Unix seconds.
    """
    time_utc = parse_utc(moment) if isinstance(moment, str) else datetime.fromtimestamp(moment, UTC)
    return f"{time_utc.day} {time_utc:%B %Y, %H:%M} UTC"


def iso_time(seconds: float) -> str:
    """Unix seconds as ``yyyy-MM-ddTHH:mm:ssZ``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
