"""What another release of MiniStack breaks here, by name, without installing it into this environment.

The release is unpacked into a temporary folder, in front of this environment's own packages. Both releases are imported
and described in processes of their own, and the two descriptions are compared.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from local_aws.errors import LocalAwsError
from local_aws.ministack_patches import patched_names
from local_aws.ministack_patches.lambda_ import worker_script

_CHECKOUT = Path(__file__).resolve().parents[2]
_LIMIT_S = 120


@dataclass(frozen=True)
class Description:
    """One release as the patches see it.

    Args:
        version: what the installed distribution says.
        names: each name of ``patched_names`` -> its parameters, or its type when it is no function; None when missing.
        sources: each function of ``patched_names`` -> a digest of its source, without comments and layout.
        worker_lines: lines that ``worker_script`` replaces -> how often the worker's script holds them (must be once).
        faults: modules that cannot be imported, with the error.
    """

    version: str
    names: Mapping[str, str | None]
    sources: Mapping[str, str]
    worker_lines: Mapping[str, int]
    faults: Mapping[str, str]


def report(wanted: str) -> tuple[str, bool]:
    """Compare the release ``wanted`` with the installed one.

    Returns:
        The report, and whether anything breaks.

    Raises:
        LocalAwsError: the release cannot be installed or described.
    """
    with tempfile.TemporaryDirectory(prefix="ministack-upgrade-") as name:
        folder = Path(name)
        _install(wanted, folder / "packages")
        return compare(_described(folder, None), _described(folder, folder / "packages"))


def compare(ours: Description, theirs: Description) -> tuple[str, bool]:
    """The differences in words, and whether anything breaks: a name, its parameters, or a line of the worker."""
    missing = [name for name, found in theirs.names.items() if found is None]
    changed = [
        f"{name}: {ours.names[name]} is now {found}"
        for name, found in theirs.names.items()
        if found is not None and found != ours.names[name]
    ]
    lines = [f"{line}  (found {count} times)" for line, count in theirs.worker_lines.items() if count != 1]
    reread = sorted(name for name, digest in theirs.sources.items() if digest != ours.sources.get(name, digest))
    parts = [f"MiniStack {theirs.version}, compared with {ours.version}: {len(ours.names)} names that local_aws uses."]
    for title, found in (
        ("Modules that cannot be imported", [f"{module}: {error}" for module, error in theirs.faults.items()]),
        ("Missing names", missing),
        ("Changed parameters or types", changed),
        ("Lines of the Lambda worker's script that are no longer there exactly once", lines),
        ("Functions whose source changed: read them before you upgrade", reread),
    ):
        if found:
            parts.append(f"{title} ({len(found)}):\n" + "\n".join(f"  {item}" for item in found))
    breaks = bool(theirs.faults or missing or changed or lines)
    if breaks:
        parts.append("This release breaks local_aws. Adapt ministack_patches before you change the pinned version.")
    else:
        parts.append("No name is missing or changed. Change the pinned version, and run the tests of local_aws.")
    return "\n".join(parts), breaks


def describe() -> Description:
    """The release that this process imports."""
    names: dict[str, str | None] = {}
    sources: dict[str, str] = {}
    faults: dict[str, str] = {}
    for module, listed in patched_names.NAMES.items():
        try:
            import_module(module)
        except ImportError as error:
            faults[module] = str(error)
        for name in listed:
            found = patched_names.find(module, name)
            names[f"{module}.{name}"] = None if found is patched_names.MISSING else _shape(found)
            if inspect.isfunction(found):
                sources[f"{module}.{name}"] = _digest(found)
    script = patched_names.find(*patched_names.WORKER_SCRIPT)
    text = script if isinstance(script, str) else ""
    counts = {line: text.count(line) for line in worker_script.REPLACED}
    return Description(version("ministack"), names, sources, counts, faults)


def _shape(found: object) -> str:
    """A function's parameters without annotations, or a type's name."""
    if not inspect.isroutine(found):
        return found.__name__ if inspect.isclass(found) or inspect.ismodule(found) else type(found).__name__
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in inspect.signature(found).parameters.values()]
    return str(inspect.Signature(bare))


def _digest(function: Any) -> str:
    source = textwrap.dedent(inspect.getsource(function))
    return hashlib.sha256(ast.dump(ast.parse(source)).encode()).hexdigest()


def _install(wanted: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    done = _run([*command, "--target", str(folder), f"ministack=={wanted}"], dict(os.environ))
    if done.returncode != 0:
        raise LocalAwsError(f"ministack=={wanted} cannot be installed. pip says:\n{done.stderr.strip()}")


def _described(folder: Path, packages: Path | None) -> Description:
    answer = folder / "description.json"
    front = "" if packages is None else f"sys.path.insert(0, {str(packages)!r})\n"
    script = (
        f"import dataclasses, json, sys\n{front}sys.path.append({str(_CHECKOUT)!r})\n"
        "from local_aws.ministack_patches import upgrade_report\n"
        f"json.dump(dataclasses.asdict(upgrade_report.describe()), open({str(answer)!r}, 'w'))\n"
    )
    env = {**os.environ, "STATE_DIR": str(folder / "state"), "S3_DATA_DIR": str(folder / "s3")}
    done = _run([sys.executable, "-P", "-c", script], env)
    if done.returncode != 0:
        raise LocalAwsError(
            f"MiniStack in {packages or 'this environment'} cannot be described:\n{done.stderr.strip()}"
        )
    return Description(**json.loads(answer.read_text()))


def _run(command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 our own interpreter
        command, env=env, capture_output=True, text=True, check=False, timeout=_LIMIT_S
    )
