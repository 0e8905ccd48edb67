"""What a score trained on outcomes gains over the published answers, and how often it is offered: decision 41.

``.venv/bin/python -m bench.supervised_score`` makes releases of simulated tenants whose chance of a bad survey is
known. It hangs on their true waits, of which the groups are made; on these and on how many tickets they have,
which the groups leave out; or on the latter alone. The optimum is the AUC of the true chances themselves.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.output import tell
from tenant_experience.evaluation.supervised_score import compare_score
from tenant_experience.statistics.arrays import Floats
from tests.support.following_period import published_model
from tests.support.generated_tenants import use_case
from tests.support.known_satisfaction import dissatisfaction, true_area, with_outcomes
from tests.support.true_tenants import TrueTenants, true_tenants

TENANTS = 4_000
WORLDS = ("waits", "waits and tickets", "tickets alone")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; always 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.supervised_score", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="of simulated tenants (%(default)s)")
    options = parser.parse_args(arguments)
    tell("| satisfaction hangs on | surveys | optimum | published | score | offered |")
    tell("|---|---|---|---|---|---|")
    for world in WORLDS:
        found: dict[int, list[tuple[float, float, float, bool]]] = {}
        for seed in range(options.seeds):
            for surveys, figures in _compared(world, seed):
                found.setdefault(surveys, []).append(figures)
        for surveys, rows in found.items():
            optimum, published, score, offered = np.mean(np.asarray(rows, dtype=np.float64), axis=0).tolist()
            often = f"{round(offered * len(rows))} of {len(rows)}"
            tell(f"| {world} | {surveys} | {optimum:.3f} | {published:.3f} | {score:.3f} | {often} |")
    return 0


def _compared(world: str, seed: int) -> Iterator[tuple[int, tuple[float, float, float, bool]]]:
    tenants = true_tenants(TENANTS, seed)
    year = tenants.period(2 * seed)
    with TemporaryDirectory() as folder:
        model = published_model([year], use_case(), Path(folder) / "model")
    chance, rng = _chance(world, tenants), np.random.default_rng([seed, 3])
    answers = model.publish(model.scorer.encoding.matrix(year), year.side["exposure_days"]).outputs
    for surveys in (100, 300, 1_000):
        rows = np.sort(rng.choice(TENANTS, surveys, replace=False))
        bad = rng.random(surveys) < chance[rows]
        found = compare_score("survey", "surveys", "concurrent", year.take(rows), bad, answers[rows], with_outcomes())
        yield surveys, (true_area(chance, chance), found.published, found.auc, found.is_better)


def _chance(world: str, tenants: TrueTenants) -> Floats:
    by_waits = dissatisfaction(tenants, "survey")
    if world == WORLDS[0]:
        return by_waits
    tickets = np.log1p(tenants.mean["total_tickets"])
    further = 1.5 * (tickets - tickets.mean()) / tickets.std()
    logit = further - 1 if world == WORLDS[2] else np.log(by_waits / (1 - by_waits)) + further
    return np.asarray(1 / (1 + np.exp(-logit)))


if __name__ == "__main__":
    sys.exit(main())
