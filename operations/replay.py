"""Train a registered model again from its own record, and compare the two.

The settings come from the model's record, the rows from what the release left in the data bucket. Equal means that the
two archives are the same byte for byte. Otherwise the command names the parts that differ: the data (a tenant may have
been erased since), the settings, or the version of this code or of a library.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from operations.errors import OperationError
from operations.stack import add_stack_arguments, find_stack
from tenant_experience.data_layout import GLOBAL_PARTITION
from tenant_experience.pipeline.replay import Fetch, Replay, replay_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--release", required=True, help="id of the release")
    parser.add_argument("--partition", default=GLOBAL_PARTITION, help="partition of the model (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="a copy of the data bucket, used instead of a stack")
    add_stack_arguments(parser)


def run(options: argparse.Namespace, console: Console) -> int:
    """Train and compare; 0 when everything is equal."""
    with TemporaryDirectory(prefix="replay-") as folder:
        scratch = Path(folder)
        if options.folder:
            fetch, where = _from_folder(options.folder), str(options.folder)
        else:
            stack = find_stack(options)
            fetch, where = _from_bucket(stack.bucket, scratch / "bucket"), stack.describe()
        console.print(f"Training the model of {escape(options.partition)}, release {options.release}, {escape(where)}")
        with console.status("training"):
            replay = replay_model(fetch, options.release, options.partition, scratch)
    console.print(_table(replay))
    for part in replay.differs:
        console.print(f"[red]{part} differs:[/red] {escape(_difference(replay, part))}", soft_wrap=True)
    if not replay.differs:
        console.print("[green]Equal: the model made again is the same as the registered one, byte for byte.[/green]")
    return 1 if replay.differs else 0


def _from_bucket(bucket: str, folder: Path) -> Fetch:
    client = boto3.client("s3")

    def fetch(key: str) -> Path:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(bucket, key, str(path))
        return path

    return fetch


def _from_folder(folder: Path) -> Fetch:
    def fetch(key: str) -> Path:
        path = folder / key
        if not path.is_file():
            raise OperationError(f"--folder {folder} has no {key}: copy the whole data bucket")
        return path

    return fetch


def _table(replay: Replay) -> Table:
    table = Table("part", "registered", "made again", "")
    for part in replay.recorded:
        values = [_brief(side[part]) for side in (replay.recorded, replay.rebuilt)]
        table.add_row(part, *values, "differs" if part in replay.differs else "equal")
    return table


def _brief(value: object) -> str:
    """A shortened hash; for a part with several values, the hash of its data or how many values there are."""
    if isinstance(value, dict):
        return value["data_sha256"][:16] if "data_sha256" in value else f"{len(value)} values"
    return str(value)[:16]


def _difference(replay: Replay, part: str) -> str:
    recorded, rebuilt = replay.recorded[part], replay.rebuilt[part]
    if not isinstance(recorded, dict):
        return f"registered: {recorded}; made again: {rebuilt}"
    named = [name for name in recorded if recorded[name] != rebuilt[name]]
    return "; ".join(f"{name} was {json.dumps(recorded[name])} and is {json.dumps(rebuilt[name])}" for name in named)
