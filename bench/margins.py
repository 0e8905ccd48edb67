"""Generated tenants beside real households: distributions, correlations, and whether their groups may be used.

``.venv/bin/python -m bench.margins`` prints the figures of decision 39. The real table is looked for beside the
repository, in ``../shared/data``; without it generated tenants stand alone.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.stats import rankdata

from bench.output import tell
from demo.generate_events import TENANTS, generate
from tenant_experience.errors import AlgorithmError
from tenant_experience.features.table import FeatureTable, read_features
from tenant_experience.groups.clustering import group_partition
from tenant_experience.jobs.partition_runs import Partition
from tests.support.feature_job import FeatureJob
from tests.support.generated_tenants import REAL_TABLE, real_table, shipped_use_case
from tests.support.job_processes import cluster, evaluate, train

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_SAMPLES = (1_500, 3_000, 5_000, 10_000)
_REPEATS = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.margins", description=__doc__)
    parser.add_argument("--tenants", type=int, default=TENANTS, help="generated tenants (%(default)s)")
    parser.add_argument("--seeds", type=int, default=20, help="releases of generated tenants (%(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (%(default)s)")
    options = parser.parse_args(arguments)
    real = real_table() if REAL_TABLE.is_file() else None
    with TemporaryDirectory() as folder:
        first = _features(Path(folder) / "first", options.tenants, options.first)
        _tell_margins(first, real)
        for table in (first, *([real] if real else [])):
            for count in _SAMPLES:
                if count <= len(table):
                    verdicts = Counter(_verdicts(table, count))
                    name = "real" if table is real else "generated"
                    tell(f"groups of {count} {name} tenants, {_REPEATS} samples: {dict(verdicts)}")
        ended = Counter[str]()
        for seed in range(options.first, options.first + options.seeds):
            told = _release(Path(folder) / str(seed), options.tenants, seed)
            ended[told.partition(" ")[0]] += 1
            tell(f"release of {options.tenants} tenants, seed {seed}: {told}")
        tell(f"releases: {dict(ended)}")
    return 0


def _features(base: Path, tenants: int, seed: int) -> FeatureTable:
    """Features of generated events; of tenants that may train, and of whom everything is known."""
    job = FeatureJob(base)
    generate(job.raw, as_of=datetime(2026, 11, 1, tzinfo=UTC), tenants=tenants, seed=seed)
    job.run({"as_of": "2026-11-01T00:00:00Z"})
    shutil.rmtree(job.raw)
    table = read_features(job.output("features") / "features.parquet", shipped_use_case())
    return table.take(table.may_train & ~np.isnan(table.values).any(axis=1))


def _tell_margins(generated: FeatureTable, real: FeatureTable | None) -> None:
    tables = {"generated": generated} | ({"real": real} if real else {})
    for name in generated.features:
        for words, table in tables.items():
            values = table.column(name)
            quantiles = " ".join(f"{value:.3g}" for value in np.quantile(values, _QUANTILES))
            tell(f"{name}, {words}: zero {np.mean(values == 0):.3f}, mean {values.mean():.3f}, quantiles {quantiles}")
    for one, name in enumerate(generated.features):
        for other in generated.features[:one]:
            figures = ", ".join(f"{words} {_spearman(table, name, other):+.2f}" for words, table in tables.items())
            tell(f"rank correlation of {name} and {other}: {figures}")


def _spearman(table: FeatureTable, name: str, other: str) -> float:
    return float(np.corrcoef(rankdata(table.column(name)), rankdata(table.column(other)))[0, 1])


def _verdicts(table: FeatureTable, count: int) -> Iterator[str]:
    for seed in range(_REPEATS):
        rows = np.sort(np.random.default_rng(seed).permutation(len(table))[:count])
        try:
            group_partition(table.take(rows), Partition("all", "all"), shipped_use_case(), "bench")
        except AlgorithmError as error:
            yield str(error.code)
        else:
            yield "accepted"


def _release(base: Path, tenants: int, seed: int) -> str:
    """How a release by the scripts ends, without the state machine: what was refused, or what the gates measured."""
    _features(base, tenants, seed)
    shutil.copytree(base / "processing/output/features", base / "processing/input/features")
    [grouped] = cluster(base)["partitions"]
    if grouped["status"] != "ready":
        return f"{grouped['status']} {grouped}"
    train(base)
    [row] = evaluate(base)["partitions"]
    if row["status"] != "ready":
        return f"{row['status']} {row}"
    [judged] = json.loads((base / "processing/output/reports/evaluation.json").read_text())["partitions"]
    gates = ", ".join(f"{gate['name']} {gate['value']:.3f}" for gate in judged["gates"] if gate["value"] is not None)
    return f"ready: {gates}; bad {judged['bad_share']:.3f}; warnings {judged['warnings']}"


if __name__ == "__main__":
    sys.exit(main())
