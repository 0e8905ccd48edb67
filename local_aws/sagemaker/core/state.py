"""All resources of this SageMaker, as JSON documents in one SQLite file that survives crashes."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Document = dict[str, Any]

_TIME = "$time"


class Store:
    """Documents by kind and name, in order of creation. Every answer is a copy; every change is on disk at once."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS documents (number INTEGER PRIMARY KEY, kind TEXT NOT NULL,"
            " name TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (kind, name))"
        )

    def insert(self, kind: str, name: str, document: Document) -> bool:
        """Keep a new document. False, with nothing changed, when the name is taken."""
        with self._lock:
            done = self._database.execute(
                "INSERT OR IGNORE INTO documents (kind, name, body) VALUES (?, ?, ?)", (kind, name, _dump(document))
            )
            return done.rowcount == 1

    def put(self, kind: str, name: str, document: Document) -> None:
        """Keep a document, new or not."""
        with self._lock:
            self._database.execute(
                "INSERT INTO documents (kind, name, body) VALUES (?, ?, ?)"
                " ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body",
                (kind, name, _dump(document)),
            )

    def get(self, kind: str, name: str) -> Document | None:
        """The document, or None."""
        with self._lock:
            row = self._database.execute(
                "SELECT body FROM documents WHERE kind = ? AND name = ?", (kind, name)
            ).fetchone()
        return None if row is None else _load(row[0])

    def change(self, kind: str, name: str, change: Callable[[Document], None]) -> Document:
        """Let ``change`` edit the document, and keep it. Nobody else changes it meanwhile.

        Raises:
            KeyError: there is no such document.
        """
        with self._lock:
            document = self.get(kind, name)
            if document is None:
                raise KeyError(f"{kind} {name}")
            change(document)
            self.put(kind, name, document)
            return document

    def delete(self, kind: str, name: str) -> bool:
        """Forget a document; False when there was none."""
        with self._lock:
            done = self._database.execute("DELETE FROM documents WHERE kind = ? AND name = ?", (kind, name))
            return done.rowcount == 1

    def all(self, kind: str) -> list[Document]:
        """Every document of a kind, oldest first."""
        with self._lock:
            rows = self._database.execute(
                "SELECT body FROM documents WHERE kind = ? ORDER BY number", (kind,)
            ).fetchall()
        return [_load(row[0]) for row in rows]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()


def _dump(document: Document) -> str:
    return json.dumps(document, default=_time_to_json, separators=(",", ":"))


def _load(text: str) -> Document:
    loaded: Document = json.loads(text, object_hook=_time_from_json)
    return loaded


def _time_to_json(value: object) -> object:
    if isinstance(value, datetime):
        return {_TIME: value.timestamp()}
    raise TypeError(f"{type(value).__name__} cannot be kept in the state file")


def _time_from_json(found: dict[str, Any]) -> object:
    return datetime.fromtimestamp(found[_TIME], UTC) if found.keys() == {_TIME} else found
