"""The deployed stack on a laptop's AWS of its own, once a session: real jobs, real functions, a real endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from operations.releases import FinishedRelease

if TYPE_CHECKING:
    from tests.support.flow import Flow


@pytest.fixture(scope="session")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    # Read here, because most sessions have no test that needs a stack.
    from operations import laptop
    from operations.deploy import build_and_deploy, confirm_subscription
    from tests.support.flow import STATE, Flow, start_server

    server = start_server("--fresh")
    try:
        stack = build_and_deploy(server)
        confirm_subscription(stack)
        yield Flow(stack, tmp_path_factory.mktemp("inputs"))
    finally:
        laptop.stop(STATE)


@pytest.fixture(scope="session")
def first(flow: Flow) -> FinishedRelease:
    """The first release of the stack, from generated messages."""
    done = flow.release(flow.events(seed=0))
    assert done.execution["status"] == "SUCCEEDED", (done.execution.get("error"), done.execution.get("cause"))
    return done


@pytest.fixture(scope="session")
def other(flow: Flow, first: FinishedRelease) -> dict[str, Any]:
    """What the stack's API answers with, before anything else is released."""
    assert first.release
    live = flow.live()
    assert live is not None
    return live


@pytest.fixture(scope="session")
def churn(flow: Flow, other: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> FinishedRelease:
    """A release of another use case, with three dimensions."""
    from tests.support.churn_export import write_churn
    from tests.support.churn_release import release_churn

    assert other["models"]
    folder = tmp_path_factory.mktemp("churn")
    for number in (1, 2, 3):
        write_churn(folder, f"DummyDim{number}", 2_500, seed=number)
    return release_churn(flow, "generated", folder)
