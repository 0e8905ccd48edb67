"""What matters about one model that is ready, and the warnings about it: the parts of a brief."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tenant_experience.release.partition_result import PartitionResult

# What a warning is about.
About = Literal["population", "data", "groups", "chance", "change", "fairness", "champion", "model"]
ABOUT: Mapping[About, str] = {
    "population": "Who is in it",
    "data": "The batch",  # a mail program may take "data:" for a link
    "groups": "Groups",
    "chance": "Chance",
    "change": "Share",
    "fairness": "Fairness",
    "champion": "Against what is live",
    "model": "Model",
}
# One that stands in the first line of the page; one to be read; one for completeness.
SERIOUS, PLAIN, MINOR = 3, 2, 1
FIRST: Literal["first"] = "first"
Verdict = Literal["better", "equal", "worse", "not_comparable", "first", "unknown"]
VERDICTS: Mapping[Verdict, str] = {
    "better": "Better than what is live",
    "equal": "As good as what is live",
    "worse": "Worse than what is live",
    "not_comparable": "Cannot be compared with what is live",
    "first": "Nothing is live to compare with",
    "unknown": "The report says how it compares with what is live",
}


@dataclass(frozen=True)
class BriefWarning:
    """What speaks against the release, in sentences.

    Attributes:
        about: what it is about.
        text: the sentences.
        weight: ``SERIOUS``, ``PLAIN`` or ``MINOR``.
        slug: the partition it is about; empty for the whole release.
        partition: the same by its name.
    """

    about: About
    text: str
    weight: int = PLAIN
    slug: str = ""
    partition: str = ""


@dataclass(frozen=True)
class Share:
    """The share in the worst group.

    Attributes:
        label: what the group is called.
        now: the share in this release.
        before: in the release that is live, by the same rule; None where no rule is the same.
        text: the comparison in a sentence; empty without one.
    """

    label: str
    now: float
    before: float | None = None
    text: str = ""


@dataclass(frozen=True)
class Direction:
    """Records that change group in one direction.

    Attributes:
        before: the group that the live release says.
        now: the group that this release says.
        records: how many there are.
        file: of the list of them, below ``changes/<slug>/``.
    """

    before: str
    now: str
    records: int
    file: str


@dataclass(frozen=True)
class Changes:
    """Who changes group since the live release.

    Attributes:
        known: records that both releases know.
        moved: those of them that change.
        by_data: moved by their own figures.
        by_model: moved by the new rule.
        new: only this release knows them.
        gone: only the live release knows them.
        directions: those towards the worst group first.
    """

    known: int
    moved: int
    by_data: int
    by_model: int
    new: int
    gone: int
    directions: tuple[Direction, ...] = ()


@dataclass(frozen=True)
class PartitionBrief:
    """What matters about one model that is ready.

    Attributes:
        partition: its name, as in the data.
        slug: the name in keys.
        shard: the shard that it was trained in.
        records: how many there are; None where that is not known.
        verdict: of the comparison with the live model.
        champion: that comparison, with its interval, in sentences.
        figures: the measures of the model, each as a person reads it.
        share: of the worst group; None where there is none.
        changes: who changes group; None where that is not known.
        warnings: of this model.
        notes: what is good to know besides, in sentences.
        gates: how many gates the model has passed.
        compared_with: the version of the live model that it was compared with; empty for none.
    """

    partition: str
    slug: str
    shard: int
    verdict: Verdict = FIRST
    champion: str = ""
    records: int | None = None
    figures: tuple[str, ...] = ()
    share: Share | None = None
    changes: Changes | None = None
    warnings: tuple[BriefWarning, ...] = ()
    notes: tuple[str, ...] = ()
    gates: int = 0
    compared_with: str = ""

    @property
    def weight(self) -> int:
        """Of its heaviest warning; 0 without one."""
        return max((warning.weight for warning in self.warnings), default=0)

    @property
    def verdict_text(self) -> str:
        """The comparison in a few words."""
        return VERDICTS[self.verdict]

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> PartitionBrief:
        """The reverse of ``dataclasses.asdict``."""
        changes = document.get("changes")
        directions = tuple(Direction(**row) for row in changes["directions"]) if changes else ()
        return cls(
            **{
                **document,
                "figures": tuple(document.get("figures", ())),
                "share": Share(**document["share"]) if document.get("share") else None,
                "changes": Changes(**{**changes, "directions": directions}) if changes else None,
                "warnings": tuple(BriefWarning(**row) for row in document.get("warnings", ())),
                "notes": tuple(document.get("notes", ())),
            }
        )

    @classmethod
    def of_result(cls, row: PartitionResult, figures: Mapping[str, str]) -> PartitionBrief:
        """From what an earlier version of EvaluateModel told of a model."""
        notes = (*filter(None, [row.validation]), *row.notes)
        return cls(
            partition=row.partition,
            slug=row.slug,
            shard=row.shard,
            verdict="unknown",
            records=row.tenants,
            figures=tuple(f"{title} {row.figure(name)}" for name, title in figures.items() if name in row.metrics),
            share=None if row.bad_share is None else Share("bad", row.bad_share),
            notes=notes,
        )
