"""``manifest.json``: it completes a batch and says what is special about it.

This module needs only the standard library, so that a Lambda function can use it too.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NoReturn, cast, get_args

from tenant_experience.data_layout import MANIFEST
from tenant_experience.errors import UserError
from tenant_experience.json_document import parse_json
from tenant_experience.use_case.group_choice import GroupChoice, parse_group_choice

KEYS = (
    *(
        "source",
        "as_of",
        "mode",
        "release",
        "train",
        "hyperparameters",
        "models",
        "tuning",
        "groups",
        "accept",
        "outcomes",
    ),
    "requested_by",
)
# The value of the key ``release``: features alone go online, and the live models answer with them.
FEATURES_ONLY = "features_only"
# What only matters where a model is trained.
OF_TRAINING = ("hyperparameters", "models", "tuning", "groups", "outcomes")
Scope = Literal["global", "per_partition", "pooled"]
# Whether the events of a batch replace those of earlier ones, or are added to them.
Mode = Literal["replace", "append"]
# A batch may break the gates that compare it with the live release, because what they see may be real.
ComparisonGate = Literal["vanished_portfolios", "null_share", "feature_shift"]
RESERVED_HYPERPARAMETERS = frozenset({"release", "shard"})
# Limits of SageMaker's CreateTrainingJob: characters in a hyperparameter's name and value, and how many there may be.
_LONGEST_NAME = 256
_LONGEST_VALUE = 2_500
_MOST_HYPERPARAMETERS = 90
_ADDRESS = re.compile(r"[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+")
_LONGEST_ADDRESS = 254


@dataclass(frozen=True)
class Manifest:
    """A parsed manifest; a key that it does not give is None.

    Attributes:
        source: the source that maps the files.
        as_of: features describe what was known at this moment, UTC.
        hyperparameters: strings, as SageMaker passes them on.
        models: ``global``, ``per_partition`` or ``pooled``.
        tuning: whether hyperparameters are searched.
        groups: where the groups come from.
        accept: the gates that this batch may break; the approver is told first.
        outcomes: the source that maps the files of outcomes.
        train: whether models are trained; if not, the live release answers for the records of this batch.
        says_what: whether the manifest itself says so, or asks for something of a training; otherwise the use case may.
        mode: ``append`` when the events of earlier such batches count as well as those of this one.
        requested_by: the e-mail address of whoever uploads the batch; a use case can say that others must decide.
    """

    source: str | None = None
    as_of: datetime | None = None
    hyperparameters: dict[str, str] = field(default_factory=dict)
    models: Scope | None = None
    tuning: bool | None = None
    groups: GroupChoice | None = None
    accept: tuple[ComparisonGate, ...] = ()
    outcomes: str | None = None
    train: bool = True
    mode: Mode = "replace"
    says_what: bool = False
    requested_by: str | None = None

    @property
    def appends(self) -> bool:
        """Whether the events of this batch are added to those that were kept of earlier ones."""
        return self.mode == "append"


def read_batch_manifest(folder: Path) -> Manifest:
    """Reads ``manifest.json`` of the batch in ``folder``.

    Raises:
        UserError: ``invalid_manifest``; the message names the key.
    """
    path = folder / MANIFEST
    if not path.is_file():
        _refuse("is missing from the batch")
    try:
        document = parse_json(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(f"{MANIFEST} is not valid JSON: save it as UTF-8", code="invalid_manifest") from error
    except ValueError as error:
        raise UserError(f"{MANIFEST} is not valid JSON: {error}", code="invalid_manifest") from error
    return parse_manifest(document)


def parse_manifest(document: object) -> Manifest:
    """The manifest in ``document``, the decoded JSON.

    Raises:
        UserError: ``invalid_manifest``; the message names the key.
    """
    if not isinstance(document, dict):
        _refuse("must be a JSON object")
    unknown = [str(key) for key in document if key not in KEYS]
    if unknown:
        _refuse(f"has the unknown key {unknown[0]!r}; allowed are {', '.join(KEYS)}")
    source, outcomes = document.get("source"), document.get("outcomes")
    for key, name in (("source", source), ("outcomes", outcomes)):
        if name is not None and (not isinstance(name, str) or not name):
            _refuse(f"key {key!r} must be the name of a source, not {_as_json(name)}")
    models = document.get("models")
    if models is not None and models not in get_args(Scope):
        _refuse(f"key 'models' must be one of {', '.join(get_args(Scope))}, not {_as_json(models)}")
    mode = document.get("mode")
    if mode is not None and mode not in get_args(Mode):
        _refuse(f"key 'mode' must be one of {', '.join(get_args(Mode))}, not {_as_json(mode)}")
    tuning, train = document.get("tuning"), _train(document)
    if tuning is not None and not isinstance(tuning, bool):
        _refuse(f"key 'tuning' must be true or false, not {_as_json(tuning)}")
    useless = [key for key in OF_TRAINING if document.get(key) is not None]
    if train is False and useless:
        said = '"train": false' if "train" in document else f'"release": "{FEATURES_ONLY}"'
        _refuse(f"says {said}, so key {useless[0]!r} would change nothing: leave one of the two out")
    groups = document.get("groups")
    return Manifest(
        source,
        _moment(document),
        _hyperparameters(document.get("hyperparameters")),
        models,
        tuning,
        None if groups is None else parse_group_choice(groups, f"{MANIFEST} key 'groups'"),
        _accepted(document.get("accept")),
        outcomes,
        train is not False,
        mode or "replace",
        train is not None or bool(useless),
        _requested_by(document.get("requested_by")),
    )


def _train(document: dict[str, Any]) -> bool | None:
    """Whether models are trained; None when the manifest does not say it.

    ``"release": "features_only"`` and ``"train": false`` are two ways to say the same.
    """
    release, train = document.get("release"), document.get("train")
    if release not in (None, FEATURES_ONLY):
        _refuse(f"key 'release' must be \"{FEATURES_ONLY}\", not {_as_json(release)}")
    if train is not None and not isinstance(train, bool):
        _refuse(f"key 'train' must be true or false, not {_as_json(train)}")
    if release is None:
        return train
    if train:
        _refuse(f'says "release": "{FEATURES_ONLY}" and "train": true, which contradict each other: leave one out')
    return False


def trains(document: Mapping[str, Any]) -> bool:
    """Whether a manifest that is well formed asks for models, as far as it says so itself."""
    return document.get("release") != FEATURES_ONLY and document.get("train") is not False


def requested_by_of(content: bytes) -> str:
    """The address that a manifest names under ``requested_by``; empty when it names none, or cannot be read.

    What is wrong with a manifest is told by the job that reads all of it.
    """
    try:
        document = parse_json(content.decode("utf-8-sig"))
        return _requested_by(document.get("requested_by")) or "" if isinstance(document, dict) else ""
    except (ValueError, UserError):
        return ""


def without_training(records: str = "these records") -> str:
    """What a refusal for missing labels adds: how records without labels get answers."""
    return f'To have the live release answer for {records} without training, write "train": false into {MANIFEST}'


def parse_utc(text: str) -> datetime:
    """Parses an ISO 8601 time stamp with an offset or ``Z``; the result is in UTC.

    Raises:
        ValueError: it is not such a time stamp.
    """
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise ValueError("it is not a date with a time, as ISO 8601 writes them") from error
    if moment.tzinfo is None:
        raise ValueError("it has no offset: end it with Z for UTC")
    return moment.astimezone(UTC)


def as_hyperparameters(values: dict[str, Any]) -> dict[str, str]:
    """Scalars as the texts that SageMaker passes on: true, 4, 0.1, text."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


