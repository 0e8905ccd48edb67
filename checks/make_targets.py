"""What a make target runs when a person may add to it: the words come from the environment, and no shell reads them.

    python -m checks.make_targets fuzz

runs ``tests.fuzz`` with the values of ``TENX_COUNT`` and ``TENX_SEED``. ``TENX_ARGS`` and ``TENX_PYTEST_ARGS`` are
split into words as a shell would do it, but nothing in them is expanded. Only the standard library.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping

_MODULES = {
    "bench-clustering": "bench.clustering",
    "bench-features": "bench.features",
    "bench-training": "bench.training",
    "fuzz": "tests.fuzz",
    "iam-drill": "checks.iam_drill",
    "ministack-upgrade": "local_aws",
    "test": "pytest",
    "test-slow": "pytest",
}
# Units are begun in their order: the flow first, which takes longest.
_PARALLEL = ["--numprocesses", "3", "--no-loadscope-reorder"]
_NOT_SLOW = ["-m", "not slow"]
_MANY = ["--hypothesis-profile", "many"]


def command(target: str, environment: Mapping[str, str]) -> list[str]:
    """The module that a target runs, and its arguments.

    Raises:
        ValueError: a quotation in the words is not closed.
    """

    def value(name: str) -> str:
        return environment.get(f"TENX_{name}", "")

    def words(name: str) -> list[str]:
        try:
            return shlex.split(value(name))
        except ValueError as error:
            raise ValueError(f"{name} cannot be split into words: {error}") from error

    module = _MODULES[target]
    if module == "pytest":
        all_of_them = value("SLOW") not in ("", "0")
        chosen = ["-m", "slow or property", *_MANY] if target == "test-slow" else _MANY if all_of_them else _NOT_SLOW
        return [module, *_PARALLEL, *chosen, *words("PYTEST_ARGS")]
    if target == "ministack-upgrade":
        return [module, "upgrade-report", "--", value("VERSION")]
    if target in ("fuzz", "iam-drill"):
        return [module, *(f"--{name.lower()}={value(name)}" for name in ("COUNT", "SEED") if value(name))]
    return [module, *words("ARGS")]


def main(arguments: list[str]) -> None:
    """Become the target's program."""
    if len(arguments) != 1 or arguments[0] not in _MODULES:
        raise SystemExit(f"name one target of {', '.join(_MODULES)}")
    try:
        found = command(arguments[0], os.environ)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    os.execv(sys.executable, [sys.executable, "-m", *found])  # noqa: S606  # this interpreter


if __name__ == "__main__":
    main(sys.argv[1:])
