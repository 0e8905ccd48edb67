"""What a use case is: its settings, its sources, the manifest of a batch, and the files they are read from."""

__all__ = ["column_names", "events", "features", "files", "gates", "group_choice", "group_limits", "id_sql", "labels", "manifest", "processing", "schema", "sequences", "served", "source", "source_expression", "split", "tenant_outcomes", "trainer_names", "tuning", "words",]
