"""``clustering:`` and ``labels:`` of ``use_case.yaml``: what a model predicts, and where the labels come from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from tenant_experience.errors import UserError
from tenant_experience.settings_file import Settings
from tenant_experience.tenant_id import NAME_PATTERN, NO_ID_PATTERN, normalised
from tenant_experience.use_case.features import Name
from tenant_experience.use_case.group_limits import GroupLimits

Task = Literal["binary", "multiclass", "regression"]
Method = Literal["kmeans", "gaussian_mixture", "ward"]


def _class_name(text: str) -> str:
    """A class is any text that a value of a column can be after it was read."""
    if text != normalised(text):
        raise ValueError(
            f"values of a column are read without spaces around them and without .0: write {normalised(text)!r}"
        )
    if not re.fullmatch(NAME_PATTERN, text) or re.fullmatch(NO_ID_PATTERN, text):
        raise ValueError(
            "a class has 1 to 128 characters that can be seen, and is not an error of a spreadsheet such as #REF!: map "
            "the column's values to such names in the source"
        )
    return text


ClassName = Annotated[str, AfterValidator(_class_name)]


class Clustering(Settings):
    """On which features groups are found and how, and which features must agree although they were not used.

    ``hold``: whether a release keeps the groups of the live release, unless its manifest.json says otherwise.
    """

    markers: list[Name] = Field(min_length=2)
    checks: list[Name] = Field(default_factory=list)
    method: Method = "kmeans"
    groups: Literal[2, 3] = 2
    hold: bool = True
    limits: GroupLimits = GroupLimits()


class Labels(Settings):
    """What a model predicts.

    Attributes:
        from_: ``clusters`` for the group of a tenant; ``column`` for a column of the data.
        column: the column; a model is not trained on tenants without a value in it.
        classes: the values of the column, in the order of their numbers; None when it holds a number.
        positive: the last of the classes, whose probability is given; None when no class is special.
        outcome: what the API's reasons call the positive class; its name when left out.
    """

    from_: Literal["clusters", "column"] = Field(alias="from")
    column: Name | None = None
    classes: list[ClassName] | None = Field(default=None, min_length=2)
    positive: ClassName | None = None
    outcome: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None

    @property
    def task(self) -> Task:
        """The kind of prediction."""
        if self.classes is None:
            return "regression"
        return "binary" if len(self.classes) == 2 else "multiclass"

    def check_classes(self, values: Iterable[str]) -> None:
        """Refuses values of the column that are not among the classes.

        Raises:
            UserError: ``unknown_class``; says how many such values there are, and none of them: it may be anything.
        """
        unknown = set(values) - set(self.classes or ())
        if unknown:
            many = "1 value that is" if len(unknown) == 1 else f"{len(unknown)} values that are"
            raise UserError(
                f"column {self.column!r} has {many} not one of labels.classes ({', '.join(self.classes or ())}): add "
                "a class to use_case.yaml, or turn it into one where the column is made (features.sql or the source)",
                code="unknown_class",
            )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if (self.column is not None) != (self.from_ == "column"):
            raise ValueError("labels.column must be given with from: column, and left out with from: clusters")
        classes = self.classes or []
        if len(set(classes)) != len(classes):
            raise ValueError("labels.classes names a class twice")
        if self.from_ == "clusters" and not classes:
            raise ValueError("labels.classes must be given with from: clusters")
        if self.positive is None and (self.from_ == "clusters" or self.task == "binary"):
            raise ValueError("labels.positive must be given: it is the last of labels.classes")
        if self.outcome is not None and self.positive is None:
            raise ValueError("labels.outcome describes the positive class, but labels.positive is not given")
        if self.positive is not None and (not classes or self.positive != classes[-1]):
            raise ValueError(f"labels.positive must be the last of labels.classes, not {self.positive!r}")
        return self
