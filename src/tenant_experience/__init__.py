"""The rules of tenant experience: features, groups, models, approval and prediction, free of any AWS call."""
