"""What the API must know about the use case, read without pydantic: what records contain, and words for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tenant_experience.errors import PlatformError, UserError
from tenant_experience.tenant_id import IdCase
from tenant_experience.use_case import files as use_case_files
from tenant_experience.use_case.words import Words

_FILE = "use_case.yaml"
# A file below inference/ of more rows goes to score_batch, unless the use case says another number.
QUEUE_ROWS = 200_000


@dataclass(frozen=True)
class ServedFeature:
    """One feature.

    Attributes:
        is_category: whether its values are texts.
        aspect: service, demand, or None when the use case does not say.
        words: what people call it.
    """

    is_category: bool
    aspect: str | None
    words: str


@dataclass(frozen=True)
class ServedUseCase:
    """The part of ``use_case.yaml`` that answers depend on.

    Attributes:
        name: the use case.
        record_id: the name of the id in a record.
        record_id_case: whether ids that differ only in case are different ids.
        partition_column: the name of the portfolio in a record.
        features: name -> feature, in order.
        labels: the classes, in the order of their numbers; empty when the model predicts a number.
        positive: the last of the classes; None when no class is special.
        outcome: the positive class in words.
        words: what texts call records and partitions.
        window: the days within which it happens, where labels are later events; else None.
        queue_rows: a file below ``inference/`` of more rows does not go through the queue.
    """

    name: str
    record_id: str
    record_id_case: IdCase
    partition_column: str
    features: Mapping[str, ServedFeature]
    labels: tuple[str, ...]
    positive: str | None
    outcome: str | None
    words: Words = field(default_factory=Words)
    window: int | None = None
    queue_rows: int = QUEUE_ROWS

    @property
    def aspects(self) -> dict[str, list[str]]:
        """Aspect -> its features; empty when the use case gives no aspects."""
        found: dict[str, list[str]] = {}
        for name, feature in self.features.items():
            if feature.aspect:
                found.setdefault(feature.aspect, []).append(name)
        return found


def _name_of_id(setting: str | Mapping[str, Any]) -> str:
    """Ids that are made from several columns have a name of their own, or the usual one."""
    return setting if isinstance(setting, str) else str(setting.get("name", "record_id"))


def parse(content: bytes) -> ServedUseCase:
    """Reads what the API needs from ``use_case.yaml``; the jobs check all of it."""
    import yaml

    document = yaml.safe_load(content)
    labels = document["labels"]
    positive = labels.get("positive")
    return ServedUseCase(
        name=document["name"],
        record_id=_name_of_id(document["record_id"]),
        record_id_case=document.get("record_id_case", "sensitive"),
        partition_column=document.get("partition_column", "portfolio_id"),
        features={name: _feature(name, feature or {}) for name, feature in document["features"].items()},
        labels=tuple(labels.get("classes") or ()),
        positive=positive,
        outcome=labels.get("outcome", positive),
        words=Words.read(document.get("words")),
        window=int(labels["window"].removesuffix("d")) if labels.get("window") else None,
        queue_rows=int((document.get("inference") or {}).get("queue_rows", QUEUE_ROWS)),
    )


@cache
def read(name: str) -> ServedUseCase:
    """The use case as it was deployed with the function.

    Raises:
        PlatformError: ``use_case_unavailable``: it is missing or cannot be read.
    """
    import yaml

    try:
        return parse(use_case_files.find(name)[_FILE])
    except (UserError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlatformError(f"{_FILE} of {name!r} cannot be read: {error!r}", code="use_case_unavailable") from error


def _feature(name: str, feature: Mapping[str, Any]) -> ServedFeature:
    words = feature.get("words", name.replace("_", " "))
    return ServedFeature(feature.get("kind") == "category", feature.get("aspect"), words)
