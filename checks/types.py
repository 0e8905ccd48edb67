"""mypy --strict over all code: the folders that pyproject.toml lists, then the SageMaker scripts, then each function.

Each function has an ``app`` of its own, so each needs a mypy of its own; as many run at once as there are CPUs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Check all; 0 when nothing was found."""
    # Without targets mypy takes the list of pyproject.toml. What it learns of the package there is kept for the others.
    packages = _mypy(("the packages", [], ROOT))
    scripts = ROOT / "sagemaker_scripts"
    alone: list[tuple[str, list[str], Path]] = [
        ("the scripts", [script.name for script in sorted(scripts.glob("*.py"))], scripts)
    ]
    alone += [(folder.name, ["app.py"], folder) for folder in sorted((ROOT / "functions").iterdir()) if folder.is_dir()]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return max(packages, *threads.map(_mypy, alone))


def _mypy(call: tuple[str, list[str], Path]) -> int:
    name, targets, folder = call
    paths = [str(ROOT / "src"), str(ROOT), str(folder)] if folder != ROOT else [str(ROOT / "src"), str(ROOT)]
    done = subprocess.run(  # noqa: S603  # our own arguments
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary", *targets],
        cwd=folder,
        env={
            **os.environ,
            "MYPYPATH": os.pathsep.join(dict.fromkeys(paths)),
            "MYPY_CACHE_DIR": str(ROOT / ".mypy_cache"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    said = "clean" if done.returncode == 0 else "see above"
    # At once, because others run beside it and their files have the same names.
    print(f"{done.stdout}types: {name}: {said}\n", end="", flush=True)  # noqa: T201  # a command's output
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
