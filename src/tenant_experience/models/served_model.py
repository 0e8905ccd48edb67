"""What is answered about a tenant: by the endpoint, and by the evaluation that says what the endpoint must answer.

Where labels come from a column, the answer is the model's calibrated probability. Where they come from groups, it is
how often the tenant would fall into each group if its year happened again (``uncertainty``); the model's own output,
which copies the rule of the groups, is answered beside it as ``model_probability`` (decisions 0014 and 0016).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.data_layout import GROUPING_FILE
from tenant_experience.errors import UserError
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.next_period import NextPeriod
from tenant_experience.groups.uncertainty import group_shares
from tenant_experience.models.scoring import Scorer
from tenant_experience.prediction_status import PredictionStatus
from tenant_experience.statistics.arrays import Floats

Values = NDArray[np.float32] | Floats


@dataclass(frozen=True)
class ServedModel:
    """A model, and the rule of the groups it was taught where labels come from groups."""

    scorer: Scorer
    grouping: Grouping | None = None
    next_period: NextPeriod = field(default_factory=NextPeriod)

    @classmethod
    def load(cls, folder: Path) -> ServedModel:
        """Reads what an archive holds.

        Raises:
            UserError: as ``Scorer.load``, and ``model_features`` when the model does not read what groups are found on.
            PlatformError: ``grouping_file``.
        """
        scorer = Scorer.load(folder)
        if not (folder / GROUPING_FILE).is_file():
            return cls(scorer)
        grouping = Grouping.read(folder)
        missing = [marker.name for marker in grouping.markers if marker.name not in scorer.encoding.columns]
        if missing or grouping.classes != scorer.manifest.labels:
            raise UserError(
                f"{folder}: {GROUPING_FILE} has the groups {grouping.classes} and the model the labels "
                f"{scorer.manifest.labels}; it lacks {missing or 'no feature'}: they are from different releases",
                code="model_features",
            )
        return cls(scorer, grouping, NextPeriod.read(folder))

    def answers(self, values: Values, exposure_days: Floats | None = None) -> list[dict[str, Any]]:
        """One answer a row.

        Args:
            values: (rows, columns) as ``Encoding`` arranges them, NaN = missing.
            exposure_days: (rows,) days each tenant was seen, NaN where unknown; matters for groups only.

        Returns:
            ``status`` (``PredictionStatus``), and by task: Regression: ``value``. Two labels: ``probability`` (of the
            positive one) and ``experience`` (the label, by the model's threshold). More labels: ``probabilities`` by
            label, ``experience`` (the likeliest), and ``probability`` where a label is positive. Models of groups
            answer ``model_probability`` too, the model's own P(bad), and repeat it as ``closeness``, its old name.
            Where nothing that decides is known, ``status`` is ``no_features`` and everything else is None.
        """
        outputs = self.scorer.outputs(values.astype(np.float32, copy=False))
        if self.scorer.manifest.task == "regression":
            rows: list[dict[str, Any]] = [{"value": number} for number in outputs.tolist()]
        else:
            by_label = _by_label(outputs)
            shares = by_label if self.grouping is None else self._shares(self.grouping, by_label, values, exposure_days)
            rows = [self._answer(row) for row in shares.tolist()]
            if self.grouping is not None:
                for row, own in zip(rows, by_label[:, -1].tolist(), strict=True):
                    row |= {"model_probability": own, "closeness": own}  # closeness: until the next version
        unknown = self._unknown(values).tolist()
        return [
            {"status": PredictionStatus.NO_FEATURES, **dict.fromkeys(row)}
            if nothing
            else {"status": PredictionStatus.SCORED, **row}
            for row, nothing in zip(rows, unknown, strict=True)
        ]

    def _answer(self, shares: list[float]) -> dict[str, Any]:
        manifest = self.scorer.manifest
        if manifest.task == "binary":
            return {"probability": shares[-1], "experience": self.scorer.label(shares[-1])}
        answer: dict[str, Any] = {
            "probabilities": dict(zip(manifest.labels, shares, strict=True)),
            "experience": manifest.labels[shares.index(max(shares))],
        }
        return answer if manifest.positive_label is None else answer | {"probability": shares[-1]}

    def _shares(self, grouping: Grouping, now: Floats, values: Values, exposure_days: Floats | None) -> Floats:
        columns = self.scorer.encoding.columns
        named = {name: column.astype(np.float64) for name, column in zip(columns, values.T, strict=True)}
        redrawn = group_shares(grouping, named, exposure_days)
        markers = grouping.standardised(np.column_stack([named[marker.name] for marker in grouping.markers]))
        return self.next_period.shares(redrawn, now, grouping.complete(named), markers)

    def _unknown(self, values: Values) -> NDArray[np.bool_]:
        """Which rows know nothing that decides: no marker, or no feature at all."""
        deciding = values
        if self.grouping is not None:
            columns = self.scorer.encoding.columns
            deciding = values[:, [columns.index(marker.name) for marker in self.grouping.markers]]
        return np.asarray(np.isnan(deciding).all(axis=1))


def _by_label(outputs: Floats) -> Floats:
    """Probabilities of all labels, (rows, labels), whatever the task."""
    return outputs if outputs.ndim == 2 else np.column_stack([1 - outputs, outputs])
