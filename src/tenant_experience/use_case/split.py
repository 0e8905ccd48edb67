"""``split:`` of ``use_case.yaml``: which rows stay together in one part, and whether time decides the parts."""

from __future__ import annotations

from tenant_experience.settings_file import Settings
from tenant_experience.use_case.features import Name

RECORD, ROWS = "record", "rows"


class Split(Settings):
    """How rows are put into train, validation and test.

    Attributes:
        by: what is not divided between parts: ``record``, all rows of a record; ``rows``, nothing but a row; or the
            name of a column, all rows with one value in it. Left out, it is ``rows`` with ``time`` and ``record``
            without.
        time: whether the oldest rows train, the next ones validate and the newest test.
    """

    by: Name | None = None
    time: bool = False

    @property
    def unit(self) -> str:
        """What ``by`` says, or means when it is left out."""
        return self.by or (ROWS if self.time else RECORD)
