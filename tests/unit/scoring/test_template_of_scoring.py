"""Scoring in template.yaml: which events start something, and which models ScoreBatch may delete."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest

from tenant_experience.release.scoring_run import ScoringRun
from tests.support.template import properties_of


@pytest.mark.parametrize(("function", "event"), [("StartScoring", "ScoringRequested"), ("EvaluateFile", "FileScored")])
def test_events_of_another_project_in_the_same_account_start_nothing(function: str, event: str) -> None:
    pattern = properties_of(function)["Events"][event]["Properties"]["Pattern"]
    assert pattern["source"] == ["tenant-experience"]
    projects = [each for each in pattern["detail"]["project"] if each != {"exists": False}]
    assert projects == ["Project"]


def models_of(role: str) -> str:
    statements: list[dict[str, Any]] = [
        statement
        for policy in properties_of(role)["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "sagemaker:DeleteModel" in statement.get("Action", ())
    ]
    (statement,) = statements
    return str(statement["Resource"]).rpartition(":model/")[2].replace("${Project}", "te")


def test_score_batch_may_delete_the_models_of_its_runs_and_not_that_of_the_endpoint() -> None:
    run = ScoringRun("homes", "b1", "batch", "2026-11-29T10:00:00Z", "x").run
    assert fnmatchcase(f"te-{run}-all-0", models_of("ScoreBatchRole"))
    assert fnmatchcase(f"te-{run}-p-1a2b3c4d-17", models_of("ScoreBatchRole"))
    assert not fnmatchcase("te-0123456789", models_of("ScoreBatchRole"))
