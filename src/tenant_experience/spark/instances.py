"""The instances of this processing job, as SageMaker tells each of them.

Source: SageMaker developer guide, "How Amazon SageMaker Processing Configures Input and Output for Your Processing
Container" (resourceconfig.json and processingjobconfig.json).
"""

from __future__ import annotations

import json
import socket
import zlib
from dataclasses import dataclass

from tenant_experience.data_layout import ml_root

_FIRST_PORT, _PORTS = 20_000, 10_000
_LOOPBACK = "lo"


@dataclass(frozen=True)
class Instances:
    """This instance among those of the job.

    Attributes:
        hosts: names of all, the same order everywhere; the first leads.
        current: the name of this one.
        interface: of the network between them.
        job: the job's ARN.
    """

    hosts: tuple[str, ...]
    current: str
    interface: str
    job: str

    @property
    def leads(self) -> bool:
        """Whether this instance drives the others."""
        return self.current == self.hosts[0]

    @property
    def port(self) -> int:
        """Where the leader listens. Of the job: where instances are processes of one machine, jobs do not meet."""
        return _FIRST_PORT + zlib.crc32(self.job.encode()) % _PORTS

    @property
    def leader(self) -> str:
        """The leader's address."""
        return self.address(self.hosts[0])

    @property
    def here(self) -> str:
        """This instance's address."""
        return self.address(self.current)

    def address(self, host: str) -> str:
        """A host's name, which SageMaker's network resolves; over the loopback interface all are this machine."""
        return "127.0.0.1" if self.interface == _LOOPBACK else host

    def leader_answers(self, seconds: float = 2) -> bool:
        """Whether the leader's port can be reached now."""
        try:
            socket.create_connection((self.leader, self.port), timeout=seconds).close()
        except OSError:
            return False
        return True


def read_instances() -> Instances:
    """The instances of this job; outside SageMaker one, this machine."""
    resources, job = ml_root() / "config" / "resourceconfig.json", ml_root() / "config" / "processingjobconfig.json"
    if not resources.is_file():
        return Instances(("localhost",), "localhost", _LOOPBACK, "")
    told = json.loads(resources.read_text())
    return Instances(
        hosts=tuple(told["hosts"]),
        current=told["current_host"],
        interface=told.get("network_interface_name", ""),
        job=json.loads(job.read_text())["ProcessingJobArn"] if job.is_file() else "",
    )
