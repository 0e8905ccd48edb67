"""The names of the trainers: those of the modules in their folder, which are not imported to be listed.

The room of the trainers stands above this one, and a Lambda function that reads a use case must not load scikit-learn.
"""

from __future__ import annotations

import pkgutil
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

_FOLDER = Path(__file__).parents[1] / "training" / "trainers"


def trainer_names() -> list[str]:
    """Every name that ``trainer`` in use_case.yaml may have, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules([str(_FOLDER)]) if not module.name.startswith("_"))


def _known(name: str) -> str:
    if name not in trainer_names():
        raise ValueError(f"trainer {name!r} is unknown; use one of {', '.join(trainer_names())}")
    return name


TrainerName = Annotated[str, AfterValidator(_known)]
