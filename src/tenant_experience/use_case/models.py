"""``models:`` of ``use_case.yaml``: how many models there are."""

from __future__ import annotations

from pydantic import Field

from tenant_experience.settings_file import Settings
from tenant_experience.use_case.manifest import Scope


class Models(Settings):
    """How many models there are.

    Attributes:
        scope: ``global``, one model for all; ``per_partition``, one for each portfolio with at least
            ``minimum_tenants`` that may train; or ``pooled``, one for all with a level for each portfolio, shrunk
            towards 0 (decision 27).
        minimum_tenants: see ``scope``; a pooled model is compared with models of portfolios of that size.
        fallback: whether a global model answers for the portfolios without a model of their own.
        shard_size: how many models one training job trains.
    """

    scope: Scope = "global"
    fallback: bool = True
    minimum_tenants: int = Field(default=2_000, ge=1)
    shard_size: int = Field(default=10, ge=1, le=1_000)
