"""The checks that `make check` runs beside the linters, and those of IAM permissions."""
