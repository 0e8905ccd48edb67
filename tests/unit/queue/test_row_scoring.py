"""What becomes of rows: answers, failures of one row alone, and rows that must come again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tenant_experience.api.prediction import ModelPrediction, ServedTenant
from tenant_experience.errors import PlatformError
from tenant_experience.prediction_status import PredictionStatus
from tenant_experience.queue.message import QueueRow
from tenant_experience.queue.row_scoring import RowOutcome, RowScoring
from tenant_experience.release.release import LiveRelease, PublishedModel
from tenant_experience.use_case import served

LIVE = LiveRelease.of_models("r1", "2026-11-01T00:00:00Z", 1, {"d1": "r1", "d2": "r1"})


class Models:
    """Models that answer, refuse rows or are not there, and what they were asked."""

    def __init__(self, poisoned: float | None = None, away: str = "") -> None:
        self.poisoned, self.away = poisoned, away
        self.asked: list[tuple[str, int]] = []

    def ask(self, model: PublishedModel, instances: Sequence[Mapping[str, Any]]) -> list[ModelPrediction]:
        self.asked.append((model.slug, len(instances)))
        if model.slug == self.away:
            raise PlatformError("throttled", code="model_unavailable")
        values = [instance["features"].get("x") for instance in instances]
        if self.poisoned in values:
            raise PlatformError(f"instance {values.index(self.poisoned)}: x is too large", code="refused")
        return [ModelPrediction("r1", "local", experience="leaves", probability=value) for value in values]


def refusal(error: PlatformError) -> str:
    return error.message if error.code == "refused" else ""


@pytest.fixture
def use_case(monkeypatch: pytest.MonkeyPatch) -> served.ServedUseCase:
    from tests.support.places import ROOT

    monkeypatch.syspath_prepend(str(ROOT))
    return served.read("telecom_churn")


def rows(count: int, partition: str = "d1", start: int = 1) -> list[QueueRow]:
    numbers = range(start, start + count)
    return [QueueRow(n, id=f"C{n}", partition=partition, features={"x": n / 1_000}, truth="stays") for n in numbers]


def score(
    use_case: served.ServedUseCase,
    models: Models,
    given: Sequence[QueueRow],
    records: Mapping[str, ServedTenant] | None = None,
    live: LiveRelease | None = LIVE,
) -> tuple[dict[int, RowOutcome], dict[int, PlatformError]]:
    outcomes, again = RowScoring(use_case, live, models.ask, refusal).score(given, records or {})
    assert len({outcome.row.row for outcome in outcomes}) == len(outcomes)
    return {outcome.row.row: outcome for outcome in outcomes}, again


def test_each_model_is_asked_once_about_all_of_its_rows(use_case: served.ServedUseCase) -> None:
    models = Models()
    outcomes, again = score(use_case, models, [*rows(30), *rows(20, "d2", 31)])
    assert sorted(models.asked) == [("d1", 30), ("d2", 20)]
    assert (len(outcomes), again) == (50, {})
    item = outcomes[31].item("now", 9)
    assert item == {
        "row": 31,
        "status": "scored",
        "id": "C31",
        "prediction": "leaves",
        "probability": 0.031,
        "truth": "stays",
        "dimension": "d2",
        "model": "d2/r1",
        "model_version": "r1",
        "reason": None,
        "line": None,
        "created_at": "now",
        "expires_at": 9,
    }


def test_a_poisoned_row_in_the_middle_fails_alone(use_case: served.ServedUseCase) -> None:
    models = Models(poisoned=0.25)
    outcomes, again = score(use_case, models, rows(500))
    failed = {number: outcome.reason for number, outcome in outcomes.items() if outcome.reason}
    assert failed == {250: "row_refused: instance 0: x is too large"}
    assert (len(outcomes), again) == (500, {})
    assert len(models.asked) < 25


def test_a_model_that_does_not_answer_costs_only_its_own_rows(use_case: served.ServedUseCase) -> None:
    outcomes, again = score(use_case, Models(away="d2"), [*rows(3), *rows(2, "d2", 4)])
    assert (sorted(outcomes), sorted(again)) == ([1, 2, 3], [4, 5])
    assert {error.code for error in again.values()} == {"model_unavailable"}


def test_a_partition_without_a_model_fails_by_name(use_case: served.ServedUseCase) -> None:
    outcomes, again = score(use_case, Models(), [*rows(1), *rows(1, "d9", 2)])
    assert outcomes[1].reason == ""
    assert outcomes[2].reason == "no_live_model: dimension d9 has no live model, and there is no global one"
    assert (outcomes[2].item("", 0)["dimension"], again) == ("d9", {})
    outcomes, _ = score(use_case, Models(), rows(1), live=None)
    assert outcomes[1].reason == "no_live_model: no release of telecom_churn has been published yet"


def test_rows_that_could_not_be_read_keep_their_reason(use_case: served.ServedUseCase) -> None:
    models = Models()
    outcomes, _ = score(use_case, models, [QueueRow(1, failure="ragged_row", line=2)])
    assert (outcomes[1].reason, outcomes[1].item("", 0)["line"], models.asked) == ("ragged_row", 2, [])


def record(history: str = "sufficient") -> ServedTenant:
    return ServedTenant("C1", "Dim 2", "d2", "2026-11-01T00:00:00Z", "r1", history, {"x": 0.5}, {}, "dimension")


def test_ids_alone_are_answered_from_the_online_store(use_case: served.ServedUseCase) -> None:
    given = [QueueRow(1, id="C1"), QueueRow(2, id="C2"), QueueRow(3, id="C3")]
    records = {"C1": record(), "C2": record("insufficient")}
    outcomes, _ = score(use_case, Models(), given, records)
    assert (outcomes[1].partition, outcomes[1].item("", 0)["probability"]) == ("Dim 2", 0.5)
    assert outcomes[2].reason.startswith("insufficient_history: ")
    assert outcomes[3].reason.startswith("no_features: this customer has no features")


def test_nothing_known_and_numbers(use_case: served.ServedUseCase) -> None:
    def ask(_model: PublishedModel, _instances: Sequence[Mapping[str, Any]]) -> list[ModelPrediction]:
        return [
            ModelPrediction("r1", "local", status=PredictionStatus.NO_FEATURES),
            ModelPrediction("r1", "local", optional={"value": 12.5}),
        ]

    outcomes, _ = RowScoring(use_case, LIVE, ask, refusal).score(rows(2), {})
    assert [outcome.item("", 0)["status"] for outcome in outcomes] == ["failed", "scored"]
    assert outcomes[0].reason.startswith("no_features")
    assert outcomes[1].item("", 0)["prediction"] == 12.5
