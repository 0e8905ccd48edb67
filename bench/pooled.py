"""What a level for each portfolio is worth: own, pooled and global models of simulated portfolios, and of telecom.

First, 200 portfolios of three kinds: levels and slopes differ, only levels differ, or nothing does. The true chance of
every tenant is known, so the table has the excess log loss over it, by the size of the portfolio. Then 50 portfolios of
25 to 4,000 tenants, one a line, and the three dimensions of the telecom data where they are on this machine.

    python -m bench.pooled
    python -m bench.pooled --telecom <folder with the CSV files>
"""

from __future__ import annotations

import argparse
import logging
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.output import tell
from tenant_experience.data_layout import OWN_MODELS, partition_slug
from tenant_experience.errors import AlgorithmError
from tenant_experience.evaluation.partition import evaluate_partition
from tenant_experience.features.table import FeatureTable, read_features
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.models.served_model import ServedModel
from tenant_experience.statistics.arrays import Floats
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.schema import UseCase, load_use_case
from tests.support.feature_job import FeatureJob
from tests.support.places import SHARED_DATA, USE_CASES
from tests.support.simulated_portfolios import Differences, Portfolios, pooled_use_case

_ALL = Partition("all", "all")
_KINDS = {
    "levels and slopes differ": Differences(levels=0.67, features=0.4),
    "levels and one slope differ": Differences(levels=0.67, slope=0.5),
    "only levels differ": Differences(levels=0.67),
    "nothing differs": Differences(),
}
_BANDS = ((25, 99), (100, 399), (400, 4_000))
_NEW = 400  # new tenants of each portfolio, whom no model has seen


@dataclass(frozen=True)
class Excess:
    """Mean log loss over the true one, (portfolios,); ``own`` is NaN where a portfolio cannot have a model."""

    own: Floats
    pooled: Floats
    plain: Floats
    sizes: Floats
    taken: str


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--portfolios", type=int, default=200, help="of each kind")
    parser.add_argument("--telecom", type=Path, default=SHARED_DATA / "telecom_churn" / "training")
    options = parser.parse_args(arguments)
    # Small portfolios give small models, and most of them a warning.
    logging.disable(logging.WARNING)
    tell(f"Excess log loss, {options.portfolios} portfolios of 25 to 4,000 tenants")
    tell(f"{'':30}{'tenants':>12}{'global':>9}{'pooled':>9}{'own':>9}  taken")
    for kind, differences in _KINDS.items():
        excess = _excess(options.portfolios, differences)
        for low, high in _BANDS:
            chosen = (excess.sizes >= low) & (excess.sizes <= high)
            means = [float(np.nanmean(each[chosen])) for each in (excess.plain, excess.pooled, excess.own)]
            tell(f"{kind:30}{f'{low}-{high}':>12}" + "".join(f"{mean:9.3f}" for mean in means) + f"  {excess.taken}")
    excess = _excess(50, _KINDS["only levels differ"], seed=1)
    tell(
        "\nExcess log loss, 50 portfolios whose levels differ\n" + f"{'tenants':>8}{'global':>9}{'pooled':>9}{'own':>9}"
    )
    for place in np.argsort(excess.sizes, kind="stable"):
        row = (excess.plain[place], excess.pooled[place], excess.own[place])
        tell(f"{int(excess.sizes[place]):8}" + "".join(f"{each:9.3f}" for each in row))
    if options.telecom.is_dir():
        _tell_telecom(options.telecom)
    else:
        tell("\nThe telecom data are not on this machine; --telecom names their folder.")
    return 0


def _excess(count: int, differences: Differences, seed: int = 0) -> Excess:
    sizes = np.exp(np.random.default_rng([seed, 3]).uniform(np.log(25), np.log(4_000), count)).astype(int)
    portfolios = Portfolios.draw(count, differences, seed)
    known, _ = portfolios.tenants(sizes.tolist(), seed)
    new, truth = portfolios.tenants([_NEW] * count, seed + 1_000)
    rules = pooled_use_case()
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        known = known.in_order_of_content()
        run = _run(rules)
        model = _trained(run, known, folder)
        levels = model.scorer.manifest.levels
        losses = [_over(truth, each, count) for each in (_pooled(model, new), _plain(model, new))]
        own = np.full(count, np.nan)
        for number, name in enumerate(portfolios.names):
            alone = _own(run, known, name, folder)
            if alone is not None:
                of_it = new.portfolio_id == name
                own[number] = _over(truth[of_it], _pooled(alone, new.take(of_it)), 1)[0]
    return Excess(own, losses[0], losses[1], sizes.astype(np.float64), levels.taken if levels else "global")


