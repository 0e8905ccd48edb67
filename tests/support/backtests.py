"""What a backtest may have found, made up."""

from __future__ import annotations

from typing import Any

import numpy as np

from tenant_experience.groups.backtest import reliability
from tenant_experience.groups.next_period import Backtest, NextPeriod, Pair, Recalibration


def made_up_next_period(error: float = 0.02, **changes: Any) -> NextPeriod:
    """Of two groups; 1,000 tenants were told 2% or 60%, and ``error`` more of them were bad."""
    told = np.repeat([0.02, 0.6], 500)
    after = np.concatenate([np.arange(500) < 500 * (0.02 + error), np.arange(500) < 500 * (0.6 + error)])
    published = reliability(np.column_stack([1 - told, told]), after.astype(np.intp))
    before = published.model_copy(update={"calibration_error": 0.3})
    pair = Pair(earlier="2024-11-01T00:00:00Z", later="2025-11-01T00:00:00Z", tenants=900, incomplete=7, worst=300)
    backtest = Backtest(
        pairs=(pair, pair.model_copy(update={"later": "2026-11-01T00:00:00Z", "incomplete": 12})),
        tested_on="later_pair",
        tenants=1_000,
        worst=int(after.sum()),
        shrunk=True,
        with_markers=False,
        as_redrawn=before,
        published=published,
    )
    return NextPeriod(
        basis="backtest",
        recalibration=Recalibration(intercepts=(0.0,), shares=((1.0,),)),
        persistence=((0.9, 0.1), (0.2, 0.8)),
        backtest=backtest.model_copy(update=changes),
    )
