"""Athena's queries: DuckDB answers them where it is installed, and otherwise they fail.

MiniStack without DuckDB answers every statement with ``mock_value``, and nonsense too.
"""

from __future__ import annotations

from typing import NoReturn

from ministack.services import athena


def install() -> None:
    """Replace the answers that come from nowhere."""
    athena._mock_query_results = _refuse


def _refuse(_query: str) -> NoReturn:
    raise NotImplementedError(
        "The laptop's AWS answers queries with the package duckdb, which is not installed. Install it beside "
        "MiniStack (pip install 'local-aws[athena]'), and start the server again"
    )