def _run(rules: UseCase) -> TrainingRun:
    settings = parse_settings("xgboost", trainer_named("xgboost"), rules.hyperparameters)
    return TrainingRun(rules, settings, "bench", pooled=True)


def _trained(run: TrainingRun, table: FeatureTable, folder: Path) -> ServedModel:
    started = time.process_time()
    run.train_partition(table, label_partition(table, _ALL, run.use_case), _ALL, folder)
    tell(f"({len(table)} tenants: trained with levels in {time.process_time() - started:.1f} CPU s)")
    return ServedModel.load(folder)


def _own(run: TrainingRun, table: FeatureTable, name: str, folder: Path) -> ServedModel | None:
    """A model of one portfolio alone, however small; None where there are too few tenants of one class."""
    rules = run.use_case.model_copy(update={"models": run.use_case.models.model_copy(update={"minimum_tenants": 1})})
    alone = table.take(table.portfolio_id == name)
    own = folder / OWN_MODELS / partition_slug(name)
    try:
        groups = label_partition(alone, Partition(name, "own"), rules)
        TrainingRun(rules, run.settings, "bench").train_partition(alone, groups, Partition(name, own.name), own)
    except AlgorithmError:
        return None
    return ServedModel.load(own)


def _pooled(model: ServedModel, table: FeatureTable) -> Floats:
    return model.publish(model.scorer.encoding.matrix(table)).outputs


def _plain(model: ServedModel, table: FeatureTable) -> Floats:
    matrix = model.scorer.encoding.matrix(table)
    matrix[:, -1] = np.nan
    return model.publish(matrix).outputs


def _over(truth: Floats, outputs: Floats, count: int) -> Floats:
    """(portfolios,) how much higher the expected log loss is than with the true chance."""
    true, told = 1 / (1 + np.exp(-truth)), np.clip(outputs, 1e-15, 1 - 1e-15)
    excess = true * np.log(true / told) + (1 - true) * np.log((1 - true) / (1 - told))
    return np.asarray(excess.reshape(count, -1).mean(axis=1))


def _tell_telecom(data: Path) -> None:
    settings = load_use_case(USE_CASES / "telecom_churn")
    models = settings.models.model_copy(update={"scope": "pooled", "fallback": True})
    rules = settings.model_copy(update={"models": models})
    with TemporaryDirectory() as scratch:
        job = FeatureJob(Path(scratch) / "job", use_case="telecom_churn")
        for file in sorted(data.glob("*.csv")):
            shutil.copy(file, job.raw)
        if job.run({})["status"] != "ok":
            raise SystemExit(f"{data} does not hold the telecom data")
        table = read_features(job.output("features") / "features.parquet", rules)
        _tell_comparison("Telecom, log loss on the test part", table, rules, Path(scratch) / "all")
        # A customer of one dimension who is in another one too is known to the global model, but to no own model.
        _, first = np.unique(table.values, axis=0, return_index=True)
        alone = table.take(np.sort(first))
        title = f"The same without {len(table) - len(alone)} customers who are copies of others"
        _tell_comparison(title, alone, rules, Path(scratch) / "alone")


def _tell_comparison(title: str, table: FeatureTable, rules: UseCase, folder: Path) -> None:
    groups, run = label_partition(table, _ALL, rules), _run(rules)
    run.train_partition(table, groups, _ALL, folder)
    run.train_own(table, groups, folder)
    comparison = evaluate_partition(table, groups, folder, rules).pooling
    if comparison is None:
        raise SystemExit("the model has no levels")
    tell(f"\n{title}\n{'':10}{'tenants':>8}{'level':>8}{'global':>9}{'pooled':>9}{'own':>9}")
    for row in comparison.partitions:
        means = (row.global_model, row.pooled, row.own)
        figures = "".join(f"{each.mean:9.4f}" if each else f"{'-':>9}" for each in means)
        tell(f"{row.partition:10}{row.tenants:8}{row.level or 0:8.3f}{figures}")
    tell(comparison.sentence)


if __name__ == "__main__":
    raise SystemExit(main())
