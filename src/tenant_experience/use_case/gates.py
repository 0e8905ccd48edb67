"""``gates:`` of ``use_case.yaml``: what a release and a model must reach."""

from __future__ import annotations

from pydantic import Field

from tenant_experience.settings_file import Settings


class Gates(Settings):
    """Limits that refuse a release; null switches one off, all but ``pooled_tenants``.

    ``feature_shift``, ``null_share`` and ``vanished_portfolios`` compare with the release that is live. From
    ``roc_auc`` on they refuse one model, not the release.

    Attributes:
        quarantine_share: of the rows read, at most this share is refused.
        failed_records_share: of the tenants an instance ingests, at most this share, rounded up, is not written.
        pooled_tenants: at least this many tenants may train.
        freshness_days: the newest event is at most this much older than ``as_of``.
        feature_shift: no feature's PSI is above this, nor that of labels from a column.
        null_share: no feature's share of tenants without a value grows by more, nor that of tenants without a label.
        vanished_portfolios: at most this share of the portfolios is gone.
        roc_auc: of a model, at least.
        r2: of a model that tells a number: at least this share of the variance is explained.
        calibration_error: of a model, at most.
        missing_accuracy: a model's accuracy when three features of each tenant are missing, at least.
        champion_loss: on the same tenants a model's log loss is not surely (by the lower end of its interval) more than
            so much above that of the model that is live; of numbers, the root mean squared error by this share of it.
    """

    quarantine_share: float | None = Field(default=0.05, ge=0, le=1)
    failed_records_share: float | None = Field(default=0.001, ge=0, le=1)
    pooled_tenants: int = Field(default=500, ge=1)
    freshness_days: int | None = Field(default=45, ge=0)
    feature_shift: float | None = Field(default=1.0, gt=0)
    null_share: float | None = Field(default=0.25, ge=0, le=1)
    vanished_portfolios: float | None = Field(default=0.5, ge=0, le=1)
    roc_auc: float | None = Field(default=0.6, ge=0, le=1)
    r2: float | None = Field(default=None, le=1)
    calibration_error: float | None = Field(default=0.2, ge=0, le=1)
    missing_accuracy: float | None = Field(default=None, ge=0, le=1)
    champion_loss: float | None = Field(default=0.02, ge=0)
