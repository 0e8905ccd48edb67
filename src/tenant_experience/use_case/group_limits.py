"""``clustering.limits`` of ``use_case.yaml``: the limits that groups must keep, P(worse) among them."""

from __future__ import annotations

from pydantic import Field

from tenant_experience.settings_file import Settings


class GroupLimits(Settings):
    """What groups must show before they are called good and bad; the last two limits only warn.

    Attributes:
        probability_worse: on every marker, a tenant of the worse of two neighbouring groups is worse off with at least
            this probability; ties count half.
        stability_median: the median adjusted Rand index of refits on resampled tenants is at least this.
        stability_minimum: the smallest adjusted Rand index of these refits is at least this.
        smallest_group: the smallest group has at least this many tenants.
        smallest_share: the smallest group has at least this share of the tenants.
        structure_ratio: the explained variance is at least this many times that of data whose columns are shuffled
            independently.
        continuum_margin: the explained variance exceeds that of data without groups by more than this.
        service_auc: the features with aspect service alone separate the groups with at least this AUC.
    """

    probability_worse: float = Field(default=0.55, ge=0.5, le=1)
    stability_median: float = Field(default=0.90, ge=0, le=1)
    stability_minimum: float = Field(default=0.80, ge=0, le=1)
    smallest_group: int = Field(default=30, ge=1)
    smallest_share: float = Field(default=0.05, ge=0, lt=0.5)
    structure_ratio: float = Field(default=1.2, ge=1)
    continuum_margin: float = Field(default=0.02, ge=0, le=1)
    service_auc: float = Field(default=0.80, ge=0.5, le=1)
