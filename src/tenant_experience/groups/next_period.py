"""``next_period.json``: from what is known of a tenant now to the probabilities of its label over the next period.

The next period has the same length as the one that was observed, and its label comes from the same rule. Only numpy and
pydantic, so that it also runs where models are served; ``backtest`` makes the document.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tenant_experience.data_layout import NEXT_PERIOD_FILE
from tenant_experience.errors import PlatformError
from tenant_experience.statistics.arrays import Floats

ProbabilityBasis = Literal["backtest", "one_snapshot"]
Share = Annotated[float, Field(ge=0, le=1)]
# Larger ones come from damage alone, and would overflow.
Weight = Annotated[float, Field(ge=-1e6, le=1e6)]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class ReliabilityBin(_Document):
    """A tenth of the probability scale, from ``low_end`` to ``high_end``, which is not empty.

    Attributes:
        low_end: see above.
        high_end: see above.
        tenants: how many were told such a probability.
        mean_probability: of these.
        share: how many of these were in the last group in the next period, with its 95% interval by Wilson.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    low_end: float
    high_end: float
    tenants: int
    mean_probability: float
    share: float
    low: float
    high: float


class ToldLess(_Document):
    """The tenants that were told less than ``limit``.

    Attributes:
        limit: of the probability.
        tenants: how many there were.
        came_true: how many of these were in the last group all the same.
        share: of these, with its 95% interval by Wilson; None when nobody was told so little.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    limit: float
    tenants: int
    came_true: int
    share: float | None
    low: float | None
    high: float | None


class Reliability(_Document):
    """How well probabilities of the last group came true.

    Attributes:
        calibration_error: the expected calibration error in tenths, without its bias (``statistics.reliability``), with
            its 95% interval.
        low: lower end of the interval.
        high: upper end of the interval.
        brier: the mean squared difference.
        log_loss: of all groups.
        bins: the reliability table.
        told_less: the tenants with a small probability.
    """

    calibration_error: float
    low: float
    high: float
    brier: float
    log_loss: float
    bins: tuple[ReliabilityBin, ...]
    told_less: ToldLess


class Pair(_Document):
    """Two periods, one after the other.

    Attributes:
        earlier: the end of the first one, ISO 8601, UTC.
        later: the end of the second one.
        tenants: those with enough history in both, and all markers known in the first.
        incomplete: those with enough history in both, whose markers were not all known in the first.
        worst: how many of ``tenants`` were in the last group in the second.
    """

    earlier: str
    later: str
    tenants: int
    incomplete: int
    worst: int


class Backtest(_Document):
    """What past periods of the same event log say of the published probabilities.

    Attributes:
        pairs: of periods, the latest last.
        tested_on: ``later_pair``: fitted on the earlier pair and tested on the later one; ``cross_fitted``: there is
            one pair, and each fifth of its tenants was tested with what was fitted on the others.
        tenants: how many were tested.
        worst: how many of these were in the last group in the next period.
        shrunk: whether redraws start from shrunk values (``shrinkage``).
        with_markers: whether the markers themselves are part of the recalibration, not only the share of redraws.
        as_redrawn: reliability without shrinking and without recalibration, on the same tenants.
        published: reliability of what is published.
    """

    pairs: tuple[Pair, ...]
    tested_on: Literal["later_pair", "cross_fitted"]
    tenants: int
    worst: int
    shrunk: bool
    with_markers: bool
    as_redrawn: Reliability
    published: Reliability


class Recalibration(_Document):
    """Multinomial logistic regression from a tenant's redraws, and its markers, to its group in the next period.

    Attributes:
        intercepts: of each group but the first.
        shares: of each group but the first, the weights of the log ratios of each share of redraws but the first to the
            first.
        markers: of each group but the first, the weights of the standardised markers and of whether one is unknown; no
            weights where they are no part of it.
    """

    intercepts: tuple[Weight, ...]
    shares: tuple[tuple[Weight, ...], ...]
    markers: tuple[tuple[Weight, ...], ...] = ()

    @model_validator(mode="after")
    def _a_row_for_each_group(self) -> Self:
        groups = len(self.intercepts)
        if len(self.shares) != groups or any(len(row) != groups for row in self.shares):
            raise ValueError(f"the weights of shares are not those of {groups + 1} groups")
        if self.markers and (len(self.markers) != groups or len({len(row) for row in self.markers}) != 1):
            raise ValueError(f"the weights of markers are not those of {groups + 1} groups")
        return self

    def apply(self, redrawn: Floats, markers: Floats) -> Floats:
        """(rows, groups) probabilities; ``markers`` as :meth:`NextPeriod.shares` takes them."""
        margins = np.asarray(self.intercepts) + log_ratios(redrawn) @ np.asarray(self.shares).T
        if self.markers:
            margins += with_unknown(markers) @ np.asarray(self.markers).T
        margins = np.column_stack([np.zeros(len(margins)), margins])
        odds = np.exp(margins - margins.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


def log_ratios(shares: Floats) -> Floats:
    """(rows, groups - 1) the logarithm of each share but the first, relative to the first. No share is 0."""
    logarithms = np.log(shares)
    return logarithms[:, 1:] - logarithms[:, :1]


def with_unknown(markers: Floats) -> Floats:
    """(rows, markers + 1) standardised markers, 0 where unknown, and whether one is unknown."""
    return np.column_stack([np.nan_to_num(markers), np.isnan(markers).any(axis=1)])


class NextPeriod(_Document):
    """The probabilities of each group over the next period.

    Attributes:
        format: the version of this document.
        basis: ``backtest`` when they were measured on past periods of the same event log, else ``one_snapshot``.
        recalibration: from redraws to probabilities; None where nothing was measured.
        persistence: of each group now, P(each group over the next period); empty: as it is now.
        backtest: what was measured; None with one snapshot.
    """

    format: Literal[1] = 1
    basis: ProbabilityBasis = "one_snapshot"
    recalibration: Recalibration | None = None
    persistence: tuple[tuple[Share, ...], ...] = ()
    backtest: Backtest | None = None

    @model_validator(mode="after")
    def _as_its_basis_says(self) -> Self:
        measured = self.basis == "backtest"
        if measured != (self.backtest is not None) or measured != (self.recalibration is not None):
            raise ValueError(f"the basis {self.basis} does not go with what was measured")
        return self

    def fits(self, groups: int, markers: int) -> bool:
        """Whether it is about so many groups and markers; with one snapshot it may be about any."""
        weights = self.recalibration
        if weights and len(weights.intercepts) != groups - 1:
            return False
        if weights and weights.markers and len(weights.markers[0]) != markers + 1:
            return False
        rows = self.persistence
        square = len(rows) == groups and all(len(row) == groups for row in rows)
        return not rows or (square and all(abs(sum(row) - 1) < 1e-6 for row in rows))

    def shares(self, redrawn: Floats, now: Floats, complete: NDArray[np.bool_], markers: Floats) -> Floats:
        """P(each group over the next period) of each tenant.

        Args:
            redrawn: (rows, groups) how often each tenant's redraws fall into each group (``uncertainty``); NaN where
                not ``complete``.
            now: (rows, groups) the classifier's P(own group), which decides where a marker is missing.
            complete: (rows,) whether everything that decides is known (``Grouping.complete``).
            markers: (rows, markers) standardised, NaN where unknown (``Grouping.standardised``).

        Returns:
            Shape (rows, groups), each row sums to 1.
        """
        known = redrawn if self.recalibration is None else self.recalibration.apply(redrawn, markers)
        unknown = now @ np.asarray(self.persistence) if self.persistence else now
        return np.where(complete[:, np.newaxis], known, unknown)

    def summary(self) -> dict[str, Any]:
        """The figures for an outcome."""
        if self.backtest is None:
            return {"basis": self.basis}
        return {
            "basis": self.basis,
            "tenants": self.backtest.tenants,
            "tested_on": self.backtest.tested_on,
            "calibration_error": self.backtest.published.calibration_error,
            "as_redrawn": self.backtest.as_redrawn.calibration_error,
        }

    def write(self, folder: Path) -> None:
        """Writes ``next_period.json`` into ``folder``, made when missing: same content, same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True, allow_nan=False)
        (folder / NEXT_PERIOD_FILE).write_text(text + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads ``next_period.json``; without the file, shares are answered as they are.

        Raises:
            PlatformError: ``next_period_file``, when the file cannot be read.
        """
        path = folder / NEXT_PERIOD_FILE
        if not path.is_file():
            return cls()
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise PlatformError(f"{path}: {error}", code="next_period_file") from error
