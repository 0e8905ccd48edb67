"""A Spark session on the instances of this job: in this process for one instance, on a cluster for several."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pyspark.sql import SparkSession

from tenant_experience.data_layout import ml_root
from tenant_experience.errors import PlatformError
from tenant_experience.jobs.instance_resources import available_cpus, available_memory

_MIB = 1 << 20


def heap_mib() -> int:
    """The size of the Java heap in MiB: a third of the memory; the rest is for Python and DuckDB."""
    return max(1_024, available_memory() // _MIB // 3)


def require_java() -> None:
    """Checks that this machine has Java.

    Raises:
        PlatformError: ``java_missing``.
    """
    home = os.environ.get("JAVA_HOME")
    found = (Path(home) / "bin" / "java").is_file() if home else shutil.which("java")
    if not found:
        raise PlatformError(
            "Spark needs Java 17 or later, but there is no java on PATH or in JAVA_HOME: install a runtime "
            "(Debian, Ubuntu: openjdk-17-jre-headless)",
            code="java_missing",
        )


@contextmanager
def spark_session(master: str | None = None, **settings: str) -> Iterator[SparkSession]:
    """A session that is stopped afterwards; its spilled files are removed.

    Args:
        master: the URL of a cluster's master; None means this process, with all its CPUs.
        settings: further Spark settings, with ``_`` instead of ``.``.

    Raises:
        PlatformError: ``java_missing``.
    """
    require_java()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    ml_root().mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="scratch-spark-", dir=ml_root()) as folder:
        chosen = {
            "spark.sql.session.timeZone": "UTC",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.local.dir": folder,
            "spark.driver.memory": f"{heap_mib()}m" if master is None else "1g",
            "spark.driver.maxResultSize": "0",
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
        builder = SparkSession.builder.appName("build_features").master(master or f"local[{available_cpus()}]")
        for name, value in chosen.items():
            builder = builder.config(name, value)
        spark = builder.getOrCreate()
        try:
            spark.sparkContext.setLogLevel("ERROR")
            yield spark
        finally:
            spark.stop()
