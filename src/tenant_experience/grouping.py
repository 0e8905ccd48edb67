"""``grouping.json``: all it takes to say of a new tenant, by the same rule, which group it belongs to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tenant_experience.data_layout import GROUPING_FILE
from tenant_experience.errors import PlatformError
from tenant_experience.feature_table import FeatureTable
from tenant_experience.labelling import Floats, impute
from tenant_experience.use_case import Noise

Transform = Literal["log1p", "none"]


def transformed(values: Floats, transform: Transform) -> Floats:
    """log1p of counts and hours, whose tails are long; rates as they are. Values are not negative."""
    return np.log1p(values) if transform == "log1p" else values


class FittedMarker(BaseModel):
    """One marker as the groups were found on it; figures are of the transformed values of the fit.

    Attributes:
        name: the feature.
        direction: +1 when more is worse, -1 when more is better.
        transform: what is done to the raw value first.
        median: stands in for a missing value.
        mean: taken off, in standardising.
        deviation: divided by, in standardising; never 0.
        good: the centroid of the good group, standardised.
        bad: the centroid of the bad group, standardised.
        probability_worse: P(a tenant of the bad group is worse off on it), ties half.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    direction: Literal[-1, 1]
    transform: Transform
    median: float
    mean: float
    deviation: float
    good: float
    bad: float
    probability_worse: float


class Grouping(BaseModel):
    """The rule and how it was found.

    Attributes:
        format: the version of this document.
        partition: whom it is for; ``slug`` is the same, spelled for keys.
        version: the release that found it.
        scale: ``global`` when portfolios may be compared by it, else ``local``.
        as_of: the moment its features describe.
        classes: names of the groups, from the best off to the worst off.
        markers: what decides.
        noise: how markers would differ if the year happened again, of those for which it is known.
        left_out: markers that could not take part, each with the reason.
        checks: P(worse) of features that had no say, None where one group has no value.
        fitted_tenants: how many tenants it was found on.
        fitted_bad: how many of these fell into the bad group.
        mean_scores: mean score s of each group, by which it got its name.
        explained_variance: share of the standardised variance that lies between the groups.
        iterations: of KMeans, until no tenant changed its group.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    partition: str
    slug: str
    version: str
    scale: Literal["global", "local"]
    as_of: str
    classes: tuple[str, ...] = ("good", "bad")
    markers: tuple[FittedMarker, ...]
    noise: dict[str, Noise] = Field(default_factory=dict)
    left_out: dict[str, str]
    checks: dict[str, float | None]
    fitted_tenants: int
    fitted_bad: int
    mean_scores: dict[str, float]
    explained_variance: float
    iterations: int

    def assign(self, table: FeatureTable) -> NDArray[np.bool_]:
        """Whether each tenant is of the bad group: the nearer centroid decides, good when both are as near."""
        return self.assign_values(table.matrix([marker.name for marker in self.markers]))

    def assign_values(self, raw: Floats) -> NDArray[np.bool_]:
        """The same of values alone, shape (rows, markers), in the order of ``markers``, NaN = missing."""
        columns = [transformed(raw[:, place], marker.transform) for place, marker in enumerate(self.markers)]
        filled = impute(np.stack(columns).T, self._figures("median"))
        standardised = (filled - self._figures("mean")) / self._figures("deviation")
        to_good = ((standardised - self._figures("good")) ** 2).sum(axis=1)
        to_bad = ((standardised - self._figures("bad")) ** 2).sum(axis=1)
        return to_bad < to_good  # type: ignore[no-any-return]

    def write(self, folder: Path) -> None:
        """Writes ``grouping.json`` into ``folder``, made when missing: same content, same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True, allow_nan=False)
        (folder / GROUPING_FILE).write_text(text + "\n")

    @classmethod
    def read(cls, folder: Path) -> Grouping:
        """Reads ``grouping.json``.

        Raises:
            PlatformError: ``grouping_file``, when it is not one of ours.
        """
        try:
            return cls.model_validate_json((folder / GROUPING_FILE).read_bytes())
        except ValidationError as error:
            raise PlatformError(f"{folder / GROUPING_FILE}: {error}", code="grouping_file") from error

    def _figures(self, name: str) -> Floats:
        return np.array([getattr(marker, name) for marker in self.markers])
