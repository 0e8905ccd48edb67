"""Feature groups and their records: the online store in memory, the offline store as Parquet in S3."""
