"""mypy --strict over every tree of code. Functions one by one: each is deployed alone, with an ``app`` of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_TOGETHER = ["src/tenant_experience", "demo", "checks", "container", "local_aws", "bench", "operations"]


def main() -> int:
    """Check all; 0 when nothing was found."""
    calls = [("the packages", _TOGETHER, ROOT)]
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
