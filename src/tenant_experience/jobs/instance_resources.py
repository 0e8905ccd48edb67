"""The resources of this container: CPUs and memory, which may be less than the machine's, and its share of the job."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from tenant_experience.data_layout import ml_root

_CGROUP = Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60


@dataclass(frozen=True)
class InstanceShare:
    """One of the ``count`` instances of a job, numbered from 0, and its share of the work."""

    host: str
    number: int
    count: int

    def owns(self, key: str) -> bool:
        """Whether ``key`` belongs to this instance. All processes agree on the one instance of each key."""
        return crc32(key.encode()) % self.count == self.number


def instance_share() -> InstanceShare:
    """Which instance this is, from a processing job's ``resourceconfig.json``; without one, the only instance."""
    path = ml_root() / "config" / "resourceconfig.json"
    if not path.exists():
        return InstanceShare("algo-1", 0, 1)
    config = json.loads(path.read_text())
    hosts = sorted(config["hosts"])
    return InstanceShare(config["current_host"], hosts.index(config["current_host"]), len(hosts))


def available_cpus(cgroup: Path = _CGROUP) -> int:
    """CPUs this process may use: its affinity, limited by the control group's quota; at least 1."""
    allowed = len(os.sched_getaffinity(0))
    quota = _cpu_quota(cgroup)
    return max(1, min(allowed, math.floor(quota))) if quota else allowed


def available_memory(cgroup: Path = _CGROUP) -> int:
    """Bytes of memory this process may use: the machine's, limited by the control group."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        limit = _read(cgroup / name)
        if limit.isdecimal() and int(limit) < _UNLIMITED:
            return min(physical, int(limit))
    return physical


def _cpu_quota(cgroup: Path) -> float | None:
    """CPU time per period, in CPUs, from cgroup v2 (``cpu.max``) or v1; None when unlimited."""
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    if not quota:
        quota = _read(cgroup / "cpu" / "cpu.cfs_quota_us")
        period = _read(cgroup / "cpu" / "cpu.cfs_period_us")
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() else None


def _read(path: Path) -> str:
    return path.read_text().strip() if path.is_file() else ""
