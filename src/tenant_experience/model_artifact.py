"""A model on disk: ``model.ubj`` (XGBoost's own format) beside ``model.json`` (what it is and what it eats).

Never pickle: loading a model runs no code, and any XGBoost reads it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tenant_experience.data_layout import MODEL_FILE, MODEL_MANIFEST
from tenant_experience.encoding import Encoding
from tenant_experience.errors import UserError
from tenant_experience.use_case import Task

FORMAT: Literal[1] = 1
MANIFEST_LIMIT = 1 << 20
GOOD, BAD = "good", "bad"


class ModelManifest(BaseModel):
    """``model.json``.

    Attributes:
        format: the version of this document; another one is refused.
        partition: whom the model is for; ``slug`` is the same, spelled for keys.
        version: the id of the release that made it.
        trainer: the registered name of the trainer.
        task: binary (told is the probability of ``positive_label``), multiclass (of each label) or regression.
        features: what the model reads, in order.
        categories: of the features that are categories: the values it knows, see ``encoding.Encoding``.
        labels: class names by number; empty for a number.
        positive_label: the last of them, None when none is more wanted than another.
        threshold: the probability from which the answer is ``positive_label``.
        scale: ``global`` when portfolios may be compared by it, else ``local``.
        as_of: the moment the features describe, ISO 8601, UTC.
        hyperparameters: as trained, defaults included.
        code_version: the version of this package that trained it.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = FORMAT
    partition: str
    slug: str
    version: str
    trainer: str
    task: Task = "binary"
    features: tuple[str, ...] = Field(min_length=1)
    categories: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    labels: tuple[str, ...] = (GOOD, BAD)
    positive_label: str | None = BAD
    threshold: float = Field(default=0.5, ge=0, le=1)
    scale: Literal["global", "local"]
    as_of: str
    hyperparameters: dict[str, Any]
    code_version: str

    @field_validator("features")
    @classmethod
    def _distinct(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(features)) != len(features):
            raise ValueError("a feature is named twice")
        return features

    @property
    def encoding(self) -> Encoding:
        """From features to the columns of the model's matrix."""
        return Encoding(self.features, self.categories)

    def write(self, folder: Path) -> None:
        """Writes ``model.json`` into ``folder``: same content, same bytes."""
        text = json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True, allow_nan=False)
        (folder / MODEL_MANIFEST).write_text(text + "\n")


def read_manifest(folder: Path) -> ModelManifest:
    """Reads and checks ``model.json``.

    Raises:
        UserError: ``model_incomplete`` when a file is missing, ``model_manifest`` when it cannot be read or is of
            another format; the message names the file and the field.
    """
    for name in (MODEL_FILE, MODEL_MANIFEST):
        if not (folder / name).is_file():
            raise UserError(f"{name} is missing in {folder}: this is not a model of ours", code="model_incomplete")
    path = folder / MODEL_MANIFEST
    if path.stat().st_size > MANIFEST_LIMIT:
        raise UserError(f"{path} is over {MANIFEST_LIMIT} bytes: not a model manifest", code="model_manifest")
    try:
        return ModelManifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'document'}: {e['msg']}" for e in error.errors())
        raise UserError(f"{path} is no manifest of format {FORMAT}: {faults}", code="model_manifest") from error
