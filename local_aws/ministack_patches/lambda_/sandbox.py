"""What a Lambda sees of this machine: its code, its layers, the runtime's own packages, and Lambda's environment.

MiniStack starts a function with its own interpreter, site-packages and environment: a package missing from a layer
would be found here, and missed in the account.
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
# What Lambda has, with its values; HOME and TMPDIR are not the person's, and keep a function inside the state folder.
_FIXED = {
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "LANG": "en_US.UTF-8",
    "TZ": ":UTC",
}


class _Subprocess:
    """The ``subprocess`` module as MiniStack's Lambda runtime sees it: a worker is started in the sandbox."""

    def __init__(self, packages: Path) -> None:
        self._packages = packages

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, command: Sequence[str], **named: Any) -> Any:  # noqa: N802 subprocess's name
        """Start a process; a Python worker isolated, and any with Lambda's environment only."""
        program = list(command)
        if Path(program[-1]).stem == Path(_WORKER).stem:
            named["env"] = _environment(named["env"])
        if program[-1].endswith(_WORKER):
            # -S: no site-packages; -I: neither PYTHON* variables, nor the person's packages, nor the folder it is in.
            program = [program[0], "-I", "-S", *program[1:]]
            named["env"] |= {RUNTIME_VARIABLE: str(self._packages), "AWS_EXECUTION_ENV": _execution_environment()}
        return subprocess.Popen(program, **named)  # noqa: S603 MiniStack's own command


def install() -> None:
    """Start workers in the sandbox from now on."""
    packages = Path(tempfile.gettempdir()) / "lambda-runtime"
    _link_packages(packages)
    lambda_runtime.subprocess = _Subprocess(packages)


def _environment(given: dict[str, str]) -> dict[str, str]:
    """What the worker is given without what it has from the server's environment."""
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
