"""``outcomes:`` of ``use_case.yaml``: what became of tenants, as told by somebody else than the events.

No published answer is trained on outcomes. They show what the published answers are worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from tenant_experience.settings_file import Settings
from tenant_experience.use_case.features import Name

# The columns of an outcome beside the tenant's id; the last one only where a kind is a score.
OUTCOME_COLUMNS = ("happened_at", "kind")
SCORE_COLUMN = "value"


class OutcomeKind(Settings):
    """One kind of outcome: something that happens to a tenant, or a score that a tenant gives.

    Attributes:
        bad: of something that happens: whether it is bad that it happens.
        against: the kind of the other ending, which is bad if this one is not; only tenants with one of the two are
            compared. Without it, those to whom this happened are compared with all others.
        bad_up_to: of a score: it is bad up to here.
        bad_from: of a score where more is worse: it is bad from here on.
        minimum: a row with a lower score is quarantined.
        maximum: a row with a higher score is quarantined.
        words: what texts call several of them; its name when left out.
    """

    bad: bool | None = None
    against: Name | None = None
    bad_up_to: float | None = Field(default=None, allow_inf_nan=False)
    bad_from: float | None = Field(default=None, allow_inf_nan=False)
    minimum: float | None = Field(default=None, allow_inf_nan=False)
    maximum: float | None = Field(default=None, allow_inf_nan=False)
    words: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None

    @property
    def is_score(self) -> bool:
        """Whether its rows have a value."""
        return self.bad is None

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        given = [name for name in ("bad", "bad_up_to", "bad_from") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "a kind of outcome needs exactly one of bad (true or false: something that happens), bad_up_to and "
                f"bad_from (a number: a score), not {given or 'none'}"
            )
        if self.is_score and self.against is not None:
            raise ValueError("against is for something that happens; a score has a value for both endings")
        limits = [name for name in ("minimum", "maximum") if getattr(self, name) is not None]
        if not self.is_score and limits:
            raise ValueError(f"{limits[0]} is for a score; something that happens has no value")
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise ValueError("minimum < maximum must hold")
        if not self._can_be_both():
            raise ValueError("the limit of a bad score must leave good scores and bad ones between minimum and maximum")
        return self

    def _can_be_both(self) -> bool:
        low, high = (-float("inf") if self.minimum is None else self.minimum), self.maximum
        high = float("inf") if high is None else high
        if self.bad_up_to is not None:
            return low <= self.bad_up_to < high
        return self.bad_from is None or low < self.bad_from <= high


class Outcomes(Settings):
    """The outcomes of a use case.

    Attributes:
        source: the source (``kind: outcomes``) of a batch whose manifest.json names none.
        kinds: what each kind means, by the name that rows have in their column ``kind``.
    """

    source: Name = "outcomes"
    kinds: Mapping[Name, OutcomeKind] = Field(min_length=1)

    @model_validator(mode="after")
    def _against_another_ending(self) -> Self:
        for name, kind in self.kinds.items():
            other = self.kinds.get(kind.against) if kind.against else None
            if kind.against and (other is None or other.is_score or other.bad == kind.bad):
                raise ValueError(
                    f"kinds.{name}.against names {kind.against!r}, which must be another kind that happens, and be "
                    f"{'good' if kind.bad else 'bad'} (bad: {str(not kind.bad).lower()})"
                )
        return self

    def words(self, kind: str) -> str:
        """What texts call several outcomes of a kind."""
        return self.kinds[kind].words or kind.replace("_", " ")
