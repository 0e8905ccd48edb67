"""Loads a use case's own generator of data: ``generate.py`` in its folder.

python -m demo.generator bank_marketing /tmp/bank --seed 0
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, cast

from operations.batch import use_case_folder
from operations.errors import OperationError

FILE = "generate.py"


class Generator(Protocol):
    """The function ``generate`` of a use case's ``generate.py``."""

    def __call__(self, folder: Path, as_of: datetime, seed: int) -> None:
        """Write the files of a batch into ``folder``, which is made when missing; the same arguments, the same bytes.

        Args:
            folder: for the files that the use case's default source reads.
            as_of: with a time zone; the moment that the features will describe.
            seed: seed of everything random.
        """


def load_generator(use_case: Path) -> Generator:
    """The generator in a use case's folder.

    Raises:
        OperationError: the folder has none, or its file has no function ``generate``.
    """
    path = use_case / FILE
    if not path.is_file():
        raise OperationError(
            f"the use case {use_case.name} has no generator of data ({FILE} in its folder): name your file or folder "
            "as INPUT"
        )
    spec = importlib.util.spec_from_file_location(f"use_cases.{use_case.name}.generate", path)
    if spec is None or spec.loader is None:
        raise OperationError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    generate = getattr(module, "generate", None)
    if not callable(generate):
        raise OperationError(f"{path} has no function generate(folder, as_of, seed): write one")
    return cast("Generator", generate)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; always 0."""
    parser = argparse.ArgumentParser(prog="python -m demo.generator", description="Write generated data of a use case.")
    parser.add_argument("use_case", help="the name of a folder in use_cases/")
    parser.add_argument("folder", type=Path, help="where to write the files")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default: %(default)s)")
    options = parser.parse_args(arguments)
    as_of = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    load_generator(use_case_folder(options.use_case))(options.folder, as_of, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
