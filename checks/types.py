"""mypy --strict over all code: the folders that pyproject.toml lists, then what is deployed alone, one by one.

Each function has an ``app`` of its own, and each SageMaker script is a program of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Check all; 0 when nothing was found."""
    # Without targets mypy takes the list of pyproject.toml.
    calls: list[tuple[str, list[str], Path]] = [("the packages", [], ROOT)]
    calls += [
        (script.name, [script.name], script.parent) for script in sorted((ROOT / "sagemaker_scripts").glob("*.py"))
    ]
    calls += [(folder.name, ["app.py"], folder) for folder in sorted((ROOT / "functions").iterdir()) if folder.is_dir()]
    return max(_mypy(*call) for call in calls)


def _mypy(name: str, targets: list[str], folder: Path) -> int:
    paths = [str(ROOT / "src"), str(ROOT), str(folder)] if folder != ROOT else [str(ROOT / "src"), str(ROOT)]
    done = subprocess.run(  # noqa: S603  # our own arguments
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary", *targets],
        cwd=folder,
        env={
            **os.environ,
            "MYPYPATH": os.pathsep.join(dict.fromkeys(paths)),
            "MYPY_CACHE_DIR": str(ROOT / ".mypy_cache"),
        },
        check=False,
    )
    print(f"types: {name}: {'clean' if done.returncode == 0 else 'see above'}")  # noqa: T201  # a command's output
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
