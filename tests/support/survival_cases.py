"""Censored times for tests, and what lifelines says of them.

lifelines needs another pandas than this checkout, so its figures are recorded here. To make them again::

    uv run --no-project --with lifelines==0.30.3 python tests/support/survival_cases.py
"""

from __future__ import annotations

import numpy as np

Case = tuple["np.ndarray", "np.ndarray", "np.ndarray"]
AT = (3.0, 10.0, 29.5, 60.0)
# Of cases 0, 1 ...: the C-index, and the share without an event by the times of ``AT``.
RECORDED: list[tuple[float, list[float]]] = [
    (0.7075609322184665, [0.9160000000000007, 0.5524727642630964, 0.19450431364089119, 0.05783279318782484]),
    (0.7303547291126292, [0.9640000000000002, 0.6064702273929137, 0.16090776060930362, 0.055926717411598006]),
    (0.7251364512860738, [0.8680000000000005, 0.536, 0.15200000000000005, 0.13200000000000006]),
    (0.7188069063195521, [0.9520000000000007, 0.6320000000000003, 0.256, 0.14800000000000005]),
    (0.6964162116434669, [0.9120000000000006, 0.5948513859066109, 0.221761217043853, 0.021176016960144827]),
    (0.7155511811023622, [0.9520000000000007, 0.6171999040977373, 0.2492849729538243, 0.07032513547366775]),
]


def survival_case(number: int, rows: int = 250) -> Case:
    """Times, whether they are censored, and predictions. Odd cases have whole days and ties."""
    chance = np.random.default_rng(number)
    score = chance.normal(0, 1, rows)
    times = np.exp(2.5 + 0.7 * score + chance.normal(0, 0.8, rows))
    limit = chance.uniform(5, 80, rows) if number % 4 < 2 else np.full(rows, 40.0)
    censored = times > limit
    times = np.minimum(times, limit)
    predicted = np.exp(score + chance.normal(0, 0.5, rows))
    if number % 2:
        times, predicted = np.ceil(times), np.round(predicted, 1)
    return times, censored, predicted


if __name__ == "__main__":
    from lifelines import KaplanMeierFitter
    from lifelines.utils import concordance_index

    for place in range(6):
        found, unknown, told = survival_case(place)
        curve = KaplanMeierFitter().fit(found, ~unknown)
        # The curve at a time counts an event at that time; ours is of times before it.
        shares = [float(curve.predict(np.nextafter(at, 0))) for at in AT]
        print(f"    ({concordance_index(found, told, ~unknown)!r}, {shares!r}),")  # noqa: T201
