"""The use case ``small``, for tests of the engine that should not depend on a use case that is shipped."""

from pathlib import Path

SMALL_USE_CASE = Path(__file__).parent / "use_cases" / "small"
