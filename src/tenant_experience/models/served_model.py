"""What is answered about a tenant: by the endpoint, and by the evaluation that says how good these answers are.

Where labels come from a column, the classifier answers. Where they come from groups, there are two statements
(decision 24):

- ``experience`` is the group that the tenant is in now. Where all markers are known, the rule of the groups decides,
  exactly; where one is missing, the classifier does, which was trained with features hidden. A mean of nothing is not
  missing (``Grouping.complete``).
- ``probability`` is about the next period (``groups.next_period``). It starts from how often the tenant would fall into
  each group if its year happened again (``groups.uncertainty``); where a marker is missing, from the classifier.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tenant_experience.data_layout import GROUPING_FILE, NEXT_PERIOD_FILE
from tenant_experience.errors import UserError
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.next_period import NextPeriod
from tenant_experience.groups.uncertainty import group_shares
from tenant_experience.models.scoring import Scorer
from tenant_experience.models.validation import Validation
from tenant_experience.prediction_status import PredictionStatus
from tenant_experience.statistics.arrays import Floats

Values = NDArray[np.float32] | Floats
LabelBasis = Literal["rule", "model"]
Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class Redraws:
    """How often tenants would be in each group.

    Attributes:
        values: (rows, columns) all that redraws depend on but the exposure.
        shares: (rows, groups) NaN where the rule does not decide.
    """

    values: Values
    shares: Floats

    def take(self, rows: NDArray[Any]) -> Redraws:
        """Those of some tenants."""
        return Redraws(self.values[rows], self.shares[rows])


@dataclass(frozen=True)
class Published:
    """The answers to some tenants as arrays, an entry per tenant. Where ``known`` is False, they mean nothing.

    Attributes:
        outputs: (rows,) the published probability of the positive label, or the number; (rows, labels) of each label.
        label: (rows,) the number of the published label; None for numbers.
        own: as ``outputs``, of the classifier: where labels come from groups, P(the tenant's group now).
        by_rule: (rows,) whether the rule of the groups decided the label, and not the classifier.
        known: (rows,) whether anything that decides is known.
        redraws: what ``outputs`` start from where the rule decides; None where labels come from a column.
        level_known: (rows,) whether a level of the tenant's own partition was added; None for models without levels.
    """

    outputs: Floats
    label: Numbers | None
    own: Floats
    by_rule: NDArray[np.bool_]
    known: NDArray[np.bool_]
    redraws: Redraws | None = None
    level_known: NDArray[np.bool_] | None = None

    def take(self, rows: NDArray[Any]) -> Published:
        """Those of some tenants."""
        return Published(
            self.outputs[rows],
            None if self.label is None else self.label[rows],
            self.own[rows],
            self.by_rule[rows],
            self.known[rows],
            None if self.redraws is None else self.redraws.take(rows),
            None if self.level_known is None else self.level_known[rows],
        )


@dataclass(frozen=True)
class Reasons:
    """Why tenants have their labels, an entry per tenant.

    Attributes:
        label: (rows,) the number of the label that positive contributions speak for: of two labels the positive one,
            of several the published one; None for numbers.
        contributions: (rows, features) what each feature of the model adds. Where the rule decided, its exact parts:
            0 for a feature that is no marker. Else the classifier's contributions (SHAP values).
        baseline: (rows,) what no feature adds. Together with the contributions it is above 0 for ``label``, and below
            for another one.
    """

    label: Numbers | None
    contributions: Floats
    baseline: Floats


@dataclass(frozen=True)
class ServedModel:
    """A model, the rule of the groups it was taught where labels come from groups, and how it was validated."""

    scorer: Scorer
    grouping: Grouping | None = None
    next_period: NextPeriod = field(default_factory=NextPeriod)
    validation: Validation = field(default_factory=Validation)

    @classmethod
    def load(cls, folder: Path) -> ServedModel:
        """Reads what an archive holds.

        Raises:
            UserError: as ``Scorer.load``, and ``model_features`` when the model does not read what groups are found on.
            PlatformError: ``grouping_file``, ``next_period_file``, ``validation_file``.
        """
        scorer, validation = Scorer.load(folder), Validation.read(folder)
        if not (folder / GROUPING_FILE).is_file():
            return cls(scorer, validation=validation)
        grouping = Grouping.read(folder)
        missing = [marker.name for marker in grouping.markers if marker.name not in scorer.encoding.columns]
        if missing or grouping.classes != scorer.manifest.labels:
            raise UserError(
                f"{folder}: {GROUPING_FILE} has the groups {grouping.classes} and the model the labels "
                f"{scorer.manifest.labels}; it lacks {missing or 'no feature'}: they are from different releases",
                code="model_features",
            )
        next_period = NextPeriod.read(folder)
        if not next_period.fits(len(grouping.classes), len(grouping.markers)):
            raise UserError(
                f"{folder}: {NEXT_PERIOD_FILE} is not about the {len(grouping.classes)} groups and "
                f"{len(grouping.markers)} markers of {GROUPING_FILE}: they are from different releases",
                code="model_features",
            )
        return cls(scorer, grouping, next_period, validation)

    def publish(
        self, values: Values, exposure_days: Floats | None = None, earlier: Published | None = None
    ) -> Published:
        """The only way to an answer. A row is answered alike alone and among others.

        Args:
            values: (rows, columns) as ``Encoding`` arranges them, NaN = missing. A model sees 32-bit numbers, and so
                does the rule, so that answers are the same however values came.
            exposure_days: (rows,) days each tenant was seen, NaN where unknown; matters for groups only.
            earlier: what was published about the same tenants with other values. Redrawing takes most of the time, so
                a tenant for which nothing that it depends on has changed is not redrawn.
        """
        matrix = values.astype(np.float32, copy=False)
        own = self.scorer.outputs(matrix)
        if self.grouping is None:
            label = None if self.scorer.manifest.task == "regression" else self.scorer.classes(own)
            known = _any_known(self.scorer.features(matrix))
            return Published(own, label, own, np.zeros(len(own), dtype=bool), known, None, self._level_known(matrix))
        label, complete = self._groups(self.grouping, matrix, own)
        redraws = self._redraws(self.grouping, matrix, exposure_days, complete, earlier.redraws if earlier else None)
        markers = matrix[:, self._marker_columns].astype(np.float64)
        standardised = self.grouping.standardised(markers)
        shares = self.next_period.shares(redraws.shares, _by_label(own), complete, standardised)
        known = _any_known(markers)
        return Published(shares if own.ndim == 2 else shares[:, -1], label, own, complete, known, redraws)

    def labels(self, values: Values) -> Numbers:
        """(rows,) the number of the label that ``publish`` finds, without what takes most of its time."""
        matrix = values.astype(np.float32, copy=False)
        own = self.scorer.outputs(matrix)
        return self.scorer.classes(own) if self.grouping is None else self._groups(self.grouping, matrix, own)[0]

    def reasons(self, values: Values, published: Published) -> Reasons:
        """Why the rows of ``published`` have their labels."""
        matrix, rule = values.astype(np.float32, copy=False), published.by_rule
        contributions = np.zeros((len(matrix), len(self.scorer.manifest.features)))
        baseline = np.zeros(len(matrix))
        if self.grouping is not None and published.label is not None and rule.any():
            markers = matrix[rule][:, self._marker_columns].astype(np.float64)
            by_marker, baseline[rule] = self.grouping.reasons(markers, published.label[rule])
            features = [self.scorer.manifest.features.index(marker.name) for marker in self.grouping.markers]
            contributions[np.flatnonzero(rule)[:, np.newaxis], features] = by_marker
        if not rule.all():
            contributions[~rule], baseline[~rule] = self.scorer.reasons(matrix[~rule])
        binary = self.scorer.manifest.task == "binary"
        return Reasons(np.ones(len(matrix), dtype=np.intp) if binary else published.label, contributions, baseline)

    def label_reasons(self, values: Values) -> Reasons:
        """Why rows have the labels that ``labels`` finds, without what takes most of the time of ``publish``."""
        matrix = values.astype(np.float32, copy=False)
        own, everything = self.scorer.outputs(matrix), np.ones(len(matrix), dtype=bool)
        if self.grouping is None:
            label, by_rule = self.scorer.classes(own), ~everything
        else:
            label, by_rule = self._groups(self.grouping, matrix, own)
        return self.reasons(matrix, Published(own, label, own, by_rule, everything))

    def answers(self, values: Values, exposure_days: Floats | None = None) -> list[dict[str, Any]]:
        """What ``publish`` finds, in words, one answer a row.

        Returns:
            ``status`` (``PredictionStatus``), and by task: Regression: ``value``, and where it is the days until an
            event ``value_of``, which says so in words. Two labels: ``probability`` (of the
            positive one) and ``experience`` (the label). More labels: ``probabilities`` by label, ``experience``, and
            ``probability`` where a label is positive. Models of groups also answer ``label_basis`` (``rule`` or
            ``model``: what decided the label), ``probability_basis`` (see ``NextPeriod``) and ``model_probability``,
            the classifier's P(the tenant is in the last group now), which they repeat as ``closeness``, its old name.
            Pooled models also answer ``level_basis``: ``partition`` where a level of the tenant's own partition was
            added, ``prior`` where the partition is unknown or was never seen, so that its level is 0.
            Where nothing that decides is known, ``status`` is ``no_features`` and everything else is None.
        """
        return self.in_words(self.publish(values, exposure_days))

    def in_words(self, published: Published) -> list[dict[str, Any]]:
        """See ``answers``."""
        columns = self.in_columns(published)
        return [
            {"status": PredictionStatus.SCORED, **dict(zip(columns, cells, strict=True))}
            if known
            else {"status": PredictionStatus.NO_FEATURES, **dict.fromkeys(columns)}
            for known, *cells in zip(published.known.tolist(), *columns.values(), strict=True)
        ]

    def in_columns(self, published: Published) -> dict[str, list[Any]]:
        """See ``answers``: name -> of each row, but without the status. Where nothing is known, it means nothing."""
        manifest, outputs = self.scorer.manifest, published.outputs.tolist()
        count = len(outputs)
        if published.label is None:
            columns: dict[str, list[Any]] = {"value": outputs}
            if manifest.time_to_event is not None:
                columns["value_of"] = [manifest.time_to_event.words] * count
        elif manifest.task == "binary":
            columns = {"probability": outputs}
        else:
            columns = {"probabilities": [dict(zip(manifest.labels, shares, strict=True)) for shares in outputs]}
            if manifest.positive_label is not None:
                columns["probability"] = [shares[-1] for shares in outputs]
        if published.label is not None:
            columns["experience"] = [manifest.labels[number] for number in published.label.tolist()]
        if self.grouping is not None:
            own = _by_label(published.own)[:, -1].tolist()
            columns["label_basis"] = ["rule" if rule else "model" for rule in published.by_rule.tolist()]
            columns["probability_basis"] = [self.next_period.basis] * count
            columns |= {"model_probability": own, "closeness": own}  # closeness: until the next version
        if published.level_known is not None:
            columns["level_basis"] = ["partition" if known else "prior" for known in published.level_known.tolist()]
        return columns

    def _level_known(self, matrix: Values) -> NDArray[np.bool_] | None:
        return self.scorer.has_level(matrix) if self.scorer.manifest.levels else None

    def _groups(self, grouping: Grouping, matrix: Values, own: Floats) -> tuple[Numbers, NDArray[np.bool_]]:
        """(rows,) the number of each tenant's group, and whether all is known that decides, so that the rule does."""
        complete = grouping.complete(self._named(matrix))
        label = self.scorer.classes(own)
        markers = matrix[complete][:, self._marker_columns].astype(np.float64)
        label[complete] = grouping.assign_values(markers).astype(np.intp)
        return label, complete

    def _redraws(
        self,
        grouping: Grouping,
        matrix: Values,
        exposure_days: Floats | None,
        complete: NDArray[np.bool_],
        earlier: Redraws | None,
    ) -> Redraws:
        columns = self.scorer.encoding.columns
        behind = dict.fromkeys(name for noise in grouping.noise.values() for name in noise.of if name in columns)
        counts = [columns.index(name) for name in behind]
        values = matrix[:, [*self._marker_columns, *counts]]
        shares = np.full((len(matrix), len(grouping.classes)), np.nan)
        new = complete
        if earlier is not None:
            alike = ((values == earlier.values) | (np.isnan(values) & np.isnan(earlier.values))).all(axis=1)
            shares[alike] = earlier.shares[alike]
            new = complete & ~alike
        days = None if exposure_days is None else exposure_days[new]
        shares[new] = group_shares(grouping, self._named(matrix[new]), days)
        return Redraws(values, shares)

    def _named(self, matrix: Values) -> dict[str, Floats]:
        columns = self.scorer.encoding.columns
        return {name: column.astype(np.float64) for name, column in zip(columns, matrix.T, strict=True)}

    @cached_property
    def _marker_columns(self) -> list[int]:
        columns = self.scorer.encoding.columns
        return [columns.index(marker.name) for marker in self.grouping.markers] if self.grouping else []


def _any_known(matrix: Values) -> NDArray[np.bool_]:
    """(rows,) whether any value is known."""
    return np.asarray(~np.isnan(matrix).all(axis=1))


def _by_label(outputs: Floats) -> Floats:
    """Probabilities of all labels, (rows, labels), whatever the task."""
    return outputs if outputs.ndim == 2 else np.column_stack([1 - outputs, outputs])
