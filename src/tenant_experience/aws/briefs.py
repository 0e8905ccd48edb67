"""What the approval page reads of a release: its brief, its pictures, and who changes group."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tenant_experience import data_layout
from tenant_experience.aws import objects
from tenant_experience.environment import setting
from tenant_experience.release.approval import ApprovalSummary
from tenant_experience.release.brief import Brief
from tenant_experience.release.partition_brief import Direction, PartitionBrief
from tenant_experience.release.release import LiveRelease

# A row of a list of changes is shorter than 1 KB: an id and a name of 128 characters, and two features with values.
_PART = 64 * 1024
_COLUMNS = 4


@dataclass(frozen=True)
class Change:
    """A record that changes group.

    Attributes:
        record: its id.
        partition: which one it belongs to.
        moved_by: what moved it, in words.
        why: the features that speak most for the new group.
    """

    record: str
    partition: str
    moved_by: str
    why: str


@dataclass(frozen=True)
class ChangeRows:
    """A part of the list of one direction.

    Attributes:
        direction: which one.
        rows: in the order of the list.
        following: where the next part begins; None at the end.
    """

    direction: Direction
    rows: tuple[Change, ...]
    following: int | None


# Slug of a partition -> kind, title, picture (a data: address) and text of each of its pictures.
Pictures = Mapping[str, Sequence[Mapping[str, str]]]


@dataclass(frozen=True)
class PageContent:
    """What the page shows of a release beside the request.

    Attributes:
        brief: of the release.
        live: the release that answers now, and not when the e-mail was sent; None where nothing is live.
        chosen: the partition that the page is about; None for the whole release.
        pictures: of the partitions that are shown with theirs.
        examples: partition slug -> the first of those who change, a list for each direction.
        search: what the names of the models that are listed first contain.
        run_page: the link to the page of the run; empty where there is none.
    """

    brief: Brief
    live: LiveRelease | None = None
    chosen: PartitionBrief | None = None
    pictures: Pictures = field(default_factory=dict)
    examples: Mapping[str, Sequence[ChangeRows]] = field(default_factory=dict)
    search: str = ""
    run_page: str = ""

    def found(self, each: PartitionBrief) -> bool:
        """Whether a model is what was searched for."""
        return self.search.casefold() in each.partition.casefold()

    def kept(self, each: PartitionBrief) -> str:
        """What answers for a partition when its model is rejected."""
        model = self.live.model_for(each.slug) if self.live else None
        return "" if model is None else model.version


def read_brief(release: str, summary: ApprovalSummary) -> Brief:
    """The brief of a release; of releases of an earlier version, what their summary tells."""
    found = objects.find_json(setting("DATA_BUCKET"), data_layout.reports(release) + data_layout.BRIEF_FILE)
    if found is not None:
        return Brief.read(found)
    return Brief.of_results(summary.ready, summary.figures, summary.warnings, summary.words)


def read_pictures(release: str, partitions: Iterable[PartitionBrief]) -> Pictures:
    """The pictures of some partitions, by slug; releases of earlier versions have none."""
    shown = {each.slug: each.shard for each in partitions}
    found: dict[str, Any] = {}
    for shard in sorted(set(shown.values())):
        key = data_layout.reports(release, shard) + data_layout.PAGE_PICTURES_FILE
        found |= objects.find_json(setting("DATA_BUCKET"), key) or {}
    return {slug: found[slug] for slug in shown if slug in found}


def read_changes(release: str, shard: int, direction: Direction, *, start: int = 0, most: int) -> ChangeRows:
    """Some rows of the list of one direction.

    Args:
        release: which one.
        shard: that the partition was trained in.
        direction: which list.
        start: where to begin: 0, or ``following`` of the part before.
        most: so many rows at most.
    """
    key = data_layout.reports(release, shard) + direction.file
    content = objects.read_part(setting("DATA_BUCKET"), key, start, _PART)
    lines = content.split(b"\n")[:-1]  # what follows the last end of a line is a part of a row, or nothing
    header = 1 if start == 0 else 0
    chosen = lines[: header + most]
    rows = list(csv.reader(line.decode("utf-8", "replace") for line in chosen[header:]))
    ends = start + sum(len(line) + 1 for line in chosen)
    is_all = len(content) < _PART and len(chosen) == len(lines)
    found = tuple(Change(*row) for row in rows if len(row) == _COLUMNS)
    return ChangeRows(direction, found, None if is_all or not chosen else ends)
