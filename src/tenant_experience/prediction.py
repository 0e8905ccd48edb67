"""From what the Feature Store serves and what the model answers to what a client reads. No AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tenant_experience.release import LiveRelease

_TEXT = ("portfolio_id", "partition_slug", "as_of", "release", "history")
DEMAND = ("total_tickets", "total_maintenance_tickets", "work_order_count", "outbound_call_count")
SERVICE = (
    "mean_first_response_hr",
    "mean_full_resolution_hr",
    "answer_rate",
    "escalation_count",
    "positive_rate",
    "negative_rate",
)
MODEL_FEATURES = DEMAND + SERVICE
_WORDS = {
    "total_tickets": "number of tickets",
    "total_maintenance_tickets": "number of maintenance requests",
    "work_order_count": "number of work orders",
    "outbound_call_count": "number of calls made to the tenant",
    "mean_first_response_hr": "hours until the first response",
    "mean_full_resolution_hr": "hours until the matter is resolved",
    "answer_rate": "share of calls answered",
    "escalation_count": "number of escalations",
    "positive_rate": "share of tickets with a positive tone",
    "negative_rate": "share of tickets with a negative tone",
}
_MAX_REASONS = 3


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
        values: every numeric feature that is known; one without a denominator is absent.
    """

    tenant_id: str
    portfolio_id: str
    partition_slug: str
    as_of: str
    release: str
    history: str
    values: Mapping[str, float]

    @property
    def instance(self) -> dict[str, Any]:
        """The tenant as the model reads it."""
        return {
            "tenant_id": self.tenant_id,
            "features": {name: self.values[name] for name in MODEL_FEATURES if name in self.values},
        }


def read_record(record: Mapping[str, str]) -> ServedTenant:
    """A record of the online store: feature name -> value as text."""
    texts = {name: record.get(name, "") for name in _TEXT}
    passed_over = {*_TEXT, "tenant_id", "event_time"}
    values = {name: float(text) for name, text in record.items() if name not in passed_over}
    return ServedTenant(tenant_id=record["tenant_id"], values=values, **texts)


def describe_features(tenant: ServedTenant) -> dict[str, Any]:
    """The answer of ``GET /tenants/{tenant_id}/features``. A feature that has no denominator is null.

    ``release`` is the one that last changed any of it, while later ones found the same values.
    """
    return {
        "tenant_id": tenant.tenant_id,
        "portfolio_id": tenant.portfolio_id,
        "as_of": tenant.as_of,
        "history": tenant.history,
        "exposure_days": tenant.values.get("exposure_days"),
        "features": {name: tenant.values.get(name) for name in MODEL_FEATURES},
        "open_items": _open_items(tenant),
        "release": tenant.release,
    }


def describe_prediction(
    tenant: ServedTenant, model: Mapping[str, Any] | None, *, now: datetime, stale_after: timedelta
) -> dict[str, Any]:
    """The answer of ``GET /tenants/{tenant_id}/prediction``.

    Args:
        tenant: the served record.
        model: ``model_version``, ``scale`` and the tenant's row of ``predictions``; None when history is insufficient.
        now: UTC.
        stale_after: the age of ``as_of`` from which the answer says ``stale``.
    """
    scored = model is not None
    row = model["prediction"] if model is not None else {}
    return {
        "tenant_id": tenant.tenant_id,
        "portfolio_id": tenant.portfolio_id,
        "experience": row["experience"] if scored else "insufficient_history",
        "probability": row["probability"] if scored else None,
        "reasons": reasons(tenant, row.get("contributions", {})),
        "demand": {name: tenant.values.get(name) for name in DEMAND},
        "service": {name: tenant.values.get(name) for name in SERVICE},
        "open_items": _open_items(tenant),
        "history": tenant.history,
        "model_version": model["model_version"] if model is not None else None,
        "scale": model["scale"] if model is not None else None,
        "as_of": tenant.as_of,
        "stale": now - datetime.fromisoformat(tenant.as_of) > stale_after,
    }


def reasons(tenant: ServedTenant, contributions: Mapping[str, float]) -> list[dict[str, Any]]:
    """Why, in words: the features that moved the model most, the strongest first.

    Args:
        tenant: the served record.
        contributions: feature -> log-odds it added towards ``bad`` (XGBoost's own SHAP values).
    """
    strongest = sorted(contributions.items(), key=lambda item: (-abs(item[1]), item[0]))
    return [
        {
            "feature": name,
            "text": f"{_WORDS.get(name, name)} {'speaks for' if weight > 0 else 'speaks against'} a bad experience"
            + (f" ({tenant.values[name]:.4g})" if name in tenant.values else " (not known)"),
            "towards": "bad" if weight > 0 else "good",
            "weight": weight,
        }
        for name, weight in strongest[:_MAX_REASONS]
        if weight
    ]


def _open_items(tenant: ServedTenant) -> dict[str, float | None]:
    return {"count": tenant.values.get("open_count"), "oldest_hr": tenant.values.get("oldest_open_hr")}


def by_model(live: LiveRelease, tenants: Sequence[ServedTenant]) -> dict[tuple[str, str] | None, list[ServedTenant]]:
    """Tenants grouped by the (slug, version) that answers for them, or None where none does; order kept."""
    groups: dict[tuple[str, str] | None, list[ServedTenant]] = {}
    for tenant in tenants:
        groups.setdefault(live.model_for(tenant.partition_slug), []).append(tenant)
    return groups
