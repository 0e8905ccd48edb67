"""Train a registered model again from its own record, and compare the two.

The settings come from the model's record, the rows from what the release left in the data bucket. Equal means that the
two archives are the same byte for byte. Otherwise the command names the parts that differ: the data (a tenant may have
been erased since), the settings, or the version of this code or of a library.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from operations.errors import OperationError, interruption
from operations.releases import no_release
from operations.stack import Stack
from tenant_experience.data_layout import MODELS, RELEASE_ID
from tenant_experience.pipeline.replay import Fetch, Replay, replay_model

_NEWEST = 5


def replay(place: Stack | Path, release: str, partition: str, console: Console) -> Replay:
    """Train a registered model again, compare the two, and print what differs.

    Args:
        place: a stack, or a folder with a copy of its data bucket.
        release: whose model.
        partition: the model's partition.
        console: where to print.

    Raises:
        OperationError: there is no such release, or the folder lacks a file.
        UserError: the release has no such model.
        Interrupted: Ctrl-C was pressed.
    """
    with interruption("The replay was interrupted. It changed nothing."):
        newest = _newest_in_folder(place) if isinstance(place, Path) else _newest_in_bucket(place.bucket)
        if not RELEASE_ID.fullmatch(release) or release not in newest:
            raise OperationError(no_release(release, newest[:_NEWEST]))
        with TemporaryDirectory(prefix="replay-") as folder:
            scratch = Path(folder)
            if isinstance(place, Path):
                fetch, where = _from_folder(place), str(place)
            else:
                fetch, where = _from_bucket(place.bucket, scratch / "bucket"), place.describe()
            console.print(f"Training the model of {escape(partition)}, release {release}, {escape(where)}")
            with console.status("training"):
                made = replay_model(fetch, release, partition, scratch)
    console.print(_table(made))
    for part in made.differs:
        console.print(f"[red]{part} differs:[/red] {escape(_difference(made, part))}", soft_wrap=True)
    if not made.differs:
        console.print("[green]Equal: the model made again is the same as the registered one, byte for byte.[/green]")
    return made


def _newest_in_bucket(bucket: str) -> list[str]:
    """The releases with models, newest first."""
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{MODELS}/")
    listed = [(each["LastModified"], each["Key"].split("/")) for page in pages for each in page.get("Contents", [])]
    found = sorted(((at, parts[2]) for at, parts in listed if len(parts) > 3), reverse=True)
    return list(dict.fromkeys(release for _, release in found))


def _newest_in_folder(folder: Path) -> list[str]:
    return list(dict.fromkeys(sorted((path.name for path in (folder / MODELS).glob("*/*/")), reverse=True)))


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
