"""Use cases for tests of the engine, which do not change when a shipped use case does."""

from pathlib import Path

_FOLDER = Path(__file__).parent / "use_cases"
SMALL = _FOLDER / "small"
HOUSEHOLDS = _FOLDER / "households"
TRANSACTIONS = _FOLDER / "transactions"
