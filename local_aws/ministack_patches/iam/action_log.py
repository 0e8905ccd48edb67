"""Logs who was allowed or refused what in ``iam_actions.jsonl``: one line each, the first time it happens.

Only new lines are written, at once: ``kill -9`` loses nothing, and a busy server writes little. Of the objects below
one folder of a bucket, and of the resources of one kind, only the first few are written.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path

_RESOURCES_A_GROUP = 40
Entry = tuple[str, str, str, bool]  # principal, action, resource, allowed


class ActionLog:
    """The decisions seen so far, and the file that gets new ones (none before ``open``)."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._seen: set[Entry] = set()
        self._counts: Counter[Entry] = Counter()
        self._lock = threading.Lock()

    def open(self, path: Path) -> None:
        """Append to ``path`` from now on, and read what it already holds."""
        self._path = path
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                found = json.loads(line)
            except ValueError:
                continue  # cut short by the end of the machine
            self._remember((found["principal"], found["action"], found["resource"], found["allowed"]))

    def add(self, principal: str, action: str, resource: str, *, allowed: bool) -> None:
        """Note one decision.

        Args:
            principal: a role's name, or a service such as ``events.amazonaws.com``.
            action: e.g. ``s3:GetObject``.
            resource: an ARN, or ``*``.
            allowed: the decision.
        """
        entry = (principal, action, resource, allowed)
        if entry in self._seen:
            return
        with self._lock:
            if entry in self._seen or not self._remember(entry) or self._path is None:
                return
            line = {"principal": principal, "action": action, "resource": resource, "allowed": allowed}
            with self._path.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def _remember(self, entry: Entry) -> bool:
        """False when enough of its kind are logged."""
        principal, action, resource, allowed = entry
        group = (principal, action, "/".join(resource.split("/", 2)[:2]), allowed)
        if self._counts[group] >= _RESOURCES_A_GROUP:
            return False
        self._counts[group] += 1
        self._seen.add(entry)
        return True


LOG = ActionLog()
