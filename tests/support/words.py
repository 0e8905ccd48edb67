"""The words of tenant_experience, for tests of functions that take words."""

from __future__ import annotations

from tenant_experience.use_case.words import Words

TENANT_WORDS = Words("tenant", "tenants", "portfolio", "portfolios")
