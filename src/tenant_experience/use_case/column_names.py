"""Which names the columns of a use case may have: all but those that this application or Feature Store gives itself.

Reserved words of SQL are not among them, because every name is quoted.
"""

from __future__ import annotations

from collections.abc import Mapping

from tenant_experience.data_layout import EXAMPLE_ID, SIDE_COLUMNS

# Beside the features, features.parquet and records have these columns, and Feature Store adds the last three.
_OF_FEATURES = ("as_of", "history", "may_train", "partition", "partition_slug", EXAMPLE_ID, *SIDE_COLUMNS)
_OF_RECORDS = ("event_time", "release", "write_time", "api_invocation_time", "is_deleted")
# While a file is read, its rows have these beside our columns.
_OF_ROWS = (
    "file",
    "line",
    "lines",
    "reason",
    "column_name",
    "broken_rule",
    "newlines",
    "refused",
    "malformed",
    "repeats_key",
    "swallows_rows",
    "where",
)
_OF_QUARANTINE = ("raw_", "failed_", "attempt_")
RESERVED = frozenset((*_OF_FEATURES, *_OF_RECORDS, *_OF_ROWS))


def name_fault(name: str, others: Mapping[str, tuple[str, ...]]) -> str | None:
    """Why a column cannot have this name, in words; None when it can.

    Args:
        name: of the column.
        others: the columns before it -> their keys.
    """
    if name in RESERVED:
        return (
            f"the name {name!r} is one that this application gives to a column of its own: write {name}_1, for example"
        )
    if name in others:
        return f"the name {name!r} is that of key {'.'.join(others[name])!r} too: every column needs a name of its own"
    for other in others:
        if any(name == prefix + other or other == prefix + name for prefix in _OF_QUARANTINE):
            longer = max(name, other, key=len)
            return f"the names {name!r} and {other!r} cannot stand together: write {longer}_1 instead of {longer}"
    return None
