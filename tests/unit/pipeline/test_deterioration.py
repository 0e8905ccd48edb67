"""Everybody fares worse: no release can hide it, whether it is refused or goes on to the approver."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from tenant_experience.errors import UserError
from tenant_experience.features.table import read_features
from tenant_experience.groups.earlier_rules import EarlierRules, GroupedPartition, choose_groups
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.pipeline.batch import Folders
from tenant_experience.pipeline.build_features import build_features
from tenant_experience.use_case.group_choice import FIND_NEW
from tests.support.generated_tenants import generated_table, shipped_use_case, slower, write_households
from tests.support.places import USE_CASE_FOLDER

MANIFEST = {"source": "tenant_table", "as_of": "2026-11-01T00:00:00Z"}
FACTORS = (2.0, 4.0)


class Releases:
    """A live release of generated tenants, and later ones in which the same tenants wait longer.

    Attributes:
        base: holds the folders of each release.
        rules: the groups of the live release.
    """

    def __init__(self, base: Path) -> None:
        self.base = base
        self.rules = EarlierRules()
        self.build(1.0, "r1").write(self.features("r1"))
        grouped = self.grouped("r1")
        self.rules = EarlierRules(grouped.grouping, grouped.yardstick)

    def features(self, release: str) -> Path:
        return self.base / release / "features"

    def grouped(self, release: str) -> GroupedPartition:
        table = read_features(self.features(release) / "features.parquet", shipped_use_case())
        return choose_groups(table, Partition("all", "all"), shipped_use_case(), release, FIND_NEW, self.rules)

    def build(self, factor: float, release: str, **settings: object) -> Outcome:
        folders = {name: self.base / release / name for name in ("raw", "features", "quarantine", "reports")}
        for folder in folders.values():
            folder.mkdir(parents=True)
        write_households(slower(generated_table(1_500), factor), folders["raw"] / "households.parquet")
        (folders["raw"] / "manifest.json").write_text(json.dumps(MANIFEST | settings))
        return build_features(
            Folders(use_case=USE_CASE_FOLDER, previous=self.features("r1"), **folders),
            release=release,
            use_case_name="tenant_experience",
            requested_at=datetime(2026, 11, 2, tzinfo=UTC),
            live_rules=lambda: self.rules,
        )


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    return Releases(tmp_path_factory.mktemp("releases"))


def share_now(text: str) -> float:
    """The share of bad by the frozen rule that a sentence tells."""
    told = re.search(r"Surely more tenants are bad than in release r1, by the same rule .* then, ([0-9.]+)% \(", text)
    assert told is not None, text
    return float(told[1]) / 100


@cache
def refusal(releases: Releases, slower: float) -> UserError:
    with pytest.raises(UserError) as refused:
        releases.build(slower, f"no{slower:g}")
    return refused.value


@pytest.mark.parametrize("slower", FACTORS)
def test_a_refusal_says_that_more_tenants_are_bad_and_how_to_go_on(releases: Releases, slower: float) -> None:
    refused = refusal(releases, slower)
    assert refused.code == "feature_shift"
    assert share_now(refused.message) > 0.03 + releases.rules.yardstick.own.whole.share  # type: ignore[union-attr]
    assert " rose to " in refused.message
    assert 'upload the batch again with "accept": ["feature_shift"] in manifest.json' in refused.message
    quality = json.loads((releases.base / f"no{slower:g}/reports/data_quality.json").read_text())
    assert quality["refusal"]["message"] == refused.message
    assert list(releases.features(f"no{slower:g}").iterdir()) == []


def test_the_share_told_rises_with_the_factor(releases: Releases) -> None:
    shares = [share_now(refusal(releases, slower).message) for slower in FACTORS]
    assert shares == sorted(set(shares))


def test_an_accepted_shift_goes_on_with_the_same_share_and_is_the_first_warning(releases: Releases) -> None:
    outcome = releases.build(2.0, "yes", accept=["feature_shift"])
    first, *_ = outcome.figures["data_quality"]["warnings"]
    assert first.startswith("manifest.json accepts that the gate feature_shift is broken: feature ")
    quality = json.loads((releases.base / "yes/reports/data_quality.json").read_text())
    assert (quality["warnings"][0], quality["refusal"]) == (first, None)
    frozen = releases.grouped("yes").yardstick.frozen
    assert frozen is not None
    assert share_now(refusal(releases, 2.0).message) == pytest.approx(frozen.whole.share, abs=0.0006)


def test_another_gate_that_is_accepted_does_not_help(releases: Releases) -> None:
    with pytest.raises(UserError, match=r'"accept": \["null_share", "feature_shift"\]') as refused:
        releases.build(4.0, "other", accept=["null_share"])
    assert refused.value.code == "feature_shift"


def test_what_is_accepted_and_kept_is_not_mentioned(releases: Releases) -> None:
    outcome = releases.build(1.0, "same", accept=["feature_shift", "vanished_portfolios"])
    assert outcome.figures["data_quality"]["warnings"] == []
