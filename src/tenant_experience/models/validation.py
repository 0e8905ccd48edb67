"""``validation.json``: what the published answers are worth, by outcomes that nothing was trained on.

It is packed with the model, so that every answer can say it. A model without it was not validated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tenant_experience.data_layout import VALIDATION_FILE
from tenant_experience.errors import PlatformError

NOT_VALIDATED = "not validated against any outcome"
# Of fewer tenants, or fewer of one ending, no figure is given.
LEAST_OUTCOMES, LEAST_OF_EACH = 30, 5

_IN_HEADLINE = 3

Period = Literal["following", "concurrent"]
Direction = Literal["agrees", "unclear", "contradicts"]
Text = Annotated[str, Field(max_length=500)]


class OutcomeValidation(BaseModel):
    """The published answers beside the outcomes of one kind, one entry for each tenant.

    Attributes:
        kind: of the outcomes.
        words: what texts call several of them.
        records: what texts call several tenants.
        outcomes: how many tenants had one that could be compared.
        tenants: how many tenants were compared: these, and for something that happens also those it did not happen to.
        bad: how many of these had a bad ending.
        trained: how many of these trained the model.
        answers_as_of: the moment that the answers describe.
        until: outcomes before this moment were looked at.
        period: ``following``: outcomes that happened after this moment; ``concurrent``: in the same period.
        auc: the probability that a tenant with a bad ending has the higher published probability of the positive label
            than one with a good ending; None when there are too few.
        low: lower end of its 95% interval.
        high: upper end.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Text
    words: Text
    outcomes: int
    tenants: int
    bad: int
    trained: int
    answers_as_of: Text
    until: Text
    period: Period
    auc: float | None = None
    low: float | None = None
    high: float | None = None
    records: Text = "records"

    @property
    def direction(self) -> Direction | None:
        """Whether the answers agree with the outcomes; ``unclear`` when the interval holds 0.5."""
        if self.low is None or self.high is None:
            return None
        return "agrees" if self.low > 0.5 else "contradicts" if self.high < 0.5 else "unclear"

    @property
    def text(self) -> str:
        """For people who decide."""
        return " ".join(self._parts())

    @property
    def figure(self) -> str:
        """How many there are, the AUC with its interval, and whether it says nothing or the opposite."""
        doubt = {"unclear": ", so perhaps nothing", "contradicts": ", the wrong way"}.get(self.direction or "", "")
        return f"{self.outcomes:,} {self.words}: AUC {self.auc:.2f} ({self.low:.2f} to {self.high:.2f}){doubt}"

    def _parts(self) -> Iterator[str]:
        others = f" among {self.tenants:,} {self.records}" if self.tenants != self.outcomes else ""
        of_them = f"{self.outcomes:,} {self.words}{others}"
        if self.auc is None:
            yield (
                f"{of_them}, {self.bad:,} of them with a bad ending, are too few to validate the answers: it takes "
                f"{LEAST_OUTCOMES}, and {LEAST_OF_EACH} {self.records} with each ending."
            )
            return
        yield f"validated on {of_them}: AUC {self.auc:.2f} ({self.low:.2f} to {self.high:.2f})."
        yield f"For {self.bad:,} of the {self.tenants:,} {self.records} it ended badly."
        if self.direction == "unclear":
            yield "The interval contains 0.5, so the answers may say nothing about this."
        elif self.direction == "contradicts":
            yield "The answers point the wrong way."
        if self.period == "following":
            yield f"They happened after the answers, which are as of {self.answers_as_of[:10]}."
        else:
            yield f"They are from the same period as the answers, which are as of {self.answers_as_of[:10]}."
        if self.trained:
            yield f"{self.trained:,} of the {self.tenants:,} {self.records} also trained the model."
        else:
            yield f"None of these {self.records} trained the model."


class Validation(BaseModel):
    """The published answers beside the outcomes of every kind; without any, they were not validated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outcomes: list[OutcomeValidation] = Field(default_factory=list, max_length=100)

    @property
    def is_validated(self) -> bool:
        """Whether there is a figure."""
        return any(each.auc is not None for each in self.outcomes)

    @property
    def sentences(self) -> list[str]:
        """What is said of the kinds, those with a figure first."""
        told = [each.text for each in self.outcomes if each.auc is not None]
        few = [each.text for each in self.outcomes if each.auc is None and each.outcomes]
        sentences = [*told, *few] if told else [f"{NOT_VALIDATED}.", *few]
        return [sentence[:1].upper() + sentence[1:] for sentence in sentences]

    @property
    def text(self) -> str:
        """All sentences; without outcomes, three words that are no sentence of their own."""
        return " ".join(self.sentences) if self.outcomes else NOT_VALIDATED

    @property
    def headline(self) -> str:
        """The figures of up to three kinds, for an e-mail; the report has all that is to be said of them."""
        judged = [each for each in self.outcomes if each.auc is not None]
        if not judged:
            return f"{NOT_VALIDATED[:1].upper()}{NOT_VALIDATED[1:]}."
        more = f"; {len(judged) - _IN_HEADLINE} more in the report" if len(judged) > _IN_HEADLINE else ""
        return f"Validated on {'; on '.join(each.figure for each in judged[:_IN_HEADLINE])}{more}."

    def document(self) -> dict[str, object]:
        """As the API and evaluation.json have it."""
        return {
            "text": self.text,
            "validated": self.is_validated,
            "outcomes": [
                {**each.model_dump(mode="json", exclude={"records"}), "direction": each.direction, "text": each.text}
                for each in self.outcomes
            ],
        }

    def write(self, folder: Path) -> None:
        """Writes ``validation.json`` into ``folder``: same content, same bytes."""
        (folder / VALIDATION_FILE).write_text(json.dumps(self.model_dump(mode="json"), indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Validation:
        """Reads ``validation.json``; a model without one was not validated.

        Raises:
            PlatformError: ``validation_file``: it is there, and is none.
        """
        path = folder / VALIDATION_FILE
        if not path.is_file():
            return cls()
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise PlatformError(f"{path} cannot be read: {error}", code="validation_file") from error
