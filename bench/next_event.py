"""Days until the next purchase, of generated clients whose truth is known: survival:aft beside plain regression.

python -m bench.next_event --clients 3000

Models are released from one log by the jobs' own functions and asked about the clients of another log, at three
cut-offs. A client buys at random times with a mean of its own, so nobody can rank clients better than by this mean.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tenant_experience.features.table import FeatureTable, read_examples
from tenant_experience.models.scoring import Scorer
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.reliability import tenths
from tenant_experience.statistics.survival import concordance, expected_within, kaplan_meier, shares_within
from tenant_experience.use_case.schema import load_use_case
from tests.support.purchases import WINDOW, Purchases, purchases, written

_TREES = {"learning_rate": 0.05, "max_depth": 3, "min_child_weight": 10}
_MODELS: dict[str, dict[str, Any]] = {
    **{
        f"survival:aft, {distribution}": {
            "hyperparameters": {**_TREES, "objective": "survival:aft", "aft_loss_distribution": distribution}
        }
        for distribution in ("extreme", "normal", "logistic")
    },
    "reg:squarederror, days up to the window": {"hyperparameters": _TREES},
    "linear, days up to the window": {"trainer": "linear"},
}


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=3_000, help="of each log (default: %(default)s)")
    options = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="next-event-") as folder:
        os.environ["SAGEMAKER_BASE_DIR"] = f"{folder}/ml"
        learned, asked = (purchases(options.clients, seed=seed) for seed in (1, 2))
        table = _examples(Path(folder) / "asked", asked)
        truth = np.array([asked.mean_days[each] for each in table.tenant_id.tolist()])
        known = np.asarray(table.label, dtype=np.float64)
        times, censored = np.minimum(known, WINDOW), known >= WINDOW
        print(
            f"{len(table)} examples; {np.mean(np.asarray(table.censored)):.1%} censored by the end of the log, "
            f"{censored.mean():.1%} without a purchase within {WINDOW} days"
        )
        print(f"{'':42}{'C-index':>9}{'MAE':>8}{'days off':>10}{'P off':>8}")
        chance, mean = -np.expm1(-WINDOW / truth), truth * -np.expm1(-WINDOW / truth)
        _line("the truth", times, censored, truth * np.log(2), mean, chance)
        for number, (name, changes) in enumerate(_MODELS.items()):
            made = written(Path(folder) / f"model{number}", learned.rows(), **changes)
            made.release()
            scorer = Scorer.load(made.base / "models/all")
            matrix, of_times = scorer.encoding.matrix(table), scorer.manifest.time_to_event
            days = expected = scorer.outputs(matrix)
            told: Floats | None = None
            if of_times is not None and of_times.distribution is not None and of_times.scale is not None:
                margins = scorer.margins(matrix).astype(np.float64)
                expected = expected_within(margins, WINDOW, of_times.distribution, of_times.scale)
                told = shares_within(margins, WINDOW, of_times.distribution, of_times.scale)
            _line(name, times, censored, days, expected, told)
    return 0


def _examples(base: Path, log: Purchases) -> FeatureTable:
    made = written(base, log.rows())
    made.build()
    return read_examples(base / "job/features", load_use_case(made.folder))


def _line(name: str, times: Floats, censored: Any, days: Floats, expected: Floats, chance: Floats | None) -> None:
    """C-index; mean error of the days; by tenths, the distance of mean days, and of P(purchase) from Kaplan-Meier."""
    off = np.mean(
        [abs(expected[rows].mean() - times[rows].mean()) for rows in np.array_split(np.argsort(expected), 10)]
    )
    shares = ""
    if chance is not None:
        place = tenths(chance)
        distances = []
        for rows in (place == number for number in np.unique(place)):
            happened = 1 - kaplan_meier(times[rows], censored[rows], WINDOW)
            distances.append(rows.sum() * abs(chance[rows].mean() - happened))
        shares = f"{sum(distances) / len(chance):8.3f}"
    error = np.abs(np.minimum(days, WINDOW) - times).mean()
    print(f"{name:42}{concordance(times, censored, days)[0]:9.4f}{error:8.2f}{off:10.2f}{shares}")


if __name__ == "__main__":
    raise SystemExit(main())
