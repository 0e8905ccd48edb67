"""Made-up validations by outcomes."""

from __future__ import annotations

from tenant_experience.models.validation import OutcomeValidation


def surveys(auc: float = 0.71, low: float = 0.66, high: float = 0.76, words: str = "surveys") -> OutcomeValidation:
    """312 surveys of the year after the answers, 71 of them bad."""
    return OutcomeValidation(
        kind="survey",
        words=words,
        outcomes=312,
        tenants=312,
        bad=71,
        trained=0,
        answers_as_of="2025-11-01T00:00:00Z",
        until="2026-11-01T00:00:00Z",
        period="following",
        auc=auc,
        low=low,
        high=high,
    )
