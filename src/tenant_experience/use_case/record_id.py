"""``record_id:`` of ``use_case.yaml``: the column of ids, or the columns that they are made from."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from tenant_experience.settings_file import Settings
from tenant_experience.use_case.features import Name

# The column of ids of a use case that makes them from other columns and does not name it.
DEFAULT_RECORD_ID = "record_id"


class RecordId(Settings):
    """Which column holds the ids, and from which columns of a source they are made, if they are (decision 38)."""

    name: Name = DEFAULT_RECORD_ID
    from_: tuple[Name, ...] | None = Field(default=None, alias="from", min_length=1)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        names = self.from_ or ()
        if len(set(names)) < len(names) or self.name in names:
            raise ValueError(f"record_id.from must name different columns, and not {self.name!r} itself")
        return self


def as_record_id(setting: Any) -> Any:
    """A plain name is the column of ids."""
    return setting if isinstance(setting, dict | RecordId) else {"name": setting}
