"""What a project says about itself: ``[tool.local-aws]`` in the ``pyproject.toml`` of its folder.

    [tool.local-aws]
    images = ["image.json"]

A project without this table names its images with ``--image``, or uses no SageMaker jobs and endpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local_aws.errors import LocalAwsError

_FILE = "pyproject.toml"
_TABLE = "[tool.local-aws]"


def image_files(chosen: Sequence[Path] | None, folder: Path) -> list[Path]:
    """The descriptions of images, as absolute paths: the chosen ones, otherwise the project's.

    Args:
        chosen: the values of ``--image``, relative to ``folder``.
        folder: the project's folder.

    Raises:
        LocalAwsError: a file does not exist, or the project's table is wrong. The text names the file.
    """
    paths = list(chosen) if chosen else [Path(name) for name in _images_of_project(folder / _FILE)]
    source = "--image" if chosen else f"{_FILE}, {_TABLE}, images:"
    for path in paths:
        if not (folder / path).is_file():
            raise LocalAwsError(f"{source} {path}: there is no such file in {folder}.")
    return [(folder / path).absolute() for path in paths]


def _images_of_project(file: Path) -> list[str]:
    if not file.is_file():
        return []
    import tomllib  # most commands read no configuration

    try:
        table: Any = tomllib.loads(file.read_text()).get("tool", {}).get("local-aws", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LocalAwsError(
            f"{file}: this is not valid TOML: {error}. Correct it, or name images with --image."
        ) from error
    if not isinstance(table, dict):
        raise LocalAwsError(f"{file}, {_TABLE}: this must be a table.")
    unknown = sorted(set(table) - {"images"})
    if unknown:
        raise LocalAwsError(f"{file}, {_TABLE}: unknown setting {', '.join(unknown)}. The only setting is images.")
    images = table.get("images", [])
    if not isinstance(images, list) or not all(isinstance(name, str) for name in images):
        raise LocalAwsError(
            f'{file}, {_TABLE}: images must be a list of file names, for example images = ["image.json"].'
        )
    return images
