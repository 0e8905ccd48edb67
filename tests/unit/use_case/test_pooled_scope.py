"""``models.scope: pooled``: which use cases may say so, and what a manifest may ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tenant_experience.errors import UserError
from tenant_experience.use_case.manifest import parse_manifest
from tenant_experience.use_case.schema import UseCase, load_use_case
from tests.support.places import USE_CASE_FOLDER
from tests.support.simulated_portfolios import pooled_settings


def test_two_classes_and_numbers_can_be_pooled() -> None:
    for number in (False, True):
        use_case = UseCase.model_validate(pooled_settings(number=number))
        assert use_case.models.scope == use_case.chosen_scope(None) == "pooled"
        assert use_case.chosen_scope("global") == "global"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda d: d["labels"].update(classes=["a", "b", "c"], positive=None),
            r"models.scope: pooled is for two classes or a number, but labels.classes names 3",
        ),
        (lambda d: d["features"].update(portfolio={"kind": "category"}), "partition_column 'portfolio'.*not be among"),
        (lambda d: d.pop("partition_column"), "scope: pooled needs partition_column: without it there is one"),
        (lambda d: d["models"].update(fallback=False), "with scope: pooled, models.fallback: false leaves no model"),
    ],
)
def test_others_are_refused_by_name(change: Callable[[dict[str, Any]], Any], words: str) -> None:
    document = pooled_settings()
    change(document)
    with pytest.raises(ValueError, match=words):
        UseCase.model_validate(document)


def test_groups_cannot_be_pooled_by_the_manifest_either() -> None:
    use_case = load_use_case(USE_CASE_FOLDER)
    with pytest.raises(UserError, match=r"manifest.json key 'models': pooled needs labels.from: column") as caught:
        use_case.chosen_scope(parse_manifest({"models": "pooled"}).models)
    assert caught.value.code == "invalid_manifest"
