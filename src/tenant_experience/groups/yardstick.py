"""``yardstick.json``: the share of tenants in the worst group by a rule that does not change, release after release.

Groups that are found anew always split the tenants about the same way, so when everybody fares worse, their share of
bad does not show it. The rule of the live release, applied to this release's tenants, does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tenant_experience.data_layout import YARDSTICK_FILE
from tenant_experience.features.table import INSUFFICIENT, FeatureTable
from tenant_experience.groups.grouping import Grouping
from tenant_experience.statistics.intervals import wilson_interval
from tenant_experience.use_case.words import Words

# Two years of monthly releases.
MOST_ROWS = 24
# Nothing is said of portfolios with fewer tenants.
LEAST_TENANTS = 30
_MOST_NAMED = 3
Direction = Literal["more", "fewer", "unclear"]


class GroupShare(BaseModel):
    """How many tenants there are, and how many of them are in the worst group."""

    model_config = ConfigDict(frozen=True)

    tenants: int = Field(ge=1)
    bad: int = Field(ge=0)

    @property
    def share(self) -> float:
        """The share in the worst group."""
        return self.bad / self.tenants

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95% interval."""
        return wilson_interval(self.bad, self.tenants)


class YardstickRow(BaseModel):
    """One release by one rule.

    Attributes:
        release: whose tenants.
        as_of: the moment that its features describe.
        rule: the release that found the rule.
        whole: all tenants with enough history.
        portfolios: the same for each portfolio with at least 30 of them.
    """

    model_config = ConfigDict(frozen=True)

    release: str
    as_of: str
    rule: str
    whole: GroupShare
    portfolios: dict[str, GroupShare] = Field(default_factory=dict)


class ShareChange(BaseModel):
    """A share by the same rule in two releases, with the 95% interval of the difference (Newcombe, 1998).

    Attributes:
        before: in the earlier release.
        now: in this one.
        difference: now - before.
        low: lower end of its interval.
        high: upper end.
    """

    model_config = ConfigDict(frozen=True)

    before: GroupShare
    now: GroupShare
    difference: float
    low: float
    high: float

    @classmethod
    def between(cls, before: GroupShare, now: GroupShare) -> ShareChange:
        """The change, with tenants of the two releases taken as independent, which is cautious."""
        difference = now.share - before.share
        (then_low, then_high), (now_low, now_high) = before.interval, now.interval
        return cls(
            before=before,
            now=now,
            difference=difference,
            low=difference - math.hypot(now.share - now_low, then_high - before.share),
            high=difference + math.hypot(now_high - now.share, before.share - then_low),
        )

    @property
    def towards_0(self) -> float:
        """How far the interval reaches from the difference towards no difference."""
        return self.difference - self.low if self.difference > 0 else self.high - self.difference

    @property
    def direction(self) -> Direction:
        """Whether more or fewer tenants are in the worst group; ``unclear`` when the interval holds 0."""
        if self.low > 0:
            return "more"
        return "fewer" if self.high < 0 else "unclear"


