"""Taking back: which earlier version of each partition answers again, and how the release pointer says so."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tenant_experience.data_layout import GLOBAL_PARTITION
from tenant_experience.errors import UserError
from tenant_experience.release.release import LivePartition, LiveRelease, ServedFeatures

# What begins the id of every roll-back.
PREFIX = "rb-"
_ID_DIGITS = 13
_MOST_NAMED = 3
NOTHING = ""


@dataclass(frozen=True)
class Change:
    """What comes back in one partition.

    Attributes:
        now: the release whose model answers; empty where the global model does.
        back: the release whose model answers afterwards; empty where the global model answers again.
    """

    now: str
    back: str


@dataclass(frozen=True)
class TakeBack:
    """What is to be taken back.

    Attributes:
        use_case: whose pointer is moved.
        to: whose publication left what comes back.
        changes: by slug.
        release: of the release that is taken back; empty where partitions return to a named release.
        features: the release whose features are served again; empty for none.
        reason: why, as the one says who asks for it.
    """

    use_case: str
    to: str
    changes: Mapping[str, Change]
    release: str = ""
    features: str = ""
    reason: str = ""

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        changes = {slug: [change.now, change.back] for slug, change in self.changes.items()}
        return {name: getattr(self, name) for name in _TEXTS} | {"changes": changes}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> TakeBack:
        """The reverse of ``document``."""
        changes = {slug: Change(*change) for slug, change in document["changes"].items()}
        return cls(**{name: document[name] for name in _TEXTS}, changes=changes)

    def only(self, slugs: Collection[str]) -> TakeBack:
        """The same for some of the partitions."""
        return replace(self, changes={slug: each for slug, each in self.changes.items() if slug in slugs})


_TEXTS = ("use_case", "to", "release", "features", "reason")


def plan(
    current: LiveRelease | None,
    then: LiveRelease,
    *,
    use_case: str,
    to: str,
    release: str = "",
    slugs: Collection[str] = (),
    features: bool = False,
) -> TakeBack:
    """What would change.

    Args:
        current: the pointer now.
        then: the pointer right after ``to`` was published.
        use_case: whose pointer it is.
        to: what the partitions return to.
        release: only the partitions in which this one answers.
        slugs: only these partitions; all when empty.
        features: whether the features of then are served again.

    Raises:
        UserError: ``no_live_release``, ``unknown_partition``, ``not_live`` when ``release`` answers nowhere any more,
            or ``nothing_to_take_back`` when everything is as it was then.
    """
    if current is None:
        raise UserError(f"no release of {use_case} is live, so there is nothing to take back", code="no_live_release")
    if unknown := sorted(set(slugs) - current.partitions.keys() - then.partitions.keys()):
        raise UserError(
            f"no model of {use_case} is live for the partition {unknown[0]!r}: name one of "
            f"{', '.join(sorted(current.partitions)[:_MOST_NAMED])} and so on",
            code="unknown_partition",
        )
    if release and release not in current.models.values():
        raise UserError(f"release {release} does not answer any more: {named(current)} took its place", code="not_live")
    changes = dict(_changes(current, then, release, slugs))
    if not changes:
        raise UserError(f"what is live is already as it was after {to} was published", code="nothing_to_take_back")
    return TakeBack(use_case, to, changes, release, then.release if features else "")


def _changes(
    current: LiveRelease, then: LiveRelease, release: str, slugs: Collection[str]
) -> Iterator[tuple[str, Change]]:
    for slug in sorted(current.partitions.keys() | then.partitions.keys()):
        now = current.partitions.get(slug, LivePartition(NOTHING))
        if (release and now.version != release) or (slugs and slug not in slugs):
            continue
        before = then.partitions.get(slug)
        if before is None and (slug == GLOBAL_PARTITION or GLOBAL_PARTITION not in then.partitions):
            continue  # nothing answered there, and a model is better than none
        if before is None or before.version != now.version:
            yield slug, Change(now.version, before.version if before else NOTHING)


def named(live: LiveRelease) -> str:
    """The releases that answer, as a person reads them."""
    versions = sorted(set(live.models.values()))
    more = f" and {len(versions) - _MOST_NAMED} more" if len(versions) > _MOST_NAMED else ""
    return f"{'release' if len(versions) == 1 else 'releases'} {', '.join(versions[:_MOST_NAMED])}{more}"


def run_id(asked: TakeBack, current: LiveRelease, attempt: int = 0) -> str:
    """The id of the roll-back: the same for the same change of the same state, so that it is started once.

    Args:
        asked: what is to change.
        current: the pointer now.
        attempt: how many requests for the same came to nothing before.
    """
    parts = [asked.use_case, asked.to, asked.features, str(attempt)]
    for slug, change in sorted(asked.changes.items()):
        parts += [slug, change.now, change.back, current.partitions.get(slug, LivePartition(NOTHING)).put_back_by]
    return PREFIX + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_ID_DIGITS]


def put_back(
    current: LiveRelease | None,
    *,
    asked: TakeBack,
    then: LiveRelease,
    run: str,
    began: str,
    without: Collection[str] = (),
) -> LiveRelease | None:
    """The pointer after a roll-back; None when it was moved before.

    A version that is put back keeps the start of the one that it replaces: a release that began later than that may
    still follow, and one that began earlier may not.

    Args:
        current: the pointer now.
        asked: the approved part of what was asked.
        then: the pointer right after ``asked.to`` was published.
        run: the roll-back's id.
        began: when it began, ISO 8601 UTC.
        without: slugs of the partitions whose features were not served again.

    Raises:
        UserError: ``superseded`` when another release answers in one of the partitions than was shown.
    """
    if current is None:
        raise UserError(f"no release of {asked.use_case} is live any more", code="superseded")
    if any(each.put_back_by == run for each in current.partitions.values()) or _is_done(current, asked):
        return None
    partitions = dict(current.partitions)
    for slug, change in asked.changes.items():
        now = partitions.pop(slug, LivePartition(NOTHING))
        if now.version != change.now:
            raise UserError(
                f"{slug} is answered by release {now.version or 'nothing'} meanwhile, and no longer by {change.now}; "
                "nothing was taken back: look at what is live, and ask again",
                code="superseded",
            )
        if change.back:
            fed = asked.features or now.features or then.partitions[slug].features
            back = then.partitions[slug]
            began_at = now.started_at or back.started_at
            partitions[slug] = replace(back, features=fed, started_at=began_at, put_back_by=run)
    is_gone = current.release not in {each.version for each in partitions.values()}
    served = list(current.served)
    if asked.features:
        served.append(ServedFeatures(asked.features, began, tuple(sorted(without)), again=True))
    return replace(
        current,
        release=then.release if is_gone else current.release,
        previous=then.previous if is_gone else current.previous,
        revision=current.revision + 1,
        partitions=partitions,
        served=tuple(sorted(served, key=lambda each: each.started_at)),
    )


def _is_done(current: LiveRelease, asked: TakeBack) -> bool:
    """Whether everything is as it would be; where models are removed, nothing else shows that it was done."""
    return all(current.models.get(slug, NOTHING) == change.back for slug, change in asked.changes.items())
