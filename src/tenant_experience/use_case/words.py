"""What a use case calls its records and partitions in texts for people. Only the standard library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Words:
    """``words:`` of ``use_case.yaml``: each word in lower case, as it stands within a sentence.

    Attributes:
        record: one row of the features, such as tenant or customer.
        records: several of them.
        partition: one of the parts that may have a model of their own, such as portfolio.
        partitions: several of them.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    record: str = "record"
    records: str = "records"
    partition: str = "partition"
    partitions: str = "partitions"

    def __post_init__(self) -> None:
        for name, word in asdict(self).items():
            if not isinstance(word, str) or not word.strip() or not word.isprintable() or len(word) > 40:
                raise ValueError(f"{name} must be a word or a few, of 1 to 40 printable characters")

    @classmethod
    def read(cls, document: Mapping[str, str] | None) -> Words:
        """From a document; those that an earlier version wrote have no words."""
        return cls(**document) if document else cls()

    @property
    def a_record(self) -> str:
        """With its article."""
        return _with_article(self.record)

    @property
    def a_partition(self) -> str:
        """With its article."""
        return _with_article(self.partition)

    def document(self) -> dict[str, str]:
        """The reverse of ``read``."""
        return asdict(self)

    def fill(self, text: str) -> str:
        """A text with the words in place of ``{record}``, ``{records}``, ``{a_record}``, ``{partition}`` and so on."""
        return text.format(a_record=self.a_record, a_partition=self.a_partition, **self.document())

    def counted(self, number: int) -> str:
        """The number of records, and the word that fits it."""
        return f"{number:,} {self.record if number == 1 else self.records}"


def _with_article(word: str) -> str:
    return f"{'an' if word[0].lower() in 'aeio' else 'a'} {word}"
