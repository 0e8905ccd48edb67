"""The rules of tenant experience: features, groups, models, approval and prediction. Only ``aws`` calls AWS."""
