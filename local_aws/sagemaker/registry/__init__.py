"""Model package groups, model packages, their approval, and the schema of their model cards."""
