"""Turns what the Feature Store serves and what the model answers into what a client reads. No AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tenant_experience.api.route_family import RouteFamily
from tenant_experience.data_layout import SIDE_COLUMNS
from tenant_experience.prediction_status import PredictionStatus
from tenant_experience.release.release import LiveRelease, PublishedModel
from tenant_experience.use_case.served import ServedUseCase

_MAX_REASONS = 3
# Shown only when the model answers them; the other fields are always there, null where nothing is known.
_OPTIONAL = ("probabilities", "value", "value_of", "unknown_categories", "level_basis")


@dataclass(frozen=True)
class ServedTenant:
    """One tenant's record of the online store.

    Attributes:
        tenant_id: the tenant.
        portfolio_id: the tenant's portfolio.
        partition_slug: the partition whose model answers.
        as_of: the features' time, ISO 8601 UTC.
        release: the release that computed them.
        history: sufficient, provisional or insufficient.
        values: the use case's features that are known: numbers, and texts for categories.
        side: exposure_days, open_count, oldest_open_hr, where known.
        partition_column: what the use case calls the portfolio; a feature of that name takes precedence.
    """

    tenant_id: str
    portfolio_id: str
    partition_slug: str
    as_of: str
    release: str
    history: str
    values: Mapping[str, float | str]
    side: Mapping[str, float]
    partition_column: str = ""

    def value_of(self, name: str) -> float | str | None:
        """What a reason says the tenant has: the value of a feature, or its portfolio."""
        return self.values.get(name, (self.portfolio_id or None) if name == self.partition_column else None)

    @property
    def may_be_predicted(self) -> bool:
        """False for a tenant with too little history: no model is ever asked about it."""
        return self.history != "insufficient"

    @property
    def instance(self) -> dict[str, Any]:
        """The tenant as the model reads it; its portfolio too, because a pooled model has a level for it."""
        portfolio = {self.partition_column: self.portfolio_id or None} if self.partition_column else {}
        return {
            "tenant_id": self.tenant_id,
            "features": portfolio | dict(self.values),
            "exposure_days": self.side.get("exposure_days"),
        }


@dataclass(frozen=True)
class ModelPrediction:
    """What a model answers about one tenant.

    Attributes:
        model_version: the model's version.
        scale: ``global`` or ``local``.
        status: ``scored`` or ``no_features``.
        experience: a label of the use case; None without a score, and for models of numbers.
        label_basis: ``rule`` or ``model``, where labels come from groups: what decided ``experience``; else None.
        probability: of the positive label; None where there is none.
        probability_basis: ``backtest`` or ``one_snapshot``, where labels come from groups; else None.
        model_probability: the classifier's own P(bad now), where labels come from groups; else None.
        contributions: feature -> what it adds: what speaks for ``contributions_for`` is positive.
        contributions_for: a label of the use case; None for models of numbers.
        validation: what the model's answers are worth, by outcomes; None from an endpoint that does not say it.
        optional: of ``probabilities``, ``value``, ``value_of`` (what the value is, in words), ``unknown_categories``
            and ``level_basis`` (of pooled models: whether the level of the tenant's own portfolio was added) those that
            the model answers.
    """

    model_version: str
    scale: str
    status: PredictionStatus = PredictionStatus.SCORED
    experience: str | None = None
    label_basis: str | None = None
    probability: float | None = None
    probability_basis: str | None = None
    model_probability: float | None = None
    contributions: Mapping[str, float] = field(default_factory=dict)
    contributions_for: str | None = None
    validation: Mapping[str, Any] | None = None
    optional: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        row: Mapping[str, Any],
        *,
        model_version: str,
        scale: str,
        validation: Mapping[str, Any] | None = None,
    ) -> ModelPrediction:
        """Reads one row of the endpoint's ``predictions``.

        The endpoint's image only changes with the next release, so it may be older than this function: it then answers
        ``closeness`` for ``model_probability``, no ``status``, and ``no_features`` as ``experience``; or no basis, and
        contributions without the label that they are for.
        """
        experience, status = row.get("experience"), row.get("status")
        if status is None and experience == PredictionStatus.NO_FEATURES:
            experience, status = None, PredictionStatus.NO_FEATURES
        return cls(
            model_version=model_version,
            scale=scale,
            status=PredictionStatus(status or PredictionStatus.SCORED),
            experience=experience,
            label_basis=row.get("label_basis"),
            probability=row.get("probability"),
            probability_basis=row.get("probability_basis"),
            model_probability=row.get("model_probability", row.get("closeness")),
            contributions=row.get("contributions", {}),
            contributions_for=row.get("contributions_for"),
            validation=validation,
            optional={name: row[name] for name in _OPTIONAL if name in row},
        )


def read_record(record: Mapping[str, str], use_case: ServedUseCase) -> ServedTenant:
    """Reads an online record, feature name -> value as text. Features that the use case no longer has are ignored."""
    return ServedTenant(
        tenant_id=record[use_case.record_id],
        portfolio_id=record.get(use_case.partition_column, ""),
        values={
            name: record[name] if feature.is_category else float(record[name])
            for name, feature in use_case.features.items()
            if name in record
        },
        side={name: float(record[name]) for name in SIDE_COLUMNS if name in record},
        partition_column=use_case.partition_column,
        **{name: record.get(name, "") for name in ("partition_slug", "as_of", "release", "history")},
    )


def describe_features(tenant: ServedTenant, use_case: ServedUseCase, *, routes: RouteFamily) -> dict[str, Any]:
    """The answer of ``GET .../features``. A feature that has no denominator is null.

    ``release`` is the release that last changed any of the values; later ones found the same values.
    """
    return {
        routes.record_id: tenant.tenant_id,
        routes.partition: tenant.portfolio_id,
        "as_of": tenant.as_of,
        "history": tenant.history,
        "exposure_days": tenant.side.get("exposure_days"),
        "features": {name: tenant.values.get(name) for name in use_case.features},
        "open_items": _open_items(tenant),
        "release": tenant.release,
    }


def describe_use_case(use_case: ServedUseCase, live: LiveRelease) -> dict[str, Any]:
    """The row of ``GET /use-cases``: what the use case itself calls what ``record_id`` and so on stand for."""
    return {
        "name": use_case.name,
        "release": live.release,
        "record_id": use_case.record_id,
        "partition": use_case.partition_column,
        "labels": list(use_case.labels),
        "positive": use_case.positive,
    }


def describe_prediction(
    tenant: ServedTenant,
    prediction: ModelPrediction | None,
    use_case: ServedUseCase,
    *,
    routes: RouteFamily,
    now: datetime,
    stale_after: timedelta,
) -> dict[str, Any]:
    """The answer of ``GET .../prediction``.

    Args:
        tenant: the served record.
        prediction: what the model answers; None when the history is too short for a model to be asked.
        use_case: names, words, and the aspects that are shown apart.
        routes: what the fields are called.
        now: UTC.
        stale_after: the age of ``as_of`` from which the answer says ``stale``.
    """
    own = prediction.model_probability if prediction else None
    supporting, counter = reasons(tenant, prediction, use_case) if prediction else ([], [])
    return {
        routes.record_id: tenant.tenant_id,
        routes.partition: tenant.portfolio_id,
        "status": prediction.status if prediction else PredictionStatus.INSUFFICIENT_HISTORY,
        routes.label: prediction.experience if prediction else None,
        "label_basis": prediction.label_basis if prediction else None,
        "probability": prediction.probability if prediction else None,
        "probability_of": _probability_of(prediction, use_case) if prediction else None,
        "probability_basis": prediction.probability_basis if prediction else None,
        "model_probability": own,
        **({"closeness": own} if routes.shows_closeness else {}),  # the old name, until the next version
        **(prediction.optional if prediction else {}),
        "reasons": supporting,
        "counter_reasons": counter,
        **routes.aspects(
            {
                aspect: {name: tenant.values.get(name) for name in names}
                for aspect, names in sorted(use_case.aspects.items())
            }
        ),
        "open_items": _open_items(tenant),
        "history": tenant.history,
        "validation": prediction.validation if prediction else None,
        "model_version": prediction.model_version if prediction else None,
        "scale": prediction.scale if prediction else None,
        "as_of": tenant.as_of,
        "stale": now - datetime.fromisoformat(tenant.as_of) > stale_after,
    }


def describe_no_answer(asked: str | int | None, *, routes: RouteFamily, code: str, detail: str) -> dict[str, Any]:
    """The row of ``POST .../predictions`` for an id that cannot be answered; a number is no id, but is repeated."""
    return {routes.record_id: asked, "status": PredictionStatus.NO_ANSWER, "code": code, "detail": detail}


def reasons(
    tenant: ServedTenant, prediction: ModelPrediction, use_case: ServedUseCase
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What speaks for the published label, and what speaks against it: the strongest first, each with a sentence.

    There may be nothing in the first list, where little is known of a tenant: it then has the label that most have. A
    number has no label to argue for, so all that moved it is in the first list.
    """
    label = _explained(prediction, use_case)
    strongest = sorted(prediction.contributions.items(), key=lambda item: (-abs(item[1]), item[0]))
    supporting: list[dict[str, Any]] = []
    counter: list[dict[str, Any]] = []
    for name, weight in strongest:
        if not weight:
            continue
        supports = label is None or (weight > 0) == (prediction.experience == label)
        found = supporting if supports else counter
        if len(found) < _MAX_REASONS:
            words, value = _words(name, use_case), _value(tenant.value_of(name))
            text = f"{words} {_effect(weight, label, use_case)} ({value})"
            found.append(
                {"feature": name, "text": text, "towards": _towards(weight, label, use_case), "weight": weight}
            )
    return supporting, counter


def _explained(prediction: ModelPrediction, use_case: ServedUseCase) -> str | None:
    """The label that positive contributions speak for; older endpoints do not name it."""
    if not use_case.labels:
        return None
    return prediction.contributions_for or use_case.positive or prediction.experience


def _probability_of(prediction: ModelPrediction, use_case: ServedUseCase) -> str | None:
    """What ``probability`` is the probability of; None without one, and for older endpoints that do not say it."""
    positive = use_case.positive
    if prediction.probability is None or positive is None:
        return None
    if prediction.probability_basis is not None:
        return (
            f"that this {use_case.words.record}'s label by the same rule, over the next period of the same length, is "
            f"{positive}"
        )
    if prediction.model_probability is not None:
        return None
    within = f" within {use_case.window} days of as_of" if use_case.window else ""
    return f"that the label of this {use_case.words.record} is {positive}{within}"


def no_features(use_case: ServedUseCase) -> str:
    """What a client reads of an id without features."""
    return f"this {use_case.words.record} has no features: it was in no batch so far"


def _words(name: str, use_case: ServedUseCase) -> str:
    # A model may be older than the use case, and read features that the use case no longer names.
    feature = use_case.features.get(name)
    return name.replace("_", " ") if feature is None else feature.words


def _effect(weight: float, label: str | None, use_case: ServedUseCase) -> str:
    if label is None:
        return "raises the number" if weight > 0 else "lowers the number"
    outcome = use_case.outcome if label == use_case.positive else label
    return f"speaks {'for' if weight > 0 else 'against'} {outcome}"


def _towards(weight: float, label: str | None, use_case: ServedUseCase) -> str:
    """The label that a reason speaks for; ``other`` for any but one of several labels; ``higher`` or ``lower``."""
    if label is None:
        return "higher" if weight > 0 else "lower"
    if weight > 0:
        return label
    others = [name for name in use_case.labels if name != label]
    return others[0] if len(others) == 1 else "other"


def _value(value: float | str | None) -> str:
    if value is None:
        return "not known"
    return value if isinstance(value, str) else f"{value:.4g}"


def _open_items(tenant: ServedTenant) -> dict[str, float | None]:
    return {"count": tenant.side.get("open_count"), "oldest_hr": tenant.side.get("oldest_open_hr")}


def by_model(live: LiveRelease, tenants: Sequence[ServedTenant]) -> dict[PublishedModel | None, list[ServedTenant]]:
    """Groups tenants, in order, by the model that answers for them; None where no model does."""
    groups: dict[PublishedModel | None, list[ServedTenant]] = {}
    for tenant in tenants:
        groups.setdefault(live.model_for(tenant.partition_slug), []).append(tenant)
    return groups
