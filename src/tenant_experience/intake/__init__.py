"""Raw files in, checked rows out: whatever an export holds becomes typed rows, or a quarantined row with its reason.

The way of a file: ``files`` finds and recognises it, and ``staging`` takes it through ``scan`` (its rows as SQL), the
``staged_file`` (its rows typed and checked by a ``mapping``) and ``quarantine`` (its refused rows, with their lines).
``events``, ``table`` and ``tenant_outcomes`` say what the rows must be, and ``times`` how a time is read.
"""

__all__ = [
    "activities",
    "csv_format",
    "duckdb_session",
    "engine",
    "events",
    "files",
    "formats",
    "json_array",
    "kept_events",
    "mapping",
    "quarantine",
    "repeated_rows",
    "scan",
    "skipped",
    "staged_file",
    "staging",
    "table",
    "tenant_outcomes",
    "times",
]
