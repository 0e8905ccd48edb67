"""Categories with very many values are told before they cost memory, or teach a model nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenant_experience.data_quality import categories as module
from tenant_experience.data_quality.categories import Category, category_warnings, check_columns
from tenant_experience.errors import UserError
from tenant_experience.use_case.schema import load_use_case
from tests.support.places import USE_CASES
from tests.support.written_use_case import table_of

CHURN = load_use_case(USE_CASES / "telecom_churn")
MANY = [f"value {number}" for number in range(120)]


def found_by(tmp_path: Path, values: list[str], rows: int = 480) -> tuple[list[str], list[str]]:
    """Warnings about categories in the preview, and of a release."""
    shown = table_of(tmp_path / "preview", rows, categories=values).preview()
    outcome = table_of(tmp_path / "release", rows, categories=values).build()
    told = [list(shown.quality["warnings"] or ()), list(outcome.figures["data_quality"]["warnings"] or ())]
    of_preview, of_release = ([each for each in warnings if each.startswith("category ")] for warnings in told)
    return of_preview, of_release


def test_many_values_are_a_warning_in_the_preview_and_of_the_release(tmp_path: Path) -> None:
    preview, release = found_by(tmp_path, MANY)
    assert preview == release
    assert preview == [
        "category colour has 120 different values in 480 rows to learn from, and each becomes a column of the "
        "model: of rare values it learns little. Map them to one value such as 'other', or to larger groups"
    ]


def test_an_id_as_a_category_is_told_as_such(tmp_path: Path) -> None:
    preview, release = found_by(tmp_path, [f"id {number}" for number in range(480)])
    assert preview == release
    assert "has 480 different values in 480 rows to learn from, as an id has" in preview[0]


def test_few_values_are_no_warning(tmp_path: Path) -> None:
    assert found_by(tmp_path, ["red", "blue"]) == ([], [])
    assert category_warnings([Category("state", 100, module.MANY_VALUES)])[0].endswith("such as an area or a type")
    assert category_warnings([Category("state", 5_000, module.MANY_VALUES)]) == []
    assert category_warnings([Category("state", 19, 19)]) == []


def test_more_columns_than_fit_are_refused_by_the_preview_and_the_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_COLUMNS", 100)
    shown = table_of(tmp_path / "preview", 480, categories=MANY).preview()
    assert [code for code, _ in shown.refusals] == ["too_many_values"]
    with pytest.raises(UserError) as refusal:
        table_of(tmp_path / "release", 480, categories=MANY).build()
    assert (refusal.value.code, refusal.value.message) == shown.refusals[0]
    assert "become 121 columns of the model" in refusal.value.message
    assert "at most 100 columns are read. The most values have: colour (120)" in refusal.value.message


def test_the_bound_on_cells_is_for_one_model() -> None:
    wide = [Category("state", 1_000_000, 400)]
    with pytest.raises(UserError, match=r"with 1000000 rows at most 250 columns fit into memory"):
        check_columns(wide, 1_000_000, CHURN, "global")
    check_columns(wide, 1_000_000, CHURN, "per_partition")
    check_columns(wide, 500_000, CHURN, "global")
    check_columns([], 10_000_000_000, CHURN, "global")
