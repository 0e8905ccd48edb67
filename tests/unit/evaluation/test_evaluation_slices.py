from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tenant_experience.evaluation._fairness import bad_share_by_band, fairness_warnings
from tenant_experience.evaluation.missing_features import missing_feature_curve
from tenant_experience.evaluation.scored_rows import ScoredRows
from tenant_experience.evaluation.slices import measured_slices, slice_names
from tenant_experience.models.encoding import Encoding
from tests.support.generated_tenants import generated_table
from tests.support.words import TENANT_WORDS

CONTACTS = ["total_tickets", "total_maintenance_tickets", "work_order_count", "outbound_call_count"]
CHANCE = np.random.default_rng(5)


def scored(labels: np.ndarray) -> ScoredRows:
    return ScoredRows("binary", labels, np.clip(CHANCE.normal(0.3 + 0.4 * labels, 0.2), 0, 1))


def test_only_parts_of_thirty_are_told_and_only_of_a_hundred_ranked() -> None:
    table = generated_table(230)
    portfolios = np.array(["big"] * 120 + ["middle"] * 81 + ["small"] * 29)
    rows = scored((np.arange(230) % 2).astype(float))
    parts = slice_names(replace(table, portfolio_id=portfolios), [])
    found = measured_slices(rows, parts, positive=1)
    assert [(row.name, row.tenants, row.bad, row.ranked) for row in found["portfolio"]] == [
        ("big", 120, 60, True),
        ("middle", 81, 40, False),
    ]
    assert (found["exposure"], found["channel"]) == ([], [])
    low, high = found["portfolio"][0].intervals["roc_auc"]
    assert low < found["portfolio"][0].metrics["roc_auc"] <= high


def test_the_channel_is_the_kind_of_contact_a_tenant_has_most_of() -> None:
    table = generated_table(4)
    values = np.zeros_like(table.values)
    for row, name in enumerate(["work_order_count", "total_tickets", "outbound_call_count"]):
        values[row, table.features.index(name)] = 3
        values[row, table.features.index("total_maintenance_tickets")] = np.nan if row else 1
    channel = slice_names(replace(table, values=values), CONTACTS)["channel"]
    assert channel.tolist() == ["work_order_count", "total_tickets", "outbound_call_count", "no contact"]


def test_exposure_has_bands_and_what_is_unknown_has_none() -> None:
    days = np.array([89, 90, 269.9, 270, 365, np.nan])
    table = replace(generated_table(6), side={"exposure_days": days})
    assert slice_names(table, [])["exposure"].tolist() == [
        "0 to 89 days",
        "90 to 179 days",
        "180 to 269 days",
        "270 to 364 days",
        "365 days or more",
        "",
    ]


def test_a_share_of_bad_that_goes_with_exposure_or_size_is_warned_of() -> None:
    count = 600
    days = np.where(np.arange(count) < 300, 200.0, 365.0)
    portfolio = np.where(np.arange(count) % 6 < 5, "large", "tiny")
    table = replace(generated_table(count), side={"exposure_days": days}, portfolio_id=portfolio)
    bad = np.arange(count) % np.where(np.arange(count) < 300, 2, 3) == 0
    by = {row.by: row for row in bad_share_by_band(table, bad, TENANT_WORDS)}
    assert [group.share for group in by["exposure"].groups] == pytest.approx([1 / 2, 1 / 3])
    assert (by["exposure"].ratio, by["exposure"].warned) == (pytest.approx(1.5), True)
    assert fairness_warnings([by["exposure"]], "bad", TENANT_WORDS) == [
        "The share of bad tenants depends on how long tenants have been known: 50.0% (44.4% to 55.6%) at 180 to 269 "
        "days, 33.3% (28.2% to 38.8%) at 365 days or more. Chance alone would not give this difference (p is below "
        "0.001, corrected for 2 comparisons). This warning appears when p is below 0.05 and one share is more than "
        "1.25 times the other."
    ]
    assert [group.name for group in by["size"].groups] == ["100 to 499 tenants", "500 to 1999 tenants"]
    assert bad_share_by_band(replace(table, side={}, portfolio_id=np.full(count, "one")), bad, TENANT_WORDS) == []


def test_no_bad_tenant_in_a_band_is_a_warning_without_a_ratio() -> None:
    table = replace(generated_table(100), side={"exposure_days": np.repeat([200.0, 365.0], 50)})
    [row] = bad_share_by_band(table, np.arange(100) < 25, TENANT_WORDS)
    assert (row.ratio, row.warned) == (None, True)


def test_as_many_features_are_hidden_as_are_said_a_category_as_a_whole() -> None:
    encoding = Encoding(("a", "b", "kind", "c"), {"kind": ("x", "y", "z")})
    matrix = np.ones((50, 6), dtype=np.float32)
    seen: list[np.ndarray] = []

    def score(hidden: np.ndarray) -> ScoredRows:
        seen.append(np.isnan(hidden))
        return scored((np.arange(50) % 2).astype(float))

    curve = missing_feature_curve(encoding, matrix, score)
    assert [row.missing for row in curve] == [0, 1, 2, 3]
    for place, gaps in zip([0, *np.repeat([1, 2, 3], 8)], seen, strict=True):
        assert (gaps[:, [0, 1, 2, 5]].sum(axis=1) == place).all()
        assert (gaps[:, 2] == gaps[:, 3]).all()
        assert (gaps[:, 3] == gaps[:, 4]).all()
    assert len({gaps.tobytes() for gaps in seen}) == len(seen)
    assert all(row.low <= row.metrics["accuracy"] <= row.high for row in curve)


def test_when_every_answer_is_right_fifty_tenants_do_not_make_it_certain() -> None:
    labels = (np.arange(50) % 2).astype(float)
    encoding, matrix = Encoding(("a", "b"), {}), np.ones((50, 2), dtype=np.float32)
    for row in missing_feature_curve(encoding, matrix, lambda _hidden: ScoredRows("binary", labels, labels)):
        # Wilson (1927) with 50 of 50: 50 / (50 + 1.96 squared).
        assert (row.metrics["accuracy"], row.low, row.high) == (1.0, pytest.approx(0.92865, abs=1e-5), 1.0)
