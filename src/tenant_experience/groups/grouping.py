"""``grouping.json``: everything needed to put a new tenant into a group by the same rule."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tenant_experience.data_layout import GROUPING_FILE
from tenant_experience.errors import PlatformError
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups._rule import GroupRule, Mixture, Space
from tenant_experience.groups.shrinkage import Prior
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.transforms import Transform, transformed
from tenant_experience.use_case.features import Noise


class FittedMarker(BaseModel):
    """One marker of the groups. Its figures are of the transformed values that the groups were fitted on.

    Attributes:
        name: the feature.
        direction: +1 when more is worse, -1 when more is better.
        transform: what is done to the raw value first.
        median: stands in for a missing value.
        mean: is subtracted in standardising.
        deviation: divides in standardising; never 0.
        centroids: of each group, standardised, from the best off to the worst off.
        variances: of each group, standardised, when groups are a Gaussian mixture; else empty.
        pairs: of each two neighbouring groups, P(a tenant of the worse one is worse off on it), ties half.
        probability_worse: the least of ``pairs``.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    direction: Literal[-1, 1]
    transform: Transform
    median: float
    mean: float
    deviation: float
    centroids: tuple[float, ...]
    variances: tuple[float, ...] = ()
    pairs: tuple[float, ...] = ()
    probability_worse: float

    @model_validator(mode="before")
    @classmethod
    def _of_two_groups(cls, data: Any) -> Any:
        """Documents of the first releases named the two centroids."""
        if isinstance(data, dict) and "centroids" not in data and {"good", "bad"} <= data.keys():
            return data | {"centroids": (data["good"], data["bad"]), "pairs": (data["probability_worse"],)}
        return data


class Stability(BaseModel):
    """How alike the groups of refits on redrawn tenants are: the adjusted Rand index, 1 for the same groups.

    Attributes:
        ari_median: half of the refits agree at least this well.
        ari_minimum: the worst of them.
        refits: how many there were.
    """

    model_config = ConfigDict(frozen=True)

    ari_median: float
    ari_minimum: float
    refits: int


class OtherNumber(BaseModel):
    """The same tenants in another number of groups, which stands out more from a continuum than the chosen one.

    Attributes:
        sizes: how many tenants of the sample fell into each group, from the best off to the worst off.
        explained_variance: share of the standardised variance of the sample that lies between the groups.
        copula_variance: the same of data with the same margins and correlations, but without groups.
        chosen_excess: by how much the chosen number of groups explains more than such data does.
        split: of each of these groups, the share that the chosen groups count as the worst off.
    """

    model_config = ConfigDict(frozen=True)

    sizes: tuple[int, ...]
    explained_variance: float
    copula_variance: float
    chosen_excess: float
    split: tuple[float, ...]


class HeldRule(BaseModel):
    """What a release that did not find its own groups knows about the earlier ones, from its training part.

    Attributes:
        how: ``kept`` from the live release, or ``inherited`` from another release or a file.
        tenants: of the training part.
        sizes: how many of these are in each group.
        probability_worse: of each marker, the least P(worse) over neighbouring groups; None where it is unknown.
        explained_variance: share of the standardised variance that lies between the groups.
        permuted_variance: the largest such share of 20 tables with columns shuffled one by one.
    """

    model_config = ConfigDict(frozen=True)

    how: Literal["kept", "inherited"]
    tenants: int
    sizes: tuple[int, ...]
    probability_worse: dict[str, float | None]
    explained_variance: float
    permuted_variance: float


Scale = Literal["global", "local", "inherited"]


