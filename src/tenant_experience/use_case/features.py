"""``features:`` of ``use_case.yaml``: what each feature is, and what a higher value means."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from tenant_experience.settings_file import NAME_PATTERN, Settings

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Aspect = Literal["service", "demand"]


class Noise(Settings):
    """How a value would differ if the same tenant's year happened again.

    Attributes:
        kind: ``poisson``: a count per 365 days; ``gamma``: a mean of positive numbers, such as hours; ``binomial``: a
            rate.
        of: the counts whose sum is the number of events that the mean or the rate is computed over.
    """

    kind: Literal["poisson", "gamma", "binomial"]
    of: list[Name] = Field(default_factory=list)

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if (self.kind == "poisson") == bool(self.of):
            raise ValueError(
                "noise.of must name counts with kind: gamma or binomial, and be left out with kind: poisson"
            )
        return self


class Feature(Settings):
    """One feature: a number, or a category, whose values have no order.

    Attributes:
        kind: ``number`` or ``category``.
        aspect: ``service`` for what a tenant got, ``demand`` for what a tenant asked for.
        words: what the API's reasons call the feature; its name when left out.
        more_is: what a higher value means for the tenant.
        transform: applied to the value before grouping.
        minimum: a lower value is quarantined.
        maximum: a higher value is quarantined.
        noise: how the value would differ if the same year happened again; None when unknown.
        optional: whether a source of ready-made features may lack it; it is then null for every tenant.
        needs: the optional columns of events that it is computed from. Where a source maps one of them to nothing, the
            feature is null for every tenant, whatever ``features.sql`` makes of the missing values.
    """

    kind: Literal["number", "category"] = "number"
    aspect: Aspect | None = None
    words: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    more_is: Literal["worse", "better", "neither"] = "neither"
    transform: Literal["log1p", "none"] = "none"
    minimum: float | None = None
    maximum: float | None = None
    noise: Noise | None = None
    optional: bool = False
    needs: list[Name] = Field(default_factory=list)

    @model_validator(mode="after")
    def _categories_have_no_order(self) -> Self:
        ordered = self.model_fields_set & {"more_is", "transform", "minimum", "maximum", "noise"}
        if self.kind == "category" and ordered:
            raise ValueError(f"a category cannot have {sorted(ordered)}: its values have no order")
        return self

    @property
    def direction(self) -> int:
        """+1 when more is worse, -1 when more is better, 0 when neither."""
        return {"worse": 1, "better": -1, "neither": 0}[self.more_is]
