"""Objects below delete markers."""
