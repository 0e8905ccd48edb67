"""The instances of this processing job, as SageMaker describes them to each instance.

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
    """This instance and the others of the job.

    Attributes:
        hosts: the names of all instances, in the same order on each; the first one leads.
        current: the name of this instance.
        interface: the network interface between them.
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
        """The port of the leader. It depends on the job, so that jobs on one machine do not collide."""
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
        """The name of a host, which SageMaker's network resolves; with the loopback interface, this machine."""
        return "127.0.0.1" if self.interface == _LOOPBACK else host

    def leader_answers(self, seconds: float = 2) -> bool:
        """Whether the port of the leader can be reached now."""
        try:
            socket.create_connection((self.leader, self.port), timeout=seconds).close()
        except OSError:
            return False
        return True


def read_instances() -> Instances:
    """The instances of this job; outside SageMaker there is one, this machine."""
    resources, job = ml_root() / "config" / "resourceconfig.json", ml_root() / "config" / "processingjobconfig.json"
    if not resources.is_file():
        return Instances(("localhost",), "localhost", _LOOPBACK, "")
    config = json.loads(resources.read_text())
    return Instances(
        hosts=tuple(config["hosts"]),
        current=config["current_host"],
        interface=config.get("network_interface_name", ""),
        job=json.loads(job.read_text())["ProcessingJobArn"] if job.is_file() else "",
    )
