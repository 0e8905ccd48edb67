"""Features of each tenant: the use case's SQL, the tables it gives, partitions, and ingestion into a feature store."""

__all__ = [
    "contract",
    "ingestion",
    "ingestion_result",
    "later_events",
    "leaks",
    "looking_back",
    "partitions",
    "past",
    "records",
    "risk",
    "risk_examples",
    "sql",
    "statements",
    "table",
    "tenant_outcomes",
]
