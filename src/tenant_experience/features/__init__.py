"""Features of each tenant: the use case's SQL, the tables it gives, partitions, and ingestion into a feature store."""

__all__ = ["ingestion", "ingestion_result", "partitions", "past", "records", "sql", "table", "tenant_outcomes"]
