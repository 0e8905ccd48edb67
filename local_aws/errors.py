"""What the command line says and ends with, instead of a traceback."""

from __future__ import annotations

import sys
from pathlib import Path

COMMAND = "local-aws" if Path(sys.argv[0]).name == "local-aws" else "python -m local_aws"
"""How this program was started, so that a message names a command that works."""


class LocalAwsError(Exception):
    """Something that the person at the keyboard can correct. The text says what happened, where, and what to do."""
