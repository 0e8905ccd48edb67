"""The document that is applied where answers are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tenant_experience.data_layout import NEXT_PERIOD_FILE
from tenant_experience.errors import PlatformError
from tenant_experience.groups.next_period import NextPeriod, Recalibration

REDRAWN = np.array([[0.9, 0.1], [0.5, 0.5], [np.nan, np.nan]])
NOW = np.array([[0.2, 0.8], [0.2, 0.8], [0.25, 0.75]])
COMPLETE = np.array([True, True, False])
MARKERS = np.array([[0.5, -1.0], [np.nan, 2.0], [0.0, np.nan]])
PERSISTENCE = ((0.9, 0.1), (0.4, 0.6))


def logistic(margin: float) -> float:
    return float(1 / (1 + np.exp(-margin)))


def document(**changes: Any) -> NextPeriod:
    return NextPeriod().model_copy(update=changes)


def test_without_anything_measured_shares_stay_as_they_are() -> None:
    assert NextPeriod().shares(REDRAWN, NOW, COMPLETE, MARKERS).tolist() == [[0.9, 0.1], [0.5, 0.5], [0.25, 0.75]]


def test_what_is_missing_goes_by_the_law_of_total_probability() -> None:
    shares = document(persistence=PERSISTENCE).shares(REDRAWN, NOW, COMPLETE, MARKERS)
    assert shares[:2].tolist() == REDRAWN[:2].tolist()
    assert shares[2] == pytest.approx([0.25 * 0.9 + 0.75 * 0.4, 0.25 * 0.1 + 0.75 * 0.6])


def test_of_two_groups_it_is_platts_regression() -> None:
    recalibration = Recalibration(intercepts=(0.3,), shares=((0.5,),))
    shares = document(recalibration=recalibration).shares(REDRAWN, NOW, COMPLETE, MARKERS)
    assert shares[0, 1] == pytest.approx(logistic(0.3 + 0.5 * np.log(0.1 / 0.9)))
    assert shares[1, 1] == pytest.approx(logistic(0.3))
    assert shares[2].tolist() == [0.25, 0.75]


def test_markers_are_added_and_an_unknown_one_counts_for_itself() -> None:
    recalibration = Recalibration(intercepts=(0.0,), shares=((1.0,),), markers=((2.0, 3.0, 5.0),))
    shares = document(recalibration=recalibration).shares(REDRAWN, NOW, COMPLETE, MARKERS)
    assert shares[0, 1] == pytest.approx(logistic(np.log(0.1 / 0.9) + 2 * 0.5 - 3 * 1.0))
    assert shares[1, 1] == pytest.approx(logistic(3 * 2.0 + 5.0))


def test_of_three_groups_each_has_a_regression() -> None:
    redrawn = np.array([[0.6, 0.3, 0.1]])
    recalibration = Recalibration(intercepts=(0.1, -0.2), shares=((1.0, 0.0), (0.5, 2.0)))
    found = document(recalibration=recalibration).shares(redrawn, redrawn, np.array([True]), np.zeros((1, 2)))
    odds = np.exp([0, 0.1 + np.log(0.5), -0.2 + 0.5 * np.log(0.5) + 2 * np.log(1 / 6)])
    assert found[0] == pytest.approx(odds / odds.sum())


def test_extreme_margins_stay_probabilities() -> None:
    recalibration = Recalibration(intercepts=(1e6,), shares=((1e6,),))
    shares = document(recalibration=recalibration).shares(REDRAWN, NOW, COMPLETE, MARKERS)
    assert np.isfinite(shares).all()
    assert shares.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize(
    "changes",
    [
        {"intercepts": (0.0, 0.0), "shares": ((1.0,),)},
        {"intercepts": (0.0,), "shares": ((1.0, 2.0),)},
        {"intercepts": (0.0,), "shares": ((1.0,),), "markers": ((1.0,), (2.0,))},
        {"intercepts": (float("nan"),), "shares": ((1.0,),)},
        {"intercepts": (1e300,), "shares": ((1.0,),)},
    ],
)
def test_weights_that_do_not_belong_together_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Recalibration(**changes)


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"persistence": PERSISTENCE}, True),
        ({"persistence": ((0.9, 0.1), (0.4, 0.5))}, False),
        ({"persistence": ((1.0, 0.0, 0.0),) * 3}, False),
        ({"persistence": ((1.0,), (0.4, 0.6))}, False),
        ({"recalibration": Recalibration(intercepts=(0.0,), shares=((1.0,),))}, True),
        ({"recalibration": Recalibration(intercepts=(0.0,), shares=((1.0,),), markers=((1.0,) * 4,))}, True),
        ({"recalibration": Recalibration(intercepts=(0.0,), shares=((1.0,),), markers=((1.0,) * 3,))}, False),
        ({"recalibration": Recalibration(intercepts=(0.0, 0.0), shares=((1.0, 0.0),) * 2)}, False),
    ],
)
def test_it_is_about_the_groups_beside_it(changes: dict[str, Any], fits: bool) -> None:
    assert document(**changes).fits(groups=2, markers=3) == fits


def test_it_is_written_and_read_again(tmp_path: Path) -> None:
    written = NextPeriod(persistence=PERSISTENCE)
    written.write(tmp_path)
    assert NextPeriod.read(tmp_path) == written
    first = (tmp_path / NEXT_PERIOD_FILE).read_bytes()
    written.write(tmp_path)
    assert (tmp_path / NEXT_PERIOD_FILE).read_bytes() == first


def test_an_archive_without_the_file_has_one_snapshot(tmp_path: Path) -> None:
    assert NextPeriod.read(tmp_path) == NextPeriod()


@pytest.mark.parametrize("text", ["", "{", '{"format": 2}', '{"basis": "backtest"}', '{"persistence": [[2, 0]]}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / NEXT_PERIOD_FILE).write_text(text)
    with pytest.raises(PlatformError, match=NEXT_PERIOD_FILE) as refusal:
        NextPeriod.read(tmp_path)
    assert refusal.value.code == "next_period_file"