def _as_json(value: object) -> str:
    """What stands in the file."""
    return json.dumps(value, ensure_ascii=False)[:200]


def _refuse(what: str) -> NoReturn:
    raise UserError(f"{MANIFEST} {what}", code="invalid_manifest")


def _moment(document: dict[str, Any]) -> datetime | None:
    value = document.get("as_of")
    if value is None:
        return None
    try:
        return parse_utc(value)
    except (ValueError, OverflowError) as error:
        example = "2026-11-01T00:00:00Z"
        raise UserError(
            f"{MANIFEST} key 'as_of' must be a time like {example}, not {_as_json(value)}: {error}",
            code="invalid_manifest",
        ) from error


def _requested_by(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(value):
        _refuse(f"key 'requested_by' must be an e-mail address, not {_as_json(value)}")
    return value


def _accepted(names: object) -> tuple[ComparisonGate, ...]:
    allowed = get_args(ComparisonGate)
    if names is None:
        return ()
    if not isinstance(names, list) or any(name not in allowed for name in names):
        _refuse(f"key 'accept' must be a list of gates, each one of {', '.join(allowed)}, not {_as_json(names)}")
    return tuple(name for name in allowed if name in names)


def _hyperparameters(values: object) -> dict[str, str]:
    if values is None:
        return {}
    if not isinstance(values, dict):
        _refuse("key 'hyperparameters' must be an object of names and values")
    if len(values) > _MOST_HYPERPARAMETERS:
        _refuse(f"key 'hyperparameters' has {len(values)} values; at most {_MOST_HYPERPARAMETERS} are allowed")
    for name, value in values.items():
        _check_hyperparameter(name, value)
    return as_hyperparameters(cast(dict[str, Any], values))


def _check_hyperparameter(name: str, value: object) -> None:
    key = f"key 'hyperparameters.{name}'"
    if name in RESERVED_HYPERPARAMETERS:
        _refuse(f"{key} cannot be given: the state machine sets it")
    if not isinstance(value, bool | int | float | str):
        _refuse(f"{key} must be a number, a text, true or false, not {_as_json(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        _refuse(f"{key} must be finite, not {_as_json(value)}")
    if not name or len(name) > _LONGEST_NAME or len(str(value)) > _LONGEST_VALUE:
        _refuse(f"{key}: a name must have 1 to {_LONGEST_NAME} characters, and a value at most {_LONGEST_VALUE}")
