"""What the command line says and ends with, instead of a traceback."""

from __future__ import annotations


class LocalAwsError(Exception):
    """Something the person at the keyboard can mend. The text says what, where and what to do."""