class Grouping(BaseModel):
    """The rule, and how it was found.

    Attributes:
        format: the version of this document.
        partition: the partition it is for; ``slug`` is its name in keys.
        version: the release that found it.
        scale: ``global`` when portfolios may be compared by it, else ``local``; ``inherited`` when the rule was found
            on other tenants.
        as_of: the moment its features describe.
        method: how groups were found; a Gaussian mixture also takes tenants by its own rule.
        classes: names of the groups, from the best off to the worst off.
        markers: what decides.
        noise: how markers would differ if the year happened again, of those for which it is known.
        priors: what tenants are like as a whole, of noisy markers; what is seen of one tenant is shrunk towards it.
        window_days: how long a period is.
        weights: of the groups of a Gaussian mixture; else empty.
        left_out: markers that could not take part, each with the reason.
        checks: P(worse) of features that had no say, the least over neighbouring groups, None where one of two groups
            has no value.
        fitted_tenants: how many tenants it was found on.
        fitted_bad: how many of these fell into the last group.
        sizes: how many fell into each group.
        mean_scores: mean score s of each group, by which it got its name.
        explained_variance: share of the standardised variance that lies between the groups.
        iterations: of the method, until it came to rest.
        stability: refits on redrawn tenants.
        permuted_variance: the largest explained variance of refits on columns shuffled one by one.
        copula_variance: explained variance of data with the same margins and correlations, but without groups.
        other_number: two groups for three, or three for two, when these clearly fit better; else None.
        service_auc: how well the service features alone separate the last group from the others; None when unknown.
        held: for a rule that an earlier release found; None when this release found it.
        warnings: what the approver should know about these groups, in sentences.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    partition: str
    slug: str
    version: str
    scale: Scale
    as_of: str
    method: Literal["kmeans", "gaussian_mixture", "ward"] = "kmeans"
    classes: tuple[str, ...] = ("good", "bad")
    markers: tuple[FittedMarker, ...]
    weights: tuple[float, ...] = ()
    noise: dict[str, Noise] = Field(default_factory=dict)
    priors: dict[str, Prior] = Field(default_factory=dict)
    window_days: int = Field(default=365, ge=1, le=3_650)
    left_out: dict[str, str]
    checks: dict[str, float | None]
    fitted_tenants: int
    fitted_bad: int
    sizes: tuple[int, ...] = ()
    mean_scores: dict[str, float]
    explained_variance: float
    iterations: int
    stability: Stability | None = None
    permuted_variance: float | None = None
    copula_variance: float | None = None
    other_number: OtherNumber | None = None
    service_auc: float | None = None
    held: HeldRule | None = None
    warnings: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _a_figure_for_each_group(self) -> Self:
        if len(self.classes) < 2 or len(set(self.classes)) != len(self.classes) or not self.markers:
            raise ValueError(f"{len(self.markers)} markers and the groups {self.classes} make no rule")
        groups = len(self.classes)
        for marker in self.markers:
            if len(marker.centroids) != groups or len(marker.variances) != (groups if self.weights else 0):
                raise ValueError(f"marker {marker.name!r} does not have a figure for each of {groups} groups")
        if self.weights and len(self.weights) != groups:
            raise ValueError(f"there are {len(self.weights)} weights for {groups} groups")
        return self

    @property
    def rule(self) -> GroupRule:
        """The rule as arrays; its columns are ``markers``, transformed."""
        mixture = Mixture(np.array(self.weights), self._figures("variances").T) if self.weights else None
        space = Space(self._figures("median"), self._figures("mean"), self._figures("deviation"))
        return GroupRule(space, self._figures("centroids").T, mixture)

    def assign(self, table: FeatureTable) -> Floats:
        """The number of each tenant's group, shape (tenants,): 0 is the best off; of two as near, the better one."""
        return self.assign_values(table.matrix([marker.name for marker in self.markers]))

    def assign_values(self, raw: Floats) -> Floats:
        """The same of values alone, shape (rows, markers), in the order of ``markers``, NaN = missing."""
        return self.rule.assign(self._transformed(raw))

    def reasons(self, raw: Floats, group: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """What each marker adds to a tenant's group, exactly: the sum is positive where the rule says ``group``.

        Args:
            raw: (rows, markers) in the order of ``markers``, none missing.
            group: (rows,) the number of each tenant's group.

        Returns:
            Of two groups, what speaks for the worse one rather than the better one, whatever ``group`` is; of several,
            what speaks for ``group`` rather than for the one that would take the tenant next. By marker,
            (rows, markers), and what no marker adds, (rows,): a mixture prefers the larger group.
        """
        rule = self.rule
        standardised = rule.space.standardise(self._transformed(raw))
        if len(self.classes) == 2:
            return rule.advantage(standardised, np.ones_like(group), np.zeros_like(group))
        return rule.advantage(standardised, group, rule.runner_up(standardised, group))

    def standardised(self, raw: Floats) -> Floats:
        """(rows, markers) values in the order of ``markers`` as the rule compares them, NaN where unknown."""
        return (self._transformed(raw) - self._figures("mean")) / self._figures("deviation")

    def complete(self, values: Mapping[str, Floats]) -> NDArray[np.bool_]:
        """(rows,) whether everything is known that decides, by which the rule's group is the tenant's own.

        A mean or a rate without a value is known as well when the counts that it would be computed from are known to
        be 0: there was nothing to measure. The rule's median is then right, and nothing was hidden.

        Args:
            values: feature -> value of each tenant, NaN = missing. A count that is not there is 0 for all tenants: no
                model reads it.
        """
        known = np.ones(len(values[self.markers[0].name]), dtype=bool)
        for name in (marker.name for marker in self.markers):
            of = [values[count] for count in self.noise[name].of if count in values] if name in self.noise else []
            nothing = np.all([count == 0 for count in of], axis=0) if of else False
            known &= ~np.isnan(values[name]) | nothing
        return known

    def write(self, folder: Path) -> None:
        """Writes ``grouping.json`` into ``folder``, made when missing: same content, same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True, allow_nan=False)
        (folder / GROUPING_FILE).write_text(text + "\n")

    @classmethod
    def read(cls, folder: Path) -> Grouping:
        """Reads ``grouping.json``.

        Raises:
            PlatformError: ``grouping_file``, when the file cannot be read.
        """
        try:
            return cls.model_validate_json((folder / GROUPING_FILE).read_bytes())
        except ValidationError as error:
            raise PlatformError(f"{folder / GROUPING_FILE}: {error}", code="grouping_file") from error

    def _transformed(self, raw: Floats) -> Floats:
        return np.stack([transformed(raw[:, place], marker.transform) for place, marker in enumerate(self.markers)]).T

    def _figures(self, name: str) -> Floats:
        return np.array([getattr(marker, name) for marker in self.markers])
