"""A script in a process of its own, forked from one in which its libraries are imported already.

Importing DuckDB, pyarrow and matplotlib takes longer than most tests of BuildFeatures; this way it is paid for once.
The script sees what a new process would: its arguments, its environment, its working directory, its exit code.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["tenant_experience.pipeline.build_features", "tenant_experience.aws.pseudonym_key", "matplotlib.pyplot", "jinja2"]
)
# Only a script that hangs takes this long.
_LIMIT_S = 600


def run_forked(script: Path, arguments: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a script from the root folder to its end; the caller judges its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder) / name for name in ("stdout", "stderr")]
        process = _FORKS.Process(target=_run, args=(str(script), arguments, dict(environment), outputs))
        process.start()
        process.join(_LIMIT_S)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired([str(script), *arguments], _LIMIT_S)
        stdout, stderr = (output.read_text() for output in outputs)
        return subprocess.CompletedProcess([str(script), *arguments], process.exitcode, stdout, stderr)


def _run(script: str, arguments: list[str], environment: dict[str, str], outputs: list[Path]) -> None:
    for descriptor, output in zip((1, 2), outputs, strict=True):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir("/")
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")
