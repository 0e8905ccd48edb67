"""What ``status`` says in every answer about a prediction. Only the standard library."""

from __future__ import annotations

from enum import StrEnum


class PredictionStatus(StrEnum):
    """Whether a tenant has a prediction and, if not, why. Clients switch on this field alone.

    The endpoint answers ``scored`` or ``no_features``, and to lines also ``refused``; the API all others.
    """

    SCORED = "scored"
    """The model answered: the label or the number is there."""

    NO_FEATURES = "no_features"
    """None of the features that decide is known, so every number is null."""

    INSUFFICIENT_HISTORY = "insufficient_history"
    """The tenant's history is too short, so the model was not asked."""

    NO_ANSWER = "no_answer"
    """Only in ``POST /predictions``: this id could not be answered; ``code`` and ``detail`` say why."""

    REFUSED = "refused"
    """Only in answers to JSON lines: this line is wrong; ``error`` says why."""