class Yardstick(BaseModel):
    """This release by the rule of the live release, and the releases before it by theirs.

    Attributes:
        label: the name of the worst group.
        own: this release by its own rule.
        frozen: this release by the rule of the live release; None when nothing is live, or when its rule cannot decide
            about these tenants. The same as ``own`` when the rule is kept.
        history: earlier releases, each by the rule it was released with, the oldest first.
    """

    model_config = ConfigDict(frozen=True)

    label: str
    own: YardstickRow
    frozen: YardstickRow | None = None
    history: tuple[YardstickRow, ...] = ()

    @property
    def before(self) -> YardstickRow | None:
        """The latest release by the frozen rule."""
        rule = self.frozen and self.frozen.rule
        return next((row for row in reversed(self.history) if row.rule == rule), None)

    @property
    def change(self) -> ShareChange | None:
        """Of all tenants, since the live release."""
        if self.frozen is None or self.before is None:
            return None
        return ShareChange.between(self.before.whole, self.frozen.whole)

    @property
    def portfolio_changes(self) -> dict[str, ShareChange]:
        """Of each portfolio that both releases have."""
        if self.frozen is None or self.before is None:
            return {}
        then = self.before.portfolios
        return {
            name: ShareChange.between(then[name], share)
            for name, share in self.frozen.portfolios.items()
            if name in then
        }

    def sentences(self, words: Words) -> Iterator[str]:
        """What the approver should know, the whole first."""
        frozen, before, change = self.frozen, self.before, self.change
        if frozen is None or before is None or change is None:
            return
        comparison = {
            "more": f"Surely more {words.records} are {self.label} than in release {before.release}",
            "fewer": f"Surely fewer {words.records} are {self.label} than in release {before.release}",
            "unclear": f"The share of {self.label} has not clearly changed since release {before.release}",
        }[change.direction]
        found_anew = (
            ""
            if self.own.rule == frozen.rule
            else f" The groups that this release found anew call {self.own.whole.share:.1%} {self.label}: with them, a "
            "change of everybody cannot be seen."
        )
        yield (
            f"{comparison}, by the same rule (that of release {frozen.rule}): "
            f"{_told(change.before)} then, {_told(change.now)} now, a difference of {_points(change)}.{found_anew}"
        )
        yield from self._portfolio_sentence(words)

    def _portfolio_sentence(self, words: Words) -> Iterator[str]:
        changes = self.portfolio_changes
        # With many portfolios some intervals miss 0 by chance, so they are widened for their number (Bonferroni).
        wider = _normal_quantile(1 - 0.025 / max(len(changes), 1)) / _normal_quantile(0.975)
        clear = {name: change for name, change in changes.items() if abs(change.difference) > wider * change.towards_0}
        worse = sorted((change.difference, name) for name, change in clear.items() if change.difference > 0)[::-1]
        better = len(clear) - len(worse)
        if not clear or len(changes) < 2:
            return
        named = "; ".join(
            f"{name} from {clear[name].before.share:.0%} to {clear[name].now.share:.0%}"
            for _, name in worse[:_MOST_NAMED]
        )
        yield (
            f"Of {len(changes)} {words.partitions}, {len(worse)} have surely more {words.records} that are "
            f"{self.label}, and {better} surely fewer{f': {named}' if named else ''}."
        )

    def write(self, folder: Path) -> None:
        """Writes ``yardstick.json`` into ``folder``: same content, same bytes."""
        (folder / YARDSTICK_FILE).write_text(self.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Yardstick | None:
        """Reads ``yardstick.json``; None when there is none that this version understands."""
        try:
            return cls.model_validate_json((folder / YARDSTICK_FILE).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None


def measure(
    table: FeatureTable, release: str, own: Grouping, live: Grouping | None, earlier: Yardstick | None
) -> Yardstick:
    """This release by both rules.

    Args:
        table: the partition's tenants.
        release: this one.
        own: the rule that it uses.
        live: the rule of the live release, when it can decide about these tenants.
        earlier: the yardstick of the live release.
    """
    table = table.take(table.history != INSUFFICIENT)
    mine = _row(table, release, own)
    frozen = None if live is None else mine if live.version == own.version else _row(table, release, live)
    history = () if earlier is None else (*earlier.history, earlier.own)
    return Yardstick(label=own.classes[-1], own=mine, frozen=frozen, history=history[-MOST_ROWS:])


def _row(table: FeatureTable, release: str, rule: Grouping) -> YardstickRow:
    bad = rule.assign(table) == len(rule.classes) - 1
    names, place = np.unique(table.portfolio_id, return_inverse=True)
    tenants, worst = np.bincount(place, minlength=len(names)), np.bincount(place[bad], minlength=len(names))
    return YardstickRow(
        release=release,
        as_of=table.as_of,
        rule=rule.version,
        whole=GroupShare(tenants=len(table), bad=int(bad.sum())),
        portfolios={
            name: GroupShare(tenants=total, bad=count)
            for name, total, count in zip(names.tolist(), tenants.tolist(), worst.tolist(), strict=True)
            if total >= LEAST_TENANTS
        },
    )


def _told(share: GroupShare) -> str:
    low, high = share.interval
    return f"{share.share:.1%} ({low:.1%} to {high:.1%})"


def _points(change: ShareChange) -> str:
    return f"{100 * change.difference:+.1f} points ({100 * change.low:+.1f} to {100 * change.high:+.1f})"


def _normal_quantile(probability: float) -> float:
    return NormalDist().inv_cdf(probability)
