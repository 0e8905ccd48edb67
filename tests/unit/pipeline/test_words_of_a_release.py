"""Whatever a release of another use case shows to people is in the words of that use case."""

from __future__ import annotations

import ast
import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from operations.batch import read_input
from operations.preview import preview
from tenant_experience.data_layout import FEATURES_FILE
from tenant_experience.evaluation.champion import Champion
from tenant_experience.evaluation.model_card import model_card
from tenant_experience.evaluation.partition import LiveModel, evaluate_partition
from tenant_experience.features.table import read_features
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.jobs.partition_runs import Partition, read_shard
from tenant_experience.pipeline.build_features import Folders, build_features
from tenant_experience.release.approval import Approval, summarise
from tenant_experience.release.approval_email import write
from tenant_experience.release.partition_result import ShardResult
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.schema import load_use_case
from tenant_experience.use_case.words import Words
from tests.support.card_links import LINKS
from tests.support.churn_export import write_churn
from tests.support.generated_tenants import generated_table, use_case
from tests.support.html_pages import tags_of
from tests.support.judged_partition import Judged
from tests.support.places import ROOT, USE_CASES
from tests.support.written_use_case import AS_OF

TELECOM = USE_CASES / "telecom_churn"
OF_TENANTS = re.compile(r"\b(tenants?|portfolios?|experience)\b", re.IGNORECASE)
# These may say it: what is of tenant_experience alone, and settings of its name.
OF_TENANT_EXPERIENCE = re.compile(r"tenant-experience|models\.minimum_tenants|--tenant")


def sentences(value: Any) -> Iterator[str]:
    """The texts of a document that people read; its keys, and names without a blank, are for programs."""
    if isinstance(value, dict):
        for each in value.values():
            yield from sentences(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from sentences(each)
    elif isinstance(value, str) and " " in value:
        yield value


def foreign(text: str) -> list[str]:
    """The places where a text speaks of tenants, each with what stands around it."""
    text = OF_TENANT_EXPERIENCE.sub("", " ".join(text.split()))
    return [text[max(found.start() - 60, 0) : found.end() + 60] for found in OF_TENANTS.finditer(text)]


@dataclass(frozen=True)
class Churn:
    """Two releases of customers, the second beside the first, and every text of them."""

    base: Path

    def texts(self) -> dict[str, str]:
        write_churn(self.base / "raw", "Dim1", 1_100)
        shutil.copytree(self.base / "raw", self.base / "shown")
        (self.base / "raw/manifest.json").write_text("{}")
        made = {name: self.base / name for name in ("previous", "features", "quarantine", "reports")}
        for path in made.values():
            path.mkdir()
        folders = Folders(use_case=TELECOM, raw=self.base / "raw", **made)
        outcome = build_features(folders, release="r2", use_case_name="telecom_churn", requested_at=AS_OF)
        churn = load_use_case(TELECOM)
        table = read_features(made["features"] / FEATURES_FILE, churn)
        (partition,) = read_shard(made["features"], 0)
        rows = label_partition(table, partition, churn)
        settings = parse_settings(churn.trainer, trainer_named(churn.trainer), {"n_estimators": "20"})
        (self.base / "model").mkdir()
        TrainingRun(churn, settings, "r2").train_partition(table, rows, partition, self.base / "model")
        evaluation = evaluate_partition(table, rows, self.base / "model", churn)
        document = evaluation.document()
        figures = {"tenants": evaluation.tenants, "metrics": evaluation.metrics, "notes": evaluation.warnings}
        row = {"partition": partition.partition, "slug": partition.slug, "status": "ready", **figures}
        shard = ShardResult.read({"partitions": [row]}, 0)
        summary = summarise("r2", churn.name, f"{AS_OF:%Y-%m-%dT%H:%M:%SZ}", [shard], None, [], words=churn.words)
        console = Console(file=io.StringIO(), width=200)
        preview(read_input(self.base / "shown", TELECOM, None, None), TELECOM, [], 2, console)
        assert isinstance(console.file, io.StringIO)
        return {
            "outcome": "\n".join(sentences(outcome.as_dict())),
            "quality.json": "\n".join(sentences(json.loads((made["reports"] / "data_quality.json").read_text()))),
            "quality.html": tags_of((made["reports"] / "data_quality.html").read_text()).text,
            "evaluation.json": "\n".join(sentences(document)),
            "model card": "\n".join(sentences(json.loads(model_card({**document, "scale": "local"}, LINKS)))),
            "report": tags_of(Judged(evaluation, table, rows, churn, partition).report()).text,
            "approval e-mail": "\n".join(write(Approval("r2", "arn", 1, "pending", summary), "https://example")),
            "preview": console.file.getvalue(),
        }


def test_no_text_of_a_churn_release_speaks_of_tenants(tmp_path: Path) -> None:
    texts = Churn(tmp_path).texts()
    assert {name: found for name, text in texts.items() if (found := foreign(text))} == {}
    spoken = {name for name, text in texts.items() if re.search(r"\bcustomers?\b", text)}
    assert spoken >= {"quality.html", "model card", "report", "approval e-mail", "preview"}


def test_no_text_of_a_release_with_groups_speaks_of_tenants(tmp_path: Path) -> None:
    """The same groups, beside a live model, in a use case that calls its records households."""
    words = Words("household", "households", "district", "districts")
    homes = use_case().model_copy(update={"words": words})
    table = generated_table(800, portfolios=("north", "south"))
    table = replace(table, partition_slug=table.partition_slug.copy())
    table.partition_slug[:] = "all"
    partition = Partition("all", "all")
    grouping, groups = group_partition(table, partition, homes, "r1")
    grouping.write(tmp_path)
    judged = Judged(None, table, groups, homes, partition).trained(tmp_path)
    champion = LiveModel(Champion("r0", tmp_path), table)
    evaluation = evaluate_partition(table, groups, tmp_path, homes, champion)
    document = evaluation.document()
    shown = replace(judged, evaluation=evaluation)
    texts = {
        "evaluation.json": "\n".join(sentences(document)),
        "model card": "\n".join(sentences(json.loads(model_card(document, LINKS)))),
        "report": tags_of(shown.report()).text,
    }
    assert {name: found for name, text in texts.items() if (found := foreign(text))} == {}
    assert all("households" in text for text in texts.values())


def texts_of(module: Path) -> Iterator[tuple[int, str]]:
    """The line and text of each string with a blank in it that is no docstring and no SQL."""
    tree = ast.parse(module.read_text())
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in documents or id(node) in parts:
            continue
        text = ""
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        if " " in text.strip() and not re.search(r"\b(SELECT|FROM|JOIN|CREATE|AS)\b", text):
            yield node.lineno, text


@pytest.mark.parametrize("room", ["src/tenant_experience", "functions", "sagemaker_scripts", "operations"])
def test_no_sentence_of_the_program_is_about_tenants_alone(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for line, text in texts_of(path)
        if foreign(text)
    ]
    assert found == []
