"""Tests run side by side: a file is a unit, and all of the flow is one, because its files share a laptop's AWS."""

from __future__ import annotations

from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

FLOW = Path(__file__).parent / "flow"
# These publish releases of their own, and the last one kills the server.
LAST = FLOW / "failures"


class FlowOrFile(LoadScopeScheduling):
    """Hands out whole units."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return "flow" if Path(file).parts[:2] == ("tests", FLOW.name) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FlowOrFile:
    """The scheduler of `--numprocesses`."""
    return FlowOrFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The flow first, it takes longest; the other files after it."""
    items.sort(key=lambda item: (not item.path.is_relative_to(FLOW), item.path.is_relative_to(LAST)))
