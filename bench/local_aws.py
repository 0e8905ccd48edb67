"""How long the laptop's AWS takes to start, and what it holds when nobody asks it anything.

    python -m bench.local_aws

Starts it in a folder of its own, empty first and then with that state, and measures the server and its supervisor.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_PYTHON = Path(".local/venvs/local_aws/bin/python")
_IDLE_S = 5.0


def main() -> int:
    """Measure and print; exit code 1 when a limit is missed."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            times = [_start(folder, "--fresh")]
            _run("down", "--state", folder)
            times.append(_start(folder))
            time.sleep(_IDLE_S)
            megabytes = _resident_mb(json.loads((Path(folder) / "server.json").read_text())["pid"])
        finally:
            _run("down", "--state", folder)
    sys.stdout.write(f"start-up, empty: {times[0]:.2f} s; with state: {times[1]:.2f} s (limit 2 s)\n")
    sys.stdout.write(f"idle memory after {_IDLE_S:.0f} s: {megabytes:.0f} MB resident (limit 200 MB)\n")
    return 0 if max(times) < 2 and megabytes < 200 else 1


def _start(folder: str, *more: str) -> float:
    started = time.monotonic()
    _run("up", "--state", folder, *more)
    return time.monotonic() - started


def _run(*arguments: str) -> None:
    subprocess.run([str(_PYTHON), "-m", "local_aws", *arguments], check=True, capture_output=True)  # noqa: S603


def _resident_mb(root: int) -> float:
    """Of a process and all below it."""
    total, queue = 0.0, [root]
    while queue:
        pid = queue.pop()
        queue += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        status = Path(f"/proc/{pid}/status").read_text()
        total += float(status.partition("VmRSS:")[2].split()[0]) / 1024
    return total


if __name__ == "__main__":
    sys.exit(main())
