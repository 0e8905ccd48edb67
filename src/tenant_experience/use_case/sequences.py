"""``sequences:`` of ``use_case.yaml``: features that are one quantity at fixed lags, such as each month's spend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from tenant_experience.use_case.features import Feature, Name

LONGEST = 120
# Name of the quantity -> its features, the oldest first.
Sequences = dict[Name, Annotated[list[Name], Field(min_length=2, max_length=LONGEST)]]


def check_sequences(sequences: Mapping[str, list[str]], features: Mapping[str, Feature]) -> None:
    """Refuses sequences that cannot be read step by step.

    Raises:
        ValueError: names the sequence and the features.
    """
    for name, steps in sequences.items():
        unknown = [step for step in steps if step not in features]
        if unknown:
            raise ValueError(f"sequences.{name} names {unknown}, not among the features {list(features)}")
        categories = [step for step in steps if features[step].kind == "category"]
        if categories:
            raise ValueError(f"sequences.{name} names {categories}, which are categories: a step is a number")
    counted = Counter(step for steps in sequences.values() for step in steps)
    twice = [step for step, count in counted.items() if count > 1]
    if twice:
        raise ValueError(f"sequences name {twice} more than once: a feature is one step of one sequence")
    lengths = {name: len(steps) for name, steps in sequences.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"sequences are of different lengths ({', '.join(f'{name} {length}' for name, length in lengths.items())}):"
            " they are read side by side, so each needs a feature for every step"
        )
