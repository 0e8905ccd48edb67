"""The brief: what a person needs in order to decide about a release, before any table of figures.

EvaluateModel writes one for each shard (``report.brief``); RequestApproval puts them together, adds the warnings about
the data and the cost, and stores a short form with the request. It names no record: who changes is in files of their
own, which the page reads when it is opened.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from tenant_experience.release.partition_brief import (
    FIRST,
    SERIOUS,
    VERDICTS,
    About,
    BriefWarning,
    PartitionBrief,
    Verdict,
)
from tenant_experience.release.partition_result import PartitionResult
from tenant_experience.use_case.words import Words

# In this order warnings of the same weight are told.
_ORDER: tuple[About, ...] = ("population", "data", "groups", "chance", "change", "fairness", "champion", "model")
_MANY_VERDICTS: Mapping[Verdict, str] = {
    "better": "better than what is live",
    "equal": "as good",
    "worse": "worse",
    "not_comparable": "not comparable",
    "first": "the first of their kind",
    "unknown": "told of in the report",
}
# An item of DynamoDB holds 400 KB, and an e-mail is read to its end only when it is short.
_MOST_KEPT, _LONGEST_KEPT = 12, 600
_LONGEST = 1_200
_MOST_NAMED = 5
_FIGURE = re.compile(r"[-+]?\d[\d,.]*%?")


@dataclass(frozen=True)
class Brief:
    """What matters about a release.

    Attributes:
        partitions: of the models that are ready.
        warnings: about the whole release; those of partitions are theirs.
        cost: what it costs, in sentences; empty where that is not known.
        words: what the use case calls records and partitions.
    """

    partitions: tuple[PartitionBrief, ...] = ()
    warnings: tuple[BriefWarning, ...] = ()
    cost: tuple[str, ...] = ()
    words: Words = field(default_factory=Words)

    @cached_property
    def all_warnings(self) -> list[BriefWarning]:
        """Of the release and of all partitions, the heaviest first; partitions are named where there are several.

        What differs from partition to partition in figures alone is told once.
        """
        several = len(self.partitions) > 1
        alike: dict[tuple[About, int, str], list[BriefWarning]] = {}
        for each in self.partitions:
            for warning in each.warnings:
                named = replace(warning, slug=each.slug, partition=each.partition if several else "")
                alike.setdefault((warning.about, warning.weight, _FIGURE.sub("#", warning.text)), []).append(named)
        told = [*self.warnings, *(self._together(found) for found in alike.values())]
        return sorted(told, key=lambda each: (-each.weight, _ORDER.index(each.about)))

    def _together(self, found: list[BriefWarning]) -> BriefWarning:
        first, *others = found
        if not others:
            return first
        names = ", ".join(each.partition for each in others[:_MOST_NAMED])
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        text = f"{first.text} With other figures the same is true of {names}{more}."
        return replace(first, text=text)

    @property
    def serious(self) -> list[BriefWarning]:
        """The warnings that stand in the first line."""
        return [warning for warning in self.all_warnings if warning.weight == SERIOUS]

    @property
    def verdict(self) -> str:
        """The release in one line."""
        serious, others = len(self.serious), len(self.all_warnings)
        if not self.partitions:
            return "No model of this release is ready"
        if serious:
            things = "one thing speaks" if serious == 1 else f"{serious} things speak"
            return f"{self.comparison}. Before you approve: {things} against it"
        if others:
            read = "one warning is" if others == 1 else f"{others} warnings are"
            return f"{self.comparison}; {read} to be read"
        return f"{self.comparison}, and no warning stands"

    @property
    def comparison(self) -> str:
        """All models against what is live, in a few words."""
        counts = Counter(each.verdict for each in self.partitions)
        if len(counts) == 1:
            (verdict,) = counts
            count = len(self.partitions)
            if count > 1 and verdict == FIRST:
                return f"Nothing is live to compare the {count} models with"
            return VERDICTS[verdict] if count == 1 else f"{VERDICTS[verdict]}: all {count} models"
        told = [f"{counts[verdict]} {text}" for verdict, text in _MANY_VERDICTS.items() if counts[verdict]]
        return f"Of {len(self.partitions)} models {', '.join(told)}"

    @property
    def three_changes(self) -> list[str]:
        """What changes against what is live: the share, the champion, and who changes in which direction."""
        return list(filter(None, [self._share_text(), self._champion_text(), self._change_text()]))

    def _share_text(self) -> str:
        told = [each for each in self.partitions if each.share and each.share.text]
        if len(self.partitions) == 1 and told and told[0].share:
            return told[0].share.text
        before_and_now = [each.share for each in told if each.share and each.share.before is not None]
        up = sum(share.now > (share.before or 0) for share in before_and_now)
        if not before_and_now:
            return ""
        return (
            f"By the rule that is live, the share {before_and_now[0].label} is higher than before in {up} of "
            f"{len(before_and_now)} {self.words.partitions}."
        )

    def _champion_text(self) -> str:
        if len(self.partitions) == 1:
            return self.partitions[0].champion or f"{self.comparison}."
        worse = [each for each in self.partitions if each.verdict == "worse"]
        if worse:
            return f"{self.comparison}. {worse[0].partition}: {worse[0].champion}"
        is_told = {each.verdict for each in self.partitions} <= {FIRST}  # by the first line, and there is no more
        return "" if is_told else f"{self.comparison}; none is worse."

    def _change_text(self) -> str:
        known = [each.changes for each in self.partitions if each.changes]
        if not known:
            return ""
        directions: Counter[tuple[str, str]] = Counter()
        for changes in known:
            for each in changes.directions:
                directions[each.before, each.now] += each.records
        moved, both = sum(each.moved for each in known), sum(each.known for each in known)
        ways = ", ".join(f"{count:,} from {old} to {new}" for (old, new), count in directions.most_common(4))
        change = f"{moved:,} change group" if moved else "nobody changes group"
        of = f"Of {self.words.counted(both)} that both releases know, {change}"
        new, gone = sum(each.new for each in known), sum(each.gone for each in known)
        populations = f"{new:,} are new and {gone:,} are gone" if new or gone else "None is new, and none is gone"
        return f"{of}{f': {ways}' if ways else ''}. {populations}."

    def document(self) -> dict[str, Any]:
        """The JSON object: ``reports/<release>/brief.json``."""
        return {
            "partitions": [asdict(each) for each in self.partitions],
            "warnings": [asdict(each) for each in self.warnings],
            "cost": list(self.cost),
            "words": self.words.document(),
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Brief:
        """The reverse of ``document``."""
        return cls(
            partitions=tuple(PartitionBrief.read(row) for row in document["partitions"]),
            warnings=tuple(BriefWarning(**row) for row in document.get("warnings", ())),
            cost=tuple(document.get("cost", ())),
            words=Words.read(document.get("words")),
        )

    @classmethod
    def of_results(
        cls, rows: Sequence[PartitionResult], figures: Mapping[str, str], warnings: Sequence[str], words: Words
    ) -> Brief:
        """From what an earlier version stored with the request."""
        return cls(
            partitions=tuple(PartitionBrief.of_result(row, figures) for row in rows),
            warnings=tuple(BriefWarning("data", text) for text in warnings),
            words=words,
        )

    def find(self, slug: str) -> PartitionBrief | None:
        """The model of a partition."""
        return next((each for each in self.partitions if each.slug == slug), None)

    def first(self, count: int) -> list[PartitionBrief]:
        """The models to look at first: with the heaviest warnings, then with the most records that change."""
        moved = {each.slug: each.changes.moved if each.changes else 0 for each in self.partitions}
        return sorted(self.partitions, key=lambda each: (-each.weight, -moved[each.slug]))[:count]

    def short(self) -> ShortBrief:
        """What is stored with the request."""
        told = self.all_warnings
        return ShortBrief(
            verdict=self.verdict,
            changes=tuple(text[:_LONGEST] for text in self.three_changes),
            warnings=tuple(
                replace(each, text=each.text[:_LONGEST_KEPT], partition=each.partition[:80])
                for each in told[:_MOST_KEPT]
            ),
            warned=len(told),
            cost=self.cost,
        )


@dataclass(frozen=True)
class ShortBrief:
    """The brief as it is stored with the request, and told in the e-mail.

    Attributes:
        verdict: the release in one line; empty for requests of earlier versions.
        changes: what changes against what is live, in sentences.
        warnings: the heaviest ones.
        warned: how many warnings there are.
        cost: in sentences.
    """

    verdict: str = ""
    changes: tuple[str, ...] = ()
    warnings: tuple[BriefWarning, ...] = ()
    warned: int = 0
    cost: tuple[str, ...] = ()

    @classmethod
    def read(cls, document: Mapping[str, Any] | None) -> ShortBrief:
        """The reverse of ``dataclasses.asdict``; requests of earlier versions have none."""
        if not document:
            return cls()
        return cls(
            verdict=document["verdict"],
            changes=tuple(document["changes"]),
            warnings=tuple(BriefWarning(**row) for row in document["warnings"]),
            warned=document["warned"],
            cost=tuple(document["cost"]),
        )


def merge(
    shards: Sequence[Mapping[str, Any]], data_warnings: Sequence[str], cost: Sequence[str], words: Words
) -> Brief:
    """One brief of all shards.

    Args:
        shards: what EvaluateModel wrote for each.
        data_warnings: of the data-quality report.
        cost: in sentences.
        words: of the use case.
    """
    partitions = [PartitionBrief.read(row) for shard in shards for row in shard["partitions"]]
    return Brief(
        partitions=tuple(partitions),
        warnings=tuple(BriefWarning("data", text) for text in data_warnings),
        cost=tuple(cost),
        words=words,
    )
