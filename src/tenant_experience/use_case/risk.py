"""``risk:`` of ``use_case.yaml``: an event that may happen soon, and the plain count that a list of it must beat."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field, StringConstraints

from tenant_experience.settings_file import Settings
from tenant_experience.use_case.features import Name
from tenant_experience.use_case.labels import Days

# At each but the oldest cut-off, a regression is compared that learned at the one before.
ORIGINS = 3
CUT_OFFS = ORIGINS + 1


class Risk(Settings):
    """A list of the records by the probability that an event happens to them soon.

    Attributes:
        event: its name, which is part of the file's name too.
        where: SQL over one event, which such an event fulfils.
        within: how many days the list looks ahead.
        count: the features whose sum is the plain count that the list must beat.
        features: what the regression sees beside that sum; all numbers when left out.
    """

    event: Name
    where: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
    within: Days
    count: list[Name] = Field(min_length=1)
    features: list[Name] | None = Field(default=None, min_length=1)

    @property
    def words(self) -> str:
        """What texts call the event."""
        return self.event.replace("_", " ")

    def moments(self, as_of: datetime) -> list[datetime]:
        """The cut-offs, the oldest first: the days after each have passed when the next one comes."""
        return [as_of - timedelta(days=self.within * number) for number in range(CUT_OFFS, 0, -1)]

    def check(self, numbers: Collection[str]) -> None:
        """Refuses what are not features, or not numbers.

        Args:
            numbers: the features that are numbers.

        Raises:
            ValueError: names them.
        """
        for key, names in (("count", self.count), ("features", self.features or [])):
            if unknown := [name for name in names if name not in numbers]:
                raise ValueError(f"risk.{key} names {unknown}, which are not features that are numbers")
            if len(set(names)) < len(names):
                raise ValueError(f"risk.{key} names a feature twice")
