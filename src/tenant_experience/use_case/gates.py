"""``gates:`` of ``use_case.yaml``: the limits that a release and a model must keep."""

from __future__ import annotations

from pydantic import Field

from tenant_experience.settings_file import Settings


class Gates(Settings):
    """Limits that refuse a release or a model; null switches a limit off, except ``pooled_tenants``.

    ``feature_shift``, ``null_share`` and ``vanished_portfolios`` compare with the live release. The limits from
    ``roc_auc`` on refuse one model, not the release.

    Attributes:
        quarantine_share: at most this share of the rows is quarantined.
        conflicting_ids: at most this share of the events have an id that other rows use for a different event; of a
            ready-made table, at most this share of the ids have rows that differ.
        failed_records_share: at most this share (rounded up) of the tenants that an instance ingests is not written.
        pooled_tenants: at least this many tenants may train.
        freshness_days: the newest event is at most this many days older than ``as_of``.
        feature_shift: the PSI of each feature, and of labels from a column, is at most this and what chance can
            add.
        null_share: the share of tenants without a value grows by at most this, for each feature. Of labels from a
            column, a larger growth is a warning.
        vanished_portfolios: at most this share of the portfolios is gone.
        roc_auc: the model's ROC AUC is at least this.
        concordance: the C-index of a model that predicts the days until an event is at least this.
        r2: a model that predicts a number explains at least this share of the variance.
        calibration_error: the model's calibration error is at most this.
        missing_accuracy: the model's accuracy is at least this when three features of each tenant are missing.
        champion_loss: the log loss must not exceed that of the live model, on the same tenants, by more than this with
            certainty (at the lower end of the interval); for numbers, the root mean squared error, by this share of it.
    """

    quarantine_share: float | None = Field(default=0.05, ge=0, le=1)
    conflicting_ids: float | None = Field(default=0.1, ge=0, le=1)
    failed_records_share: float | None = Field(default=0.001, ge=0, le=1)
    pooled_tenants: int = Field(default=500, ge=1)
    freshness_days: int | None = Field(default=45, ge=0)
    feature_shift: float | None = Field(default=1.0, gt=0)
    null_share: float | None = Field(default=0.25, ge=0, le=1)
    vanished_portfolios: float | None = Field(default=0.5, ge=0, le=1)
    roc_auc: float | None = Field(default=0.6, ge=0, le=1)
    concordance: float | None = Field(default=0.55, ge=0, le=1)
    r2: float | None = Field(default=None, le=1)
    calibration_error: float | None = Field(default=0.2, ge=0, le=1)
    missing_accuracy: float | None = Field(default=None, ge=0, le=1)
    champion_loss: float | None = Field(default=0.02, ge=0)
