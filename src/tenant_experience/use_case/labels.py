"""``clustering:`` and ``labels:`` of ``use_case.yaml``: what a model predicts, and where the labels come from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

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


def _whole_days(text: object) -> object:
    found = re.fullmatch(r"([1-9][0-9]{0,3})d", text) if isinstance(text, str) else None
    if found is None or int(found[1]) > _MOST_DAYS:
        raise ValueError(f"must be a whole number of days from 1d to {_MOST_DAYS}d, such as 60d")
    return int(found[1])


ClassName = Annotated[str, AfterValidator(_class_name)]
Days = Annotated[int, BeforeValidator(_whole_days)]
_MOST_DAYS = 3_650
_OF_EVENTS = ("window", "where", "cut_offs", "every")


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
        from_: ``clusters`` for the group of a tenant; ``column`` for a column of the data; ``events`` for what
            happened after a moment in the past, a cut-off.
        column: the column; a model is not trained on tenants without a value in it. With ``events``, its name.
        classes: the values of the column, in the order of their numbers; None when it holds a number.
        positive: the last of the classes, whose probability is given; None when no class is special.
        outcome: what the API's reasons call the positive class; its name when left out.
        window: with ``events``: how many days after a cut-off the model looks ahead. With classes, the positive one is
            that such an event happens within the window; without, the label is the days until the first such event.
        where: with ``events``: SQL over one event, which such an event must fulfil; any event when left out.
        cut_offs: with ``events``: how many moments of the past a model is trained at.
        every: with ``events``: how many days lie between them; ``window`` when left out.
    """

    from_: Literal["clusters", "column", "events"] = Field(alias="from")
    column: Name | None = None
    classes: list[ClassName] | None = Field(default=None, min_length=2)
    positive: ClassName | None = None
    outcome: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    window: Days | None = None
    where: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)] | None = None
    cut_offs: int = Field(default=1, ge=1, le=24)
    every: Days | None = None

    @property
    def horizon_days(self) -> int | None:
        """The window, when the label is the number of days until an event, which not every record has seen."""
        return self.window if self.from_ == "events" and self.classes is None else None

    def moments(self, as_of: datetime) -> list[datetime]:
        """The cut-offs, the latest first: the window of each has passed by ``as_of``. Empty but for ``events``."""
        if self.window is None:
            return []
        step = self.every or self.window
        return [as_of - timedelta(days=self.window + number * step) for number in range(self.cut_offs)]

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
        if (self.column is None) != (self.from_ == "clusters"):
            raise ValueError(
                "labels.column must be given with from: column and from: events, and left out with from: clusters"
            )
        self._check_window()
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

    def _check_window(self) -> None:
        given = [key for key in _OF_EVENTS if key in self.model_fields_set]
        if self.from_ != "events":
            if given:
                raise ValueError(f"labels.{given[0]} belongs to from: events")
            return
        if self.window is None:
            raise ValueError("labels.window must be given with from: events, such as window: 60d")
        if self.classes is not None and len(self.classes) != 2:
            raise ValueError(
                "labels.classes of from: events are two, such as [silent, buys]: no such event within the window, and "
                "one or more; leave classes out for the number of days until the first"
            )
