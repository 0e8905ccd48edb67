"""A batch of raw files: read from a file or folder, and uploaded as any client of the data bucket would do it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import boto3

from operations.errors import OperationError, interruption
from operations.laptop import ROOT
from tenant_experience import data_layout
from tenant_experience.data_layout import MANIFEST
from tenant_experience.intake.skipped import is_skipped
from tenant_experience.use_case.manifest import parse_manifest, read_batch_manifest, trains
from tenant_experience.use_case.schema import USE_CASE_FILE, load_use_case
from tenant_experience.use_case.source import load_source

USE_CASE = "tenant_experience"
_LONGEST_NAME = 128
USE_CASES = ROOT / "use_cases"


@dataclass(frozen=True)
class RawBatch:
    """Files to upload.

    Attributes:
        name: the batch's folder below ``raw/<use case>/``.
        files: what is uploaded.
        manifest: the content of ``manifest.json``.
        use_case: a folder of ``use_cases/``.
        root: files keep their paths below this folder; without it they are uploaded side by side.
        skipped: paths below ``root`` that are not read, because their names begin with ``.`` or ``_``.
    """

    name: str
    files: tuple[Path, ...]
    manifest: dict[str, object] = field(default_factory=dict)
    use_case: str = USE_CASE
    root: Path | None = None
    skipped: tuple[str, ...] = ()

    @property
    def trains(self) -> bool:
        """Whether models are asked for, as far as the manifest itself says so."""
        return trains(self.manifest)

    def named_files(self) -> dict[str, Path]:
        """The files by their names in the batch.

        Raises:
            OperationError: two files have the same name.
        """
        named: dict[str, Path] = {}
        for path in self.files:
            name = path.relative_to(self.root).as_posix() if self.root else path.name
            if name in named:
                raise OperationError(f"{named[name]} and {path} would both be uploaded as {name}: rename one of them")
            named[name] = path
        return named


def read_input(
    path: Path,
    use_case: Path,
    source: str | None = None,
    as_of: datetime | None = None,
    *,
    train: bool = True,
    appends: bool = False,
) -> RawBatch:
    """The batch in a file, or in a folder and the folders below it; its ``manifest.json`` is the batch's manifest.

    Args:
        path: a file or folder.
        use_case: the folder of a use case.
        source: how to read the files; must not contradict the manifest.
        as_of: the moment that the features describe, UTC; must not contradict the manifest.
        train: whether models are trained; False must not contradict the manifest.
        appends: whether its events are added to those of earlier batches; must not contradict the manifest.

    Raises:
        OperationError: there is nothing at ``path``, or the manifest says something else.
        TenantExperienceError: the manifest, the use case or the source is wrong.
    """
    loaded = load_use_case(use_case)
    if source is not None:
        load_source(use_case, source, loaded)
    found = find_files(path)
    manifest = _merged(found.folder, source, as_of, train=train)
    manifest = _added_up(manifest) if appends else manifest
    if manifest.get("source") and source is None:
        load_source(use_case, str(manifest["source"]), loaded)
    if manifest.get("mode") != "append":
        return found.batch(use_case, manifest)
    # It takes the place of an earlier one of its name, so a corrected file must have the same.
    name = path.resolve().stem
    if len(name) > _LONGEST_NAME:
        raise OperationError(
            f"{path}: the batch would have the name {name}, which has more than {_LONGEST_NAME} characters: rename it"
        )
    return replace(found.batch(use_case, manifest), name=name)


@dataclass(frozen=True)
class InputFiles:
    """What a person named on the command line.

    Attributes:
        path: a file or folder.
        files: what is read.
        root: the folder that the files' names begin below.
        skipped: names that are not read, because they begin with ``.`` or ``_``.
        folder: the one that has a ``manifest.json``; None where there is none.
    """

    path: Path
    files: tuple[Path, ...]
    root: Path
    skipped: tuple[str, ...]
    folder: Path | None

    def batch(self, use_case: Path, manifest: dict[str, object]) -> RawBatch:
        """The batch of these files, with a name that no other batch has."""
        name = timed_name(self.path.resolve().stem)
        return RawBatch(name, self.files, manifest, use_case.resolve().name, self.root, self.skipped)


def find_files(path: Path) -> InputFiles:
    """The file at ``path``, or what is in a folder and the folders below it.

    Raises:
        OperationError: there is nothing that can be read.
    """
    if not path.exists():
        raise OperationError(f"{path}: there is no such file or folder")
    if ROOT.is_relative_to(path.resolve()):
        raise OperationError(f"{path} is the folder of this checkout or contains it: name the file or folder to read")
    single = not path.is_dir()
    root = path.parent if single else path
    paths = [path] if single else sorted(child for child in path.rglob("*") if child.is_file())
    names = {child.relative_to(root).as_posix(): child for child in paths}
    skipped = tuple(filter(is_skipped, names))
    for child in paths if single else path.rglob("*"):
        _check_readable(child, child.relative_to(root).as_posix())
    kept = {name: child for name, child in names.items() if name not in skipped and name != MANIFEST}
    if nested := [name for name in kept if name.rpartition("/")[2] == MANIFEST]:
        raise OperationError(
            f"{root / nested[0]}: a batch has one {MANIFEST}, at its top: upload each folder that has one by itself"
        )
    if not kept:
        raise OperationError(f"{path} holds no file to read" + (f"; skipped: {', '.join(skipped)}" if skipped else ""))
    return InputFiles(path, tuple(kept.values()), root, skipped, None if single or MANIFEST not in names else root)


def _check_readable(path: Path, name: str) -> None:
    """Refuse what would be passed over in silence, or could not be uploaded under its name.

    Raises:
        OperationError: ``path`` is no file or folder, is a link to a folder, or its name is not Unicode.
    """
    if is_skipped(name):
        return
    if path.is_symlink() and path.is_dir():
        raise OperationError(f"{path} is a link to a folder, which is not followed: put the folder itself there")
    if not path.is_file() and not path.is_dir():
        raise OperationError(f"{path} is neither a file nor a folder: put a copy of the file there, or remove it")
    if name != name.encode("utf-8", "ignore").decode():
        raise OperationError(f"the name of {name!a} is not Unicode: rename the file")


def use_case_folder(name: str, *, takes_path: bool = False) -> Path:
    """The folder of a use case, given by its name in ``use_cases/``, or by a path with a ``/`` where that is allowed.

    Raises:
        OperationError: there is no such use case.
    """
    is_path = "/" in name
    folder = Path(name) if is_path else USE_CASES / name
    if not name or (is_path and not takes_path) or not (folder / USE_CASE_FILE).is_file():
        known = ", ".join(sorted(each.parent.name for each in USE_CASES.glob(f"*/{USE_CASE_FILE}")))
        raise OperationError(f"there is no use case {name!r}: choose one of {known}")
    return folder


def upload(
    batch: RawBatch,
    bucket: str,
    on_file: Callable[[int, str], None] = lambda _count, _name: None,
    prefix_of: Callable[[str, str], str] = data_layout.raw_batch,
) -> None:
    """Upload the files and then the manifest, whose arrival starts a release, or a run that scores them.

    Args:
        batch: what to upload.
        bucket: the data bucket.
        on_file: given how many files were uploaded before, and the name of the next one.
        prefix_of: where a batch of a use case lies.

    Raises:
        OperationError: two files have the same name, or an earlier upload left others in the place of a batch that adds
            up.
    """
    s3 = boto3.client("s3")
    prefix = prefix_of(batch.use_case, batch.name)
    if batch.manifest.get("mode") == "append":
        _check_left_over(batch, bucket, prefix)
    with interruption(
        f"The upload of batch {batch.name} was interrupted. Nothing starts before its manifest.json has arrived: "
        "`tenx status` says whether one runs. To upload everything again, run the same command."
    ):
        for count, (name, path) in enumerate(batch.named_files().items()):
            on_file(count, name)
            s3.upload_file(str(path), bucket, prefix + name)
        s3.put_object(Bucket=bucket, Key=prefix + MANIFEST, Body=json.dumps(batch.manifest).encode())


def timed_name(stem: str) -> str:
    """A batch's name that no other batch has: with the time in UTC, and four digits for uploads in the same second."""
    return f"{stem[:40]}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


