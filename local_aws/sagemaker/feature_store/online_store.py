"""The online store and the outbox of the offline store: one SQLite file, one commit for each call.

``synchronous=NORMAL`` on a write-ahead log: a killed process loses nothing, and a power cut may lose the last
moments, but never damages the file. So a write takes microseconds, and no disk flush.

Records are written and read on the server's event loop, so nothing may hold them up for long: the offline store
and DescribeFeatureGroup read through a connection of their own, and sent rows are deleted a few at a time.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    group_id INTEGER NOT NULL, record_id TEXT NOT NULL, event_time REAL NOT NULL,
    expires REAL, body TEXT, PRIMARY KEY (group_id, record_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (number INTEGER PRIMARY KEY, group_id INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS outbox_by_group ON outbox (group_id, number);
"""
_PUT = """
INSERT INTO records (group_id, record_id, event_time, expires, body) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (group_id, record_id) DO UPDATE
SET event_time = excluded.event_time, expires = excluded.expires, body = excluded.body
WHERE excluded.event_time > event_time OR expires <= ?
"""
_OUTBOX = "INSERT INTO outbox (group_id, body) VALUES (?, ?)"
_FEW = 500
_GET = "SELECT body, expires FROM records WHERE group_id = ? AND record_id = ? AND (expires IS NULL OR expires > ?)"


@dataclass(frozen=True)
class OnlineRecord:
    """One record as it goes to the online store. ``body`` None is a record that was softly deleted.

    Times are Unix seconds.
    """

    record_id: str
    event_time: float
    expires: float | None
    body: str | None


@dataclass(frozen=True)
class Write:
    """What one write does to a group: a record for the online store, a row for the offline store, or both."""

    group_id: int
    online: OnlineRecord | None
    offline: str | None


class OnlineStore:
    """Records by group and identifier, and rows that are still to go to the offline store."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute("PRAGMA secure_delete=ON")  # deleted data is overwritten, and not only freed
        self._database.executescript(_SCHEMA)
        self._execute = self._database.execute
        self._reading_lock = threading.Lock()
        self._reading = sqlite3.connect(file, check_same_thread=False, isolation_level=None)

    def write(self, writes: Iterable[Write], now: float) -> None:
        """Write records whose event is later than the stored one, and rows of the outbox; all or nothing."""
        with self._lock:
            self._execute("BEGIN IMMEDIATE")
            try:
                for each in writes:
                    if (record := each.online) is not None:
                        values = (record.record_id, record.event_time, record.expires, record.body)
                        self._execute(_PUT, (each.group_id, *values, now))
                    if each.offline is not None:
                        self._execute(_OUTBOX, (each.group_id, each.offline))
                self._execute("COMMIT")
            except BaseException:
                self._execute("ROLLBACK")
                raise

    def read(self, group_id: int, record_id: str, now: float) -> tuple[str, float | None] | None:
        """A record's body and its expiry; None when it does not exist, or is deleted or expired."""
        with self._lock:
            row = self._execute(_GET, (group_id, record_id, now)).fetchone()
        return None if row is None or row[0] is None else row

    def remove(self, group_id: int, record_id: str, event_time: float, outbox: str | None) -> bool:
        """Remove a record completely, also from the log. False when the stored one is not earlier."""
        with self._lock:
            self._execute("BEGIN IMMEDIATE")
            try:
                key = (group_id, record_id)
                found = self._execute("SELECT event_time FROM records WHERE group_id = ? AND record_id = ?", key)
                row = found.fetchone()
                allowed = row is None or row[0] < event_time
                if allowed:
                    self._execute("DELETE FROM records WHERE group_id = ? AND record_id = ?", key)
                    if outbox is not None:
                        self._execute(_OUTBOX, (group_id, outbox))
                self._execute("COMMIT")
            except BaseException:
                self._execute("ROLLBACK")
                raise
            self._execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return allowed

    def remove_group(self, group_id: int) -> None:
        """Remove every record of a group. Rows in the outbox are still sent."""
        with self._lock:
            self._execute("DELETE FROM records WHERE group_id = ?", (group_id,))

    def size(self, group_id: int) -> int:
        """The bytes of a group's records."""
        with self._reading_lock:
            query = "SELECT COALESCE(SUM(LENGTH(body)), 0) FROM records WHERE group_id = ?"
            return int(self._reading.execute(query, (group_id,)).fetchone()[0])

    def outbox_groups(self) -> list[int]:
        """The groups that have rows in the outbox."""
        with self._reading_lock:
            return [row[0] for row in self._reading.execute("SELECT DISTINCT group_id FROM outbox")]

    def outbox(self, group_id: int, most: int) -> list[tuple[int, str]]:
        """The oldest rows of a group: (number, body)."""
        with self._reading_lock:
            query = "SELECT number, body FROM outbox WHERE group_id = ? ORDER BY number LIMIT ?"
            return self._reading.execute(query, (group_id, most)).fetchall()

    def sent(self, group_id: int, last: int) -> None:
        """Rows up to number ``last`` are in S3."""
        few = "SELECT number FROM outbox WHERE group_id = ? AND number <= ? ORDER BY number LIMIT ?"
        deleted = _FEW
        while deleted == _FEW:
            with self._lock:
                done = self._execute(f"DELETE FROM outbox WHERE number IN ({few})", (group_id, last, _FEW))  # noqa: S608
                deleted = done.rowcount

    def close(self) -> None:
        """Close the file."""
        with self._lock, self._reading_lock:
            self._reading.close()
            self._database.close()
