"""From what the Feature Store serves and what the model answers to what a client reads. No AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tenant_experience.data_layout import SIDE_COLUMNS
from tenant_experience.release.release import LiveRelease
from tenant_experience.use_case.served import ServedUseCase

INSUFFICIENT_HISTORY = "insufficient_history"
_MAX_REASONS = 3
# Told for every use case, null where nothing is known; what else a model answers is told as it comes.
_ALWAYS_TOLD = ("experience", "probability", "closeness")
_ONLY_WHEN_TOLD = ("probabilities", "value", "unknown_categories")


@dataclass(frozen=True)
class ServedTenant:
    """One tenant's record of the online store.

    Attributes:
        tenant_id: who.
        portfolio_id: where.
        partition_slug: whose model answers.
        as_of: the features' time, ISO 8601 UTC.
        release: the release that computed them.
        history: sufficient, provisional or insufficient.
        values: the use case's features that are known: numbers, and texts for categories.
        side: exposure_days, open_count, oldest_open_hr, where known.
    """

    tenant_id: str
    portfolio_id: str
    partition_slug: str
    as_of: str
    release: str
    history: str
    values: Mapping[str, float | str]
    side: Mapping[str, float]

    @property
    def may_be_predicted(self) -> bool:
        """False for a tenant with too little history: no model is ever asked about it."""
        return self.history != "insufficient"

    @property
    def instance(self) -> dict[str, Any]:
        """The tenant as the model reads it."""
        return {
            "tenant_id": self.tenant_id,
            "features": dict(self.values),
            "exposure_days": self.side.get("exposure_days"),
        }


def read_record(record: Mapping[str, str], use_case: ServedUseCase) -> ServedTenant:
    """A record of the online store: feature name -> value as text. What is no feature any more is passed over."""
    return ServedTenant(
        tenant_id=record[use_case.record_id],
        portfolio_id=record.get(use_case.partition_column, ""),
        values={
            name: record[name] if feature.is_category else float(record[name])
            for name, feature in use_case.features.items()
            if name in record
        },
        side={name: float(record[name]) for name in SIDE_COLUMNS if name in record},
        **{name: record.get(name, "") for name in ("partition_slug", "as_of", "release", "history")},
    )


def describe_features(tenant: ServedTenant, use_case: ServedUseCase) -> dict[str, Any]:
    """The answer of ``GET /tenants/{tenant_id}/features``. A feature that has no denominator is null.

    ``release`` is the one that last changed any of it, while later ones found the same values.
    """
    return {
        "tenant_id": tenant.tenant_id,
        "portfolio_id": tenant.portfolio_id,
        "as_of": tenant.as_of,
        "history": tenant.history,
        "exposure_days": tenant.side.get("exposure_days"),
        "features": {name: tenant.values.get(name) for name in use_case.features},
        "open_items": _open_items(tenant),
        "release": tenant.release,
    }


def describe_prediction(
    tenant: ServedTenant,
    model: Mapping[str, Any] | None,
    use_case: ServedUseCase,
    *,
    now: datetime,
    stale_after: timedelta,
) -> dict[str, Any]:
    """The answer of ``GET /tenants/{tenant_id}/prediction``.

    Args:
        tenant: the served record.
        model: ``model_version``, ``scale`` and the tenant's row of ``predictions``; None when history is insufficient.
        use_case: names, words, and the aspects that are shown apart.
        now: UTC.
        stale_after: the age of ``as_of`` from which the answer says ``stale``.
    """
    row = {"experience": INSUFFICIENT_HISTORY} if model is None else model["prediction"]
    return {
        "tenant_id": tenant.tenant_id,
        "portfolio_id": tenant.portfolio_id,
        **{name: row.get(name) for name in _ALWAYS_TOLD},
        **{name: row[name] for name in _ONLY_WHEN_TOLD if name in row},
        "reasons": reasons(tenant, row, use_case),
        **{
            aspect: {name: tenant.values.get(name) for name in names}
            for aspect, names in sorted(use_case.aspects.items())
        },
        "open_items": _open_items(tenant),
        "history": tenant.history,
        "model_version": None if model is None else model["model_version"],
        "scale": None if model is None else model["scale"],
        "as_of": tenant.as_of,
        "stale": now - datetime.fromisoformat(tenant.as_of) > stale_after,
    }


def reasons(tenant: ServedTenant, row: Mapping[str, Any], use_case: ServedUseCase) -> list[dict[str, Any]]:
    """Why, in words: the features that moved the model most, the strongest first.

    Args:
        tenant: the served record.
        row: of ``predictions``; its ``contributions`` are feature -> what it added (XGBoost's own SHAP values): to the
            log-odds of the positive label, to those of the row's own label where none is positive, or to the number.
        use_case: names and words.
    """
    strongest = sorted(row.get("contributions", {}).items(), key=lambda item: (-abs(item[1]), item[0]))
    return [
        {
            "feature": name,
            "text": f"{_words(name, use_case)} {_effect(weight, row, use_case)} ({_value(tenant.values.get(name))})",
            "towards": _towards(weight, row, use_case),
            "weight": weight,
        }
        for name, weight in strongest[:_MAX_REASONS]
        if weight
    ]


def _words(name: str, use_case: ServedUseCase) -> str:
    # A model may be older than the use case, and read what it no longer names.
    feature = use_case.features.get(name)
    return name.replace("_", " ") if feature is None else feature.words


def _effect(weight: float, row: Mapping[str, Any], use_case: ServedUseCase) -> str:
    if not use_case.labels:
        return "raises the number" if weight > 0 else "lowers the number"
    outcome = use_case.outcome if use_case.positive else row["experience"]
    return f"speaks {'for' if weight > 0 else 'against'} {outcome}"


def _towards(weight: float, row: Mapping[str, Any], use_case: ServedUseCase) -> str:
    """The label a reason speaks for; ``other`` when that is any but one of several; ``higher`` or ``lower``."""
    if not use_case.labels:
        return "higher" if weight > 0 else "lower"
    favoured: str = use_case.positive or row["experience"]
    if weight > 0:
        return favoured
    others = [label for label in use_case.labels if label != favoured]
    return others[0] if len(others) == 1 else "other"


def _value(value: float | str | None) -> str:
    if value is None:
        return "not known"
    return value if isinstance(value, str) else f"{value:.4g}"


def _open_items(tenant: ServedTenant) -> dict[str, float | None]:
    return {"count": tenant.side.get("open_count"), "oldest_hr": tenant.side.get("oldest_open_hr")}


def by_model(live: LiveRelease, tenants: Sequence[ServedTenant]) -> dict[tuple[str, str] | None, list[ServedTenant]]:
    """Tenants grouped by the (slug, version) that answers for them, or None where none does; order kept."""
    groups: dict[tuple[str, str] | None, list[ServedTenant]] = {}
    for tenant in tenants:
        groups.setdefault(live.model_for(tenant.partition_slug), []).append(tenant)
    return groups
