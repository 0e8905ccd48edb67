"""Is a list by the risk of an escalation better than a plain count of tickets?

    .venv/bin/python -m bench.escalation --tenants 14000 --seeds 2

Prints, for generated logs and, where it is there, the UCI incident event log, the comparison at three moments, and the
CPU seconds that its examples cost BuildFeatures beside everything else that it computes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from bench.output import tell
from demo.generate_events import generate
from tenant_experience.data_quality.report import DataQuality
from tenant_experience.evaluation.event_risk import EventRisk, assess_risk
from tenant_experience.features.partitions import assign_partitions
from tenant_experience.features.risk_examples import read_risk_examples
from tenant_experience.features.sql import place_tenants, tenants_by_portfolio, write_features
from tenant_experience.features.table import read_features
from tenant_experience.intake.duckdb_session import open_session
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.intake.files import find_raw_files
from tenant_experience.pipeline.batch import Batch, Folders
from tenant_experience.pipeline.build_features import read_batch
from tenant_experience.pipeline.computing import compute_features, compute_past_features, compute_risk_examples
from tests.support.following_period import INCIDENTS
from tests.support.places import USE_CASE_FOLDER

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
# The log of incidents has three months in which nearly all tickets are: four times 15 days, after 33 days of history.
INCIDENT_DAYS = "15d"


@dataclass(frozen=True)
class Measured:
    """What was found, and the CPU seconds of reading and features, of earlier periods, and of the examples of risk."""

    risk: EventRisk
    features: float
    past: float
    examples: float


def measured(folder: Path, manifest: Mapping[str, Any], **changed: Any) -> Measured:
    """What BuildFeatures and EvaluateModel do about risk.

    Args:
        folder: its ``raw`` has the export.
        manifest: of the batch.
        changed: keys of ``risk``.
    """
    made = {name: folder / name for name in ("raw", "previous", "features", "quarantine", "reports", "use_case")}
    shutil.copytree(USE_CASE_FOLDER, made["use_case"])
    settings = yaml.safe_load((made["use_case"] / "use_case.yaml").read_text())
    settings["risk"] |= changed
    (made["use_case"] / "use_case.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    for path in made.values():
        path.mkdir(exist_ok=True)
    (made["raw"] / "manifest.json").write_text(json.dumps(manifest))
    folders = Folders(**made)
    batch = Batch.open(folders, "tenant_experience", datetime.now(UTC))
    with open_session(*made.values(), time_zone=batch.source.time_zone) as (connection, scratch):
        engine, began = DuckDbEngine(connection, scratch), time.process_time()
        files = find_raw_files(made["raw"], batch.source, scratch, batch.chosen)
        read_batch(engine, batch, files, folders, scratch, DataQuality("bench"))
        compute_features(engine, batch, folders)
        place_tenants(
            connection,
            batch.use_case,
            assign_partitions(tenants_by_portfolio(connection, batch.use_case), batch.use_case, "global"),
        )
        write_features(connection, batch.use_case, made["features"] / "features.parquet")
        first = time.process_time()
        compute_past_features(engine, batch, folders)
        second = time.process_time()
        obstacle = compute_risk_examples(engine, batch, folders)
        third = time.process_time()
    use_case = batch.use_case
    if use_case.risk is None:
        raise ValueError("the use case declares no risk")
    table = read_features(made["features"] / "features.parquet", use_case)
    examples = read_risk_examples(made["features"], use_case.risk, use_case)
    found = assess_risk(use_case.risk, use_case, examples, table, obstacle)
    return Measured(found, first - began, second - first, third - second)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; always 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, default=14_000, help="of each generated log (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=2, help="generated logs of each kind (default: %(default)s)")
    options = parser.parse_args(arguments)
    tell("| log | moment | tenants | escalations | plain count | regression | difference, 95% | list |")
    tell("|---|---|---|---|---|---|---|---|")
    costs = []
    for seed in range(options.seeds):
        with TemporaryDirectory() as folder:
            generate(Path(folder) / "raw", as_of=AS_OF, tenants=options.tenants, seed=seed)
            found = measured(Path(folder), {"as_of": f"{AS_OF:%Y-%m-%dT%H:%M:%SZ}"})
        costs.append((f"generated, seed {seed}", found))
        _table(*costs[-1])
    if INCIDENTS.is_file():
        with TemporaryDirectory() as folder:
            (Path(folder) / "raw").mkdir()
            shutil.copy(INCIDENTS, Path(folder) / "raw")
            found = measured(Path(folder), {"source": "uci_incidents"}, within=INCIDENT_DAYS)
        costs.append((f"UCI incidents, {INCIDENT_DAYS}", found))
        _table(*costs[-1])
    tell("\n| log | reading and features, CPU s | earlier periods, CPU s | examples of risk, CPU s |")
    tell("|---|---|---|---|")
    for name, each in costs:
        tell(f"| {name} | {each.features:.1f} | {each.past:.1f} | {each.examples:.1f} |")
    return 0


def _table(name: str, found: Measured) -> None:
    if found.risk.obstacle:
        tell(f"| {name} | {found.risk.obstacle} |")
    for each in found.risk.origins:
        difference = f"{each.low:+.3f} to {each.high:+.3f}"
        shipped = "yes" if found.risk.is_shipped else "no"
        areas = f"{each.count:.3f} | {each.auc:.3f} | {difference} | {shipped}"
        tell(f"| {name} | {each.moment} | {each.tenants:,} | {each.happened:,} | {areas} |")


if __name__ == "__main__":
    sys.exit(main())
