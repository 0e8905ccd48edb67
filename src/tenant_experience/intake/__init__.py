"""Raw files in, checked rows out: whatever an export holds becomes typed rows, or a quarantined row with its reason."""

__all__ = ["duckdb_session", "engine", "events", "files", "quarantine", "scan", "staging", "table"]
