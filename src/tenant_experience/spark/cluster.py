"""A Spark standalone cluster made of the instances of one processing job.

The first instance runs the master, a worker and the driver; each other instance runs a worker until the master is gone.
Nothing waits for ever: when an instance does not join, or dies, the job ends with an error that says so.
"""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark
from pyspark.sql import SparkSession

from tenant_experience.data_layout import ml_root
from tenant_experience.errors import PlatformError, TenantExperienceError
from tenant_experience.jobs.instance_resources import available_cpus
from tenant_experience.spark.instances import Instances
from tenant_experience.spark.session import heap_mib, require_java, spark_session

START_SECONDS = 300
# A worker restarts an executor that crashed within this time.
ABSENCE_SECONDS = 30
GONE_AFTER = 2
_STOP_SECONDS = 10
_SPARK_CLASS = Path(pyspark.__file__).parent / "bin" / "spark-class"
logger = logging.getLogger("spark_cluster")


@contextmanager
def lead_cluster(instances: Instances) -> Iterator[SparkSession]:
    """A session on all instances; called on the first one.

    Raises:
        PlatformError: ``java_missing``, ``spark_master_lost``, ``spark_worker_missing`` or ``spark_worker_lost``.
    """
    require_java()
    address, port = instances.leader, str(instances.port)
    with (
        _daemon("master.Master", "--host", address, "--port", port, "--webui-port", "0") as master,
        _worker(instances, master) as worker,
    ):
        watch = _Watch(len(instances.hosts), {"master": master, "worker": worker})
        try:
            with spark_session(
                f"spark://{address}:{port}",
                spark_executor_memory=f"{heap_mib()}m",
                spark_driver_host=address,
                spark_network_timeout="60s",
            ) as spark:
                _wait_for_executors(spark, watch)
                with watch.over(spark):
                    yield spark
        except TenantExperienceError:
            raise
        except Exception as error:  # Spark's own message would be a page of Java
            if lost := watch.found or watch.ended_daemon():
                raise lost from error
            raise


def follow_cluster(instances: Instances) -> None:
    """Runs a worker until the master is gone; called on every instance but the first.

    Raises:
        PlatformError: ``java_missing``, ``spark_master_lost`` when there never was a master, or ``spark_worker_lost``.
    """
    require_java()
    with _worker(instances) as worker:
        failures = 0
        while failures < GONE_AFTER:
            time.sleep(2)
            failures = 0 if instances.leader_answers() else failures + 1
            if worker.poll() is not None and not failures:
                raise _lost("worker", worker.returncode)
    logger.info("the master is gone, so this worker ends")


@contextmanager
def _worker(instances: Instances, master: subprocess.Popen[bytes] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    _wait_for_master(instances, master)
    words = ("--host", instances.here, "--port", "0", "--webui-port", "0", "--cores", str(available_cpus()))
    folder = ml_root() / "spark-worker"
    memory = ("--memory", f"{heap_mib()}m", "--work-dir", str(folder))
    with _daemon("worker.Worker", *words, *memory, f"spark://{instances.leader}:{instances.port}") as worker:
        yield worker


def _wait_for_master(instances: Instances, master: subprocess.Popen[bytes] | None) -> None:
    end = time.monotonic() + START_SECONDS
    while not instances.leader_answers():
        if master is not None and master.poll() is not None:
            raise _lost("master", master.returncode)
        if time.monotonic() > end:
            raise PlatformError(
                f"no Spark master answered at {instances.leader}:{instances.port} within {START_SECONDS} s",
                code="spark_master_lost",
            )
        time.sleep(0.5)


@contextmanager
def _daemon(name: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of Spark's long-running processes, which is ended afterwards; its output goes to the log of the job."""
    environment = {
        **os.environ,
        "SPARK_DAEMON_MEMORY": "512m",
        "SPARK_LOCAL_DIRS": str(ml_root() / "spark-local"),
        # When a port is taken, Spark must not choose another one, which nobody would know. Nobody else submits work.
        "SPARK_DAEMON_JAVA_OPTS": "-Dspark.port.maxRetries=0 -Dspark.master.rest.enabled=false",
    }
    command = [str(_SPARK_CLASS), f"org.apache.spark.deploy.{name}", *words]
    process = subprocess.Popen(command, env=environment)  # noqa: S603 - our own words
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _executors(spark: SparkSession) -> int:
    """How many instances compute: the list contains the driver too."""
    return len(spark.sparkContext._jsc.sc().statusTracker().getExecutorInfos()) - 1


def _wait_for_executors(spark: SparkSession, watch: _Watch) -> None:
    end = time.monotonic() + START_SECONDS
    while (found := _executors(spark)) < watch.wanted:
        if lost := watch.ended_daemon():
            raise lost
        if time.monotonic() > end:
            raise PlatformError(
                f"{found} of {watch.wanted} instances joined the Spark cluster within {START_SECONDS} s: see the "
                "log of each instance; if you set a security group, it must let the instances reach each other",
                code="spark_worker_missing",
            )
        time.sleep(0.2)


def _lost(what: str, exit_code: int | None) -> PlatformError:
    return PlatformError(
        f"a Spark {what} ended with exit code {exit_code} before the work was done: see the log of the job",
        code=f"spark_{what}_lost",
    )


class _Watch:
    """Cancels Spark's work when an instance is lost: Spark itself would wait for another one.

    Attributes:
        wanted: how many instances should compute.
        found: the error for what was lost, if anything was.
    """

    def __init__(self, wanted: int, daemons: dict[str, subprocess.Popen[bytes]]) -> None:
        self.wanted = wanted
        self.found: PlatformError | None = None
        self._daemons = daemons
        self._over = threading.Event()

    @contextmanager
    def over(self, spark: SparkSession) -> Iterator[None]:
        """Checks once a second while the body runs."""
        thread = threading.Thread(target=self._look, args=(spark,), name="spark watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def ended_daemon(self) -> PlatformError | None:
        """The error for a process of this instance that has ended, if one has."""
        for name, process in self._daemons.items():
            if process.poll() is not None:
                return _lost(name, process.returncode)
        return None

    def _look(self, spark: SparkSession) -> None:
        """After a loss it cancels again and again: work that begins later must not wait either."""
        seen = time.monotonic()
        while not self._over.wait(1):
            present = _executors(spark)
            seen = time.monotonic() if present >= self.wanted else seen
            self.found = self.found or self.ended_daemon()
            if self.found is None and time.monotonic() - seen > ABSENCE_SECONDS:
                self.found = PlatformError(
                    f"{present} of {self.wanted} instances of the Spark cluster are left: see the logs of the others",
                    code="spark_worker_lost",
                )
            if self.found:
                spark.sparkContext.cancelAllJobs()
