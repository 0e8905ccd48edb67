"""What a function sees of this machine: its code, its layers, the runtime's own packages, and Lambda's environment.

MiniStack gives a function its own interpreter, site-packages and environment. A package that is missing from a layer
would then be found here, and not in the account.
Sources: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html (defined runtime variables) and
https://docs.aws.amazon.com/lambda/latest/dg/python-package.html (packages of the runtime).
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime

from local_aws.ministack_patches.lambda_.worker_script import RUNTIME_VARIABLE

_PACKAGES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")
_DISTRIBUTIONS = ("boto3", "botocore", "jmespath", "python_dateutil", "s3transfer", "six", "urllib3")
_WORKER = "_worker.py"
# Lambda's own values. HOME and TMPDIR are set apart, so that a function stays inside the state folder.
_FIXED = {
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "LANG": "en_US.UTF-8",
    "TZ": ":UTC",
}


class _Subprocess:
    """Stands for the ``subprocess`` module in MiniStack's Lambda runtime, and starts workers in the sandbox."""

    def __init__(self, packages: Path) -> None:
        self._packages = packages

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, command: Sequence[str], **named: Any) -> Any:  # noqa: N802 subprocess's name
        """Start a process. Workers get Lambda's environment only, and Python workers are isolated."""
        program = list(command)
        if Path(program[-1]).stem == Path(_WORKER).stem:
            named["env"] = _environment(named["env"])
        if program[-1].endswith(_WORKER):
            # -S: no site-packages; -I: no PYTHON* variables, no user packages, and not the script's folder.
            program = [program[0], "-I", "-S", *program[1:]]
            named["env"] |= {RUNTIME_VARIABLE: str(self._packages), "AWS_EXECUTION_ENV": _execution_environment()}
        return subprocess.Popen(program, **named)  # noqa: S603 MiniStack's own command


def install() -> None:
    """Start workers in the sandbox from now on."""
    packages = Path(tempfile.gettempdir()) / "lambda-runtime"
    _link_packages(packages)
    lambda_runtime.subprocess = _Subprocess(packages)


def _environment(given: dict[str, str]) -> dict[str, str]:
    """The worker's own variables, without those it would inherit from the server."""
    own = {name: value for name, value in given.items() if os.environ.get(name) != value}
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return {**kept, **_FIXED, "HOME": tempfile.gettempdir(), **own}


def _execution_environment() -> str:
    return f"AWS_Lambda_python{sysconfig.get_python_version()}"


def _link_packages(folder: Path) -> None:
    """Fill a folder with links to the packages that AWS's runtime has, and to nothing else."""
    packages = Path(sysconfig.get_paths()["purelib"])
    named = (path for path in packages.glob("*.dist-info") if path.name.partition("-")[0] in _DISTRIBUTIONS)
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*(packages / name for name in _PACKAGES), *named):
        link = folder / path.name
        if path.exists() and not link.is_symlink():
            link.symlink_to(path)
