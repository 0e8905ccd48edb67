"""Files like those that another system scored customers from: one-hot columns, a broken header, and no id."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.support.churn_export import STATES

_MEASURES = (
    *("Account Length", "VMail Message", "Day Mins", "Day Calls", "Eve Mins", "Eve Calls", "Night Mins"),
    *("Night Calls", "Intl Mins", "Intl Calls", "CustServ Calls", "Dimension"),
)
_ALL_STATES = (
    *("AK", "AL", "AR", "AZ", "CA", "CO", "CT", "DC", "DE", "FL", "GA", "HI", "IA", "ID", "IL", "IN", "KS", "KY"),
    *("LA", "MA", "MD", "ME", "MI", "MN", "MO", "MS", "MT", "NC", "ND", "NE", "NH", "NJ", "NM", "NV", "NY", "OH"),
    *("OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VA", "VT", "WA", "WI", "WV", "WY"),
)
_AREA_CODES = (
    *(657, 658, 659, 676, 677, 678, 686, 707, 716, 727, 736, 737, 758, 766, 776, 777, 778, 786, 787, 788, 797, 798),
    *(806, 827, 836, 847, 848, 858, 866, 868, 876, 877),
)
HEADER = ",".join(
    [
        "Churn?_True.",
        *_MEASURES,
        *(f"State_{state}" for state in _ALL_STATES),
        *(f"Area Code_{code}" for code in _AREA_CODES),
        """Area Code_878', "Int'l Plan_no", "Int'l Plan_yes", 'VMail Plan_no,VMail Plan_yes""",
    ]
)


def inference_lines(customers: int, *, seed: int = 0, without_truth: Sequence[int] = ()) -> list[str]:
    """The lines of some customers. Who calls the service often leaves; of the rows named, it is not known."""
    draw = np.random.default_rng(seed)
    lines = []
    for number in range(1, customers + 1):
        calls, planned, mail = int(draw.poisson(1.5)), draw.random() < 0.3, draw.random() < 0.4
        leaves = draw.random() < 1 / (1 + np.exp(7 - 4 * calls - 3 * planned))
        truth = "" if number in without_truth else str(int(leaves))
        minutes = [f"{draw.gamma(4, 1.5):.8f}" for _ in range(4)]
        counts = [str(int(draw.poisson(4))) for _ in range(4)]
        state = STATES[int(draw.integers(len(STATES)))]
        cells = [truth, f"{draw.integers(1, 200)}.0", f"{draw.integers(0, 400)}.0"]
        cells += [each for pair in zip(minutes, counts, strict=True) for each in pair]
        cells += [f"{calls}.0", "1.0"]
        cells += ["1.0" if each == state else "0.0" for each in _ALL_STATES]
        cells += ["1.0" if each == 806 else "0.0" for each in (*_AREA_CODES, 878)]
        cells += ["0.0", "1.0"] if planned else ["1.0", "0.0"]
        cells += ["0.0", "1.0"] if mail else ["1.0", "0.0"]
        lines.append(",".join(cells))
    return lines


def write_inference(path: Path, lines: Sequence[str]) -> Path:
    """A file of these lines."""
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path
