"""CPUs and memory of instance types, so that a job that needs more fails here as on AWS.

Source: https://aws.amazon.com/sagemaker/ai/pricing/ (vCPUs and memory of each type).
"""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import dataclass

_GIB = 1024**3
_GIB_PER_VCPU = {"c": 2.0, "m": 4.0, "r": 8.0, "g4dn": 4.0, "g5": 4.0, "g6": 4.0, "t2": 4.0, "t3": 4.0, "c4": 1.875}
_EXACT = {
    **{f"ml.{family}.medium": (2, 4.0) for family in ("t2", "t3")},
    "ml.m4.10xlarge": (40, 160.0),
    "ml.c4.8xlarge": (36, 60.0),
    "ml.c5.4xlarge": (16, 32.0),
    "ml.c5.9xlarge": (36, 72.0),
    "ml.c5.18xlarge": (72, 144.0),
    "ml.p3.2xlarge": (8, 61.0),
    "ml.p3.8xlarge": (32, 244.0),
    "ml.p3.16xlarge": (64, 488.0),
}
_SIZE = re.compile(r"ml\.([a-z]+\d[a-z]*)(?:-flex)?\.(?:(large)|(\d*)xlarge)")


@dataclass(frozen=True)
class InstanceType:
    """A type's vCPUs, and its memory in bytes."""

    vcpus: int
    memory: int


def instance_type(name: str) -> InstanceType | None:
    """The type of a name; None when the table does not have it, and it has no limit."""
    if name in _EXACT:
        vcpus, gib = _EXACT[name]
        return InstanceType(vcpus, int(gib * _GIB))
    match = _SIZE.fullmatch(name)
    if match is None:
        return None
    family, large, times = match.groups()
    per_vcpu = _GIB_PER_VCPU.get(family) or _GIB_PER_VCPU.get(family[0] if family[0] in "cmr" else "")
    if per_vcpu is None:
        return None
    vcpus = 2 if large else 4 * int(times or 1)
    return InstanceType(vcpus, int(vcpus * per_vcpu * _GIB))


_turn = itertools.count()


def choose_cpus(kind: InstanceType | None) -> list[int]:
    """CPUs of this machine for one instance, starting at another one each time; empty when it may use all."""
    if kind is None or not hasattr(os, "sched_getaffinity"):
        return []
    mine = sorted(os.sched_getaffinity(0))
    if kind.vcpus >= len(mine):
        return []
    start = next(_turn) * kind.vcpus
    return sorted({mine[(start + number) % len(mine)] for number in range(kind.vcpus)})