def _check_left_over(batch: RawBatch, bucket: str, prefix: str) -> None:
    """Makes sure that a batch which takes the place of an earlier one is not read together with files of that one.

    Raises:
        OperationError: there are such files.
    """
    new = {*batch.named_files(), MANIFEST}
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    found = [stored["Key"] for page in pages for stored in page.get("Contents", [])]
    left = [key for key in found if key.removeprefix(prefix) not in new]
    if left:
        raise OperationError(
            f"s3://{bucket}/{left[0]} is of an earlier upload of batch {batch.name}, and would be read together with "
            f"this one ({len(left)} such files): delete what is wrong there, or give this input another name if it is "
            "another batch"
        )


def _merged(folder: Path | None, source: str | None, as_of: datetime | None, *, train: bool) -> dict[str, object]:
    """The manifest in ``folder`` with what the command line adds."""
    document: dict[str, object] = {}
    if folder is not None:
        read_batch_manifest(folder)
        document = json.loads((folder / MANIFEST).read_text(encoding="utf-8-sig"))
    given = parse_manifest(document)
    if not train and document.get("train"):
        raise OperationError(
            f'--no-train contradicts "train": true in {MANIFEST} in {folder}: leave the option out, or correct the file'
        )
    if not train:
        document["train"] = False
        parse_manifest(document)
    return with_words(document, folder, source=(source, given.source), as_of=(as_of, given.as_of))


def with_words(
    document: dict[str, object], folder: Path | None, **pairs: tuple[str | datetime | None, str | datetime | None]
) -> dict[str, object]:
    """A manifest with what was typed on the command line.

    Args:
        document: the manifest as it is in ``folder``; empty where there is none.
        folder: where it is.
        pairs: key -> what was typed, and what the manifest says; None where nothing was.

    Raises:
        OperationError: they contradict each other.
    """
    added = dict(document)
    for key, (wanted, found) in pairs.items():
        if wanted is not None and found is not None and wanted != found:
            raise OperationError(
                f"--{key.replace('_', '-')} is {_text(wanted)}, but {MANIFEST} in {folder} says {_text(found)}: "
                "leave the option out, or correct the file"
            )
        if wanted is not None:
            added[key] = _text(wanted)
    return added


def _added_up(document: dict[str, object]) -> dict[str, object]:
    if document.get("mode", "append") != "append":
        raise OperationError(
            f'--append contradicts "mode": "replace" in {MANIFEST}: leave the option out, or correct the file'
        )
    return {**document, "mode": "append"}


def _text(value: object) -> str:
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else str(value)
