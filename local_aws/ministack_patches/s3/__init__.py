"""Objects below delete markers, large objects, and the events of objects."""
