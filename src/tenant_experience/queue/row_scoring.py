"""What becomes of the rows of some messages: an answer or a failure each, or that they must be asked for again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tenant_experience.api.prediction import ModelPrediction, ServedTenant, no_features
from tenant_experience.errors import PlatformError
from tenant_experience.prediction_status import PredictionStatus
from tenant_experience.queue.message import QueueRow
from tenant_experience.release.release import LiveRelease, PublishedModel
from tenant_experience.use_case.served import ServedUseCase

SCORED, FAILED = "scored", "failed"
_LONGEST_REASON = 300
_MODELS_AT_ONCE = 10


@dataclass(frozen=True)
class RowOutcome:
    """What became of a row, which is kept.

    Attributes:
        row: the row.
        partition: the name of its partition; None where it has none.
        reason: why it has no answer; empty where it has one.
        answer: of the model.
        model: the model that was asked, ``<partition>/<version>``.
    """

    row: QueueRow
    partition: str | None
    reason: str = ""
    answer: ModelPrediction | None = None
    model: str = ""

    def item(self, created_at: str, expires_at: int) -> dict[str, str | float | int | None]:
        """As it is kept; what is None is left out."""
        answer = self.answer
        value = None if answer is None else answer.optional.get("value")
        return {
            "row": self.row.row,
            "status": FAILED if self.reason else SCORED,
            "id": self.row.id,
            "prediction": value if answer is None or value is not None else answer.experience,
            "probability": None if answer is None else answer.probability,
            "truth": self.row.truth,
            "dimension": self.partition,
            "model": self.model or None,
            "model_version": None if answer is None else answer.model_version,
            "reason": self.reason or None,
            "line": self.row.line,
            "created_at": created_at,
            "expires_at": expires_at,
        }


Scored = tuple[list[RowOutcome], dict[int, PlatformError]]
"""What became of rows; and the numbers of those that must be asked for again, with the reason."""

Ask = Callable[[PublishedModel, Sequence[Mapping[str, Any]]], Sequence[ModelPrediction]]
"""(model, instances) -> its answers in their order, or PlatformError."""


@dataclass(frozen=True)
class _Asked:
    """What the model reads of a row."""

    row: QueueRow
    partition: str | None
    slug: str
    instance: Mapping[str, Any]


@dataclass(frozen=True)
class RowScoring:
    """Scores rows of one use case.

    Attributes:
        use_case: words for reasons.
        live: the live release; None before the first.
        ask: asks one model.
        refusal: why a model refuses what is in the instances, in words; empty when it could not answer at all.
    """

    use_case: ServedUseCase
    live: LiveRelease | None
    ask: Ask
    refusal: Callable[[PlatformError], str]

    def score(self, rows: Iterable[QueueRow], records: Mapping[str, ServedTenant]) -> Scored:
        """Asks each model once about all of its rows; about fewer only where it refuses what is in one of them.

        Args:
            rows: of one file.
            records: what the online store knows of the rows that are ids alone, by id.
        """
        outcomes: list[RowOutcome] = []
        again: dict[int, PlatformError] = {}
        groups: dict[PublishedModel, list[_Asked]] = {}
        for row in rows:
            asked = self._asked(row, records)
            if isinstance(asked, RowOutcome):
                outcomes.append(asked)
            elif (model := self.live.model_for(asked.slug) if self.live else None) is None:
                outcomes.append(RowOutcome(row, asked.partition, self._without_model(asked)))
            else:
                groups.setdefault(model, []).append(asked)
        # Side by side, so that a model that does not answer does not take the time of the others.
        with ThreadPoolExecutor(max_workers=max(1, min(len(groups), _MODELS_AT_ONCE))) as pool:
            for found, unanswered in pool.map(lambda each: self._score_group(*each), groups.items()):
                outcomes += found
                again |= unanswered
        return outcomes, again

    def _asked(self, row: QueueRow, records: Mapping[str, ServedTenant]) -> _Asked | RowOutcome:
        if row.failure:
            return RowOutcome(row, row.partition, row.failure)
        if row.features is not None:
            return _Asked(row, row.partition, row.partition_slug, row.instance(self.use_case.partition_column))
        record = records.get(row.id or "")
        if record is None:
            return RowOutcome(row, None, f"{PredictionStatus.NO_FEATURES}: {no_features(self.use_case)}")
        if not record.may_be_predicted:
            words = f"the history of this {self.use_case.words.record} is too short"
            return RowOutcome(row, record.portfolio_id, f"{PredictionStatus.INSUFFICIENT_HISTORY}: {words}")
        instance = {name: value for name, value in record.instance.items() if name != "tenant_id"}
        return _Asked(row, record.portfolio_id, record.partition_slug, instance)

    def _without_model(self, asked: _Asked) -> str:
        if self.live is None:
            return f"no_live_model: no release of {self.use_case.name} has been published yet"
        return (
            f"no_live_model: {self.use_case.words.partition} {asked.partition or asked.slug} has no live model, and "
            "there is no global one"
        )

    def _score_group(self, model: PublishedModel, group: Sequence[_Asked]) -> Scored:
        """Asks about all rows; where the model refuses them, about each half, until only the bad row fails."""
        name = f"{model.slug}/{model.version}"
        try:
            answers = self.ask(model, [asked.instance for asked in group])
        except PlatformError as error:
            reason = self.refusal(error)
            if not reason:
                return [], {asked.row.row: error for asked in group}
            if len(group) == 1:
                why = f"row_refused: {reason[:_LONGEST_REASON]}"
                return [RowOutcome(group[0].row, group[0].partition, why, model=name)], {}
            middle = len(group) // 2
            first, second = self._score_group(model, group[:middle]), self._score_group(model, group[middle:])
            return first[0] + second[0], first[1] | second[1]
        return [self._outcome(asked, answer, name) for asked, answer in zip(group, answers, strict=True)], {}

    @staticmethod
    def _outcome(asked: _Asked, answer: ModelPrediction, model: str) -> RowOutcome:
        is_scored = answer.status == PredictionStatus.SCORED
        reason = "" if is_scored else f"{answer.status}: nothing that decides is known"
        return RowOutcome(asked.row, asked.partition, reason, answer, model)
