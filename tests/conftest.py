"""How tests run side by side, how many examples hypothesis draws, and what is said of the tests that were skipped."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Several processes run tests side by side, and their models are small: more threads would only wait for each other.
for library in ("OMP", "OPENBLAS"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

pytest_plugins = ("tests.support.deployed_stack",)

FLOW = Path(__file__).parent / "flow"
# Drives Chromium through the stack of the flow.
BROWSER = Path(__file__).parent / "browser" / "test_decision.py"
# Looks at what all of them, the one in the browser too, have left behind.
SECRETS = FLOW / "test_zero_secrets.py"
AT_THE_END = (BROWSER, SECRETS)
# These publish releases of their own, and the last one kills the server.
LAST = FLOW / "failures"
# They compute while the stacks are deployed, one after the other.
MEANWHILE = Path(__file__).parent / "fuzz"
# Servers and jobs that start, answer and end.
MOSTLY_WAITING = (Path(__file__).parent / "contract", Path(__file__).parents[1] / "local_aws" / "tests")

settings.register_profile(
    "few",
    max_examples=2,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile("many", settings.get_profile("few"), max_examples=20)
settings.load_profile("few")


class FlowOrFile(LoadScopeScheduling):
    """Hands out whole units: a file is one, and so is each folder of the flow, whose files share a laptop's AWS."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.split("::", 1)[0])
        if file.parts[-2:] == BROWSER.parts[-2:]:
            return str(file.parents[1] / FLOW.name)
        return str(file.parent) if file.parts[:2] == ("tests", FLOW.name) else str(file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FlowOrFile:
    """The scheduler of `--numprocesses`."""
    return FlowOrFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The flow first, it takes longest; its last folder after what computes while the others are deployed.

    Then the other files; those whose tests mostly wait are spread among them.
    """
    files = dict.fromkeys(item.path for item in items if not item.path.is_relative_to(FLOW) and item.path != BROWSER)
    waiting = [file for file in files if any(file.is_relative_to(folder) for folder in MOSTLY_WAITING)]
    # A notebook is one long test, which must not be the last one.
    computing = sorted(files.keys() - waiting, key=lambda file: (file.suffix != ".ipynb", list(files).index(file)))
    place = {file: place / len(kind) for kind in (waiting, computing) for place, file in enumerate(kind)}
    items.sort(
        key=lambda item: (
            item.path in place and not item.path.is_relative_to(MEANWHILE),
            item.path.is_relative_to(LAST),
            item.path in place,
            item.path in AT_THE_END,
            item.path == SECRETS,
            place.get(item.path, 0),
        )
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each reason why tests were skipped, however many they are."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"skipped {count} {'test' if count == 1 else 'tests'}: {reason}")
