"""How long the laptop's AWS takes to start, and what it holds when nobody asks it anything.

    python -m bench.local_aws

Starts it in a folder of its own, empty first and then with that state, and measures the server and its supervisor.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bench.server import local_aws, start, state_folder

_IDLE_S = 5.0


def main() -> int:
    """Measure and print; exit code 1 when a limit is missed."""
    with state_folder("local-aws") as folder:
        times = []
        for _ in range(2):
            began = time.monotonic()
            env = start(folder)
            times.append(time.monotonic() - began)
            if len(times) == 1:
                local_aws(folder, "down")
        time.sleep(_IDLE_S)
        megabytes = _resident_mb(int(env["server"]))
    sys.stdout.write(f"start-up, empty: {times[0]:.2f} s; with state: {times[1]:.2f} s (limit 2 s)\n")
    sys.stdout.write(f"idle memory after {_IDLE_S:.0f} s: {megabytes:.0f} MB resident (limit 200 MB)\n")
    return 0 if max(times) < 2 and megabytes < 200 else 1


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
