"""Damages a model's archive as disks, networks and people do; the same number always gives the same damage."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any


def damage(seed: int, number: int, folder: Path, *, recompute: bool) -> str:
    """Damages one file in ``folder``, and says which.

    Args:
        seed: with ``number``, decides the damage.
        number: of the case.
        folder: holds a model.
        recompute: whether the digests are made to fit the damage.
    """
    chance = random.Random(f"{seed}/{number}")
    names = sorted(path.name for path in folder.iterdir())
    model_file = next(name for name in names if name in ("model.npz", "model.ubj"))
    name = chance.choice([*names, model_file, model_file])
    path = folder / name
    path.write_bytes(_damaged(chance, path.read_bytes()))
    if recompute:
        _fit_digests(folder)
    return name


def _damaged(chance: random.Random, content: bytes) -> bytes:
    place, length = chance.randrange(len(content)), chance.choice([1, 1, 1, 2, 4, 8, 64])
    end = min(place + length, len(content))
    kind = chance.choice(["bit", "bytes", "extreme", "zero", "cut", "drop", "twice", "swap"])
    if kind == "bit":
        return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]
    if kind == "bytes":
        return content[:place] + chance.randbytes(end - place) + content[end:]
    if kind == "extreme":
        return content[:place] + chance.choice([b"\x7f", b"\xff", b"\x80"]) * (end - place) + content[end:]
    if kind == "zero":
        return content[:place] + bytes(end - place) + content[end:]
    if kind == "cut":
        return content[:place]
    if kind == "drop":
        return content[:place] + content[end:]
    if kind == "twice":
        return content[:end] + content[place:]
    other = chance.randrange(len(content))
    low, high = sorted((place, other))
    return content[:low] + content[high : high + 1] + content[low + 1 : high] + content[low : low + 1] + content[high:]


def _fit_digests(folder: Path) -> None:
    """As ``models.digests`` writes them, written down again here, so that the test does not follow a change of it."""
    path = folder / "model.json"
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError:
        return
    if not isinstance(document, dict):
        return
    document.pop("sha256", None)
    document["files"] = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("model.npz", "model.ubj", "grouping.json", "next_period.json")
        if (folder / name).is_file()
    }
    document["sha256"] = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(document))
