"""What a container image is on a laptop: an interpreter, some folders, and the image's labels."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PYTHON_WORDS = frozenset({"python", "python3"})
_KEYS = frozenset({"name", "interpreter", "mounts", "path", "labels", "made_by"})


class ImageError(Exception):
    """An image's description is wrong, or a command is not in the image."""


@dataclass(frozen=True)
class Image:
    """One image.

    Args:
        name: the repository name: the last part of the URI, before ``@`` or ``:``.
        interpreter: the Python that stands for the image's. Its links are not resolved, for virtual environments.
        mounts: folder in the image -> folder on this machine.
        path: folders of the image, searched for commands before the machine's own PATH.
        labels: the image's Docker labels.
        made_by: the command that makes the interpreter, which may then be missing at the start.
    """

    name: str
    interpreter: Path
    mounts: Mapping[str, Path] = field(default_factory=dict)
    path: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    made_by: str | None = None

    def matches(self, uri: str) -> bool:
        """Whether ``uri`` names this image, whatever its registry, tag or digest."""
        repository = uri.split("@", 1)[0].rsplit("/", 1)[-1].split(":", 1)[0]
        return repository == self.name

    def search_path(self) -> list[str]:
        """The folders of ``PATH`` on this machine: the image's, the interpreter's, then the machine's."""
        own = [self.on_this_machine(folder, None) for folder in self.path]
        machine = os.environ.get("PATH", os.defpath).split(os.pathsep)
        return list(dict.fromkeys([*own, str(self.interpreter.parent), *machine]))

    def on_this_machine(self, word: str, ml: Path | None) -> str:
        """``word`` with a mounted folder (also ``/opt/ml``, given ``ml``) replaced by the folder on this machine."""
        mounts = dict(self.mounts) if ml is None else {**self.mounts, "/opt/ml": ml}
        for inside in sorted(mounts, key=len, reverse=True):
            if word == inside or word.startswith(f"{inside.rstrip('/')}/"):
                return str(mounts[inside]) + word[len(inside.rstrip("/")) :]
        return word

    def command(self, words: Sequence[str], ml: Path) -> list[str]:
        """The command on this machine for a command in the image.

        Raises:
            ImageError: the image has no such command.
        """
        first, rest = words[0], [self.on_this_machine(word, ml) for word in words[1:]]
        if first in _PYTHON_WORDS:
            return [str(self.interpreter), *rest]
        found = shutil.which(self.on_this_machine(first, ml), path=os.pathsep.join(self.search_path()))
        if found is None:
            raise ImageError(f'exec: "{first}": executable file not found in $PATH')
        if _is_python_script(Path(found)):
            return [str(self.interpreter), found, *rest]
        return [found, *rest]


def _is_python_script(path: Path) -> bool:
    with path.open("rb") as file:
        first_line = file.readline(200)
    return first_line.startswith(b"#!") and b"python" in first_line


def load_image(path: Path, root: Path) -> Image:
    """Read an image's description (JSON); its relative paths are relative to ``root``.

    Raises:
        ImageError: the file is not JSON of the expected shape, or names a file that is not there.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: cannot be read as JSON: {error}") from error
    unknown = set(found) - _KEYS
    if unknown or not {"name", "interpreter"} <= set(found):
        raise ImageError(f"{path}: needs name and interpreter, and may have {sorted(_KEYS)}; found {sorted(found)}")
    interpreter = root / found["interpreter"]
    if not interpreter.exists() and "made_by" not in found:
        raise ImageError(f"{path}: the interpreter {interpreter} does not exist. Make that environment first.")
    return Image(
        name=found["name"],
        interpreter=interpreter.absolute(),
        mounts={inside: (root / outside).absolute() for inside, outside in found.get("mounts", {}).items()},
        path=tuple(found.get("path", ())),
        labels=dict(found.get("labels", {})),
        made_by=found.get("made_by"),
    )
