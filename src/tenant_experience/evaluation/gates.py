"""Limits that the use case sets for models. A model that breaks one does not become part of the release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tenant_experience.errors import AlgorithmError
from tenant_experience.evaluation.champion import ChampionComparison
from tenant_experience.evaluation.missing_features import MISSING_FEATURES, MissingFeatures
from tenant_experience.groups.next_period import Backtest
from tenant_experience.use_case.gates import Gates
from tenant_experience.use_case.words import Words


@dataclass(frozen=True)
class ModelGate:
    """One limit, and whether the model kept it.

    Attributes:
        name: the key of ``gates`` in use_case.yaml.
        limit: its value there.
        value: what was measured.
        passed: whether the model kept it.
        message: the same in a sentence.
    """

    name: str
    limit: float
    value: float
    passed: bool
    message: str


def model_gates(
    gates: Gates,
    metrics: Mapping[str, float | None],
    missing_features: Sequence[MissingFeatures],
    champion: ChampionComparison | None,
    backtest: Backtest | None = None,
    *,
    words: Words,
) -> list[ModelGate]:
    """The gates on models that the use case sets and whose value could be measured.

    Args:
        gates: of the use case.
        metrics: of the test part.
        missing_features: from ``missing_feature_curve``.
        champion: from ``champion_comparison``; None when no model is live.
        backtest: of the published probabilities; without it, the gate on calibration is about the model probability.
        words: what messages call records.
    """
    error, of_what = metrics.get("calibration_error"), "the calibration error"
    if backtest is not None:
        error, of_what = backtest.published.calibration_error, "the calibration error over the next period"
    missing = next((row.metrics.get("accuracy") for row in missing_features if row.missing == MISSING_FEATURES), None)
    found = [
        _champion(gates.champion_loss, champion, words),
        _least("roc_auc", gates.roc_auc, metrics.get("roc_auc"), "the ROC AUC"),
        _least("concordance", gates.concordance, metrics.get("concordance"), "the C-index"),
        _least("r2", gates.r2, metrics.get("r2"), "the share of variance explained"),
        _least("missing_accuracy", gates.missing_accuracy, missing, "the accuracy with 3 features missing"),
        _most("calibration_error", gates.calibration_error, error, of_what),
    ]
    return [gate for gate in found if gate is not None]


def check_gates(partition: str, gates: Sequence[ModelGate]) -> None:
    """Refuses a model that breaks a gate.

    Raises:
        AlgorithmError: ``worse_than_champion``, or ``gate_<name>`` of the first broken gate; the message names all.
    """
    broken = [gate for gate in gates if not gate.passed]
    if broken:
        code = "worse_than_champion" if broken[0].name == "champion_loss" else f"gate_{broken[0].name}"
        raise AlgorithmError(
            f"partition {partition}: {'; '.join(f'gate {gate.name}: {gate.message}' for gate in broken)}", code=code
        )


def _least(name: str, limit: float | None, value: float | None, what: str) -> ModelGate | None:
    if limit is None or value is None:
        return None
    return ModelGate(name, limit, value, value >= limit, f"{what} is {value:.4f} and must be at least {limit:g}")


def _most(name: str, limit: float | None, value: float | None, what: str) -> ModelGate | None:
    if limit is None or value is None:
        return None
    return ModelGate(name, limit, value, value <= limit, f"{what} is {value:.4f} and must be at most {limit:g}")


def _champion(limit: float | None, champion: ChampionComparison | None, words: Words) -> ModelGate | None:
    """Refuses only what is surely worse by more than the limit, so that no model is refused by chance."""
    value = None if champion is None else champion.surely_worse_by
    if limit is None or champion is None or value is None:
        return None
    loss, compared = champion.loss, champion.decisive
    message = (
        f"on the same {champion.rows} {words.records}{champion.condition} the {loss} is {compared.challenger:.4f}, and "
        f"{compared.champion:.4f} with the live model {champion.version}: a difference of {compared.difference:+.4f} "
        f"({compared.low:+.4f} to {compared.high:+.4f}); the lower end must be at most "
        f"{f'{limit:g}' if loss == 'log_loss' else f'{limit:g} times the live model'}"
    )
    return ModelGate("champion_loss", limit, value, value <= limit, message)
