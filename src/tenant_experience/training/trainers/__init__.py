"""One module for each trainer, named as use_case.yaml names it; docs/trainers.md shows how to write another.

Each module has the trainer as ``TRAINER``. A module whose name begins with ``_`` is not a trainer. No list names them.
"""
