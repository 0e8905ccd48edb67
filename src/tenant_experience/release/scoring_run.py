"""What starts a scoring run, and how it is named: plain rules without AWS.

The same event twice gives the same run, so the state machine starts it once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tenant_experience import data_layout
from tenant_experience.errors import UserError

_NAMES = r"(?P<use_case>[a-z0-9_]{1,40})/(?P<batch>[A-Za-z0-9][A-Za-z0-9._-]{0,127})"
_MANIFEST_KEY = re.compile(rf"{data_layout.SCORE}/{_NAMES}/{re.escape(data_layout.MANIFEST)}")
_BATCH = re.compile(_NAMES)
_MOMENT = re.compile(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}")
_PUBLISHED = ("models", "answered_by")

Kind = Literal["batch", "live"]


@dataclass(frozen=True)
class ScoringRun:
    """One run: what is answered, and since when that is asked.

    Attributes:
        use_case: whose live release answers.
        batch: what the answers are called: a folder of ``predictions/<use_case>/date=.../``.
        kind: ``batch``: the rows below ``score/`` or in one file; ``live``: everybody whose features are live.
        scored_at: the moment of the trigger, ``yyyy-MM-ddTHH:mm:ssZ``: the same in a repeated event.
        identity: tells this run from any other.
        key: of the only file, where the rows are in one that has no manifest; else empty.
        version_id: of that file.
    """

    use_case: str
    batch: str
    kind: Kind
    scored_at: str
    identity: str
    key: str = ""
    version_id: str = ""

    @classmethod
    def of_manifest(cls, event: Mapping[str, Any]) -> ScoringRun:
        """Reads an EventBridge ``Object Created`` event of S3.

        Raises:
            UserError: ``not_a_manifest`` when the key is not ``score/<use_case>/<batch>/manifest.json``.
        """
        stored = event["detail"]["object"]
        match = _MANIFEST_KEY.fullmatch(stored["key"])
        if match is None:
            raise UserError(
                f"{stored['key']} is not score/<use_case>/<batch>/{data_layout.MANIFEST}; a use case is named by "
                "lower-case letters, digits and _, and a batch by up to 128 letters, digits, dots, - and _, the first "
                "of which is a letter or a digit",
                code="not_a_manifest",
            )
        version = "/".join(str(stored.get(name, "")) for name in ("version-id", "etag", "sequencer"))
        return cls(match["use_case"], match["batch"], "batch", _seconds(event["time"]), f"{stored['key']}\n{version}")

    @classmethod
    def of_request(cls, event: Mapping[str, Any]) -> ScoringRun:
        """Reads an event ``Scoring Requested``: one file, which has no manifest.

        Raises:
            UserError: ``malformed_request``: the names cannot be those of a use case and of a batch.
        """
        detail = event["detail"]
        use_case, batch, key = (str(detail.get(name, "")) for name in ("use_case", "batch", "key"))
        if not _BATCH.fullmatch(f"{use_case}/{batch}") or not key:
            raise UserError(
                "an event 'Scoring Requested' needs use_case, batch (letters, digits, dots, - and _) and key",
                code="malformed_request",
            )
        version = str(detail.get("version_id") or "")
        return cls(use_case, batch, "batch", _seconds(event["time"]), f"{batch}\n{key}\n{version}", key, version)

    @classmethod
    def of_release(cls, event: Mapping[str, Any]) -> ScoringRun | None:
        """Reads the status event of a release that succeeded; None when it changed no answer, as history does."""
        detail = event["detail"]
        given, output = (json.loads(detail.get(name) or "{}") for name in ("input", "output"))
        if not any(name in output for name in _PUBLISHED):
            return None
        release = str(output["release"])
        return cls(str(given["use_case"]), f"release-{release}", "live", _seconds(event["time"]), release)

    @classmethod
    def of_night(cls, scheduled: str, use_cases: Iterable[str]) -> list[ScoringRun]:
        """The runs of one night, one for each use case.

        Args:
            scheduled: the moment that the schedule meant, ISO 8601 UTC; the same in a repeated event.
            use_cases: those that have a live release.
        """
        moment = _seconds(scheduled)
        day = moment[:10]
        return [cls(name, f"nightly-{day}", "live", moment, f"nightly\n{day}") for name in use_cases]

    @property
    def run(self) -> str:
        """The run's id: the day of the trigger and seven digits of a hash, the same for every repeated event."""
        digest = hashlib.sha256("\n".join((self.use_case, self.kind, self.identity)).encode()).hexdigest()
        return f"{self.scored_at[:10].replace('-', '')}-{digest[:7]}"

    @property
    def folder(self) -> str:
        """What the rows are in, as an e-mail names it."""
        return self.key or data_layout.score_batch(self.use_case, self.batch)

    def execution_input(self) -> dict[str, str]:
        """What the state machine is given."""
        return {
            "run": self.run,
            "use_case": self.use_case,
            "batch": self.batch,
            "kind": self.kind,
            "key": self.key,
            "version_id": self.version_id,
            "scored_at": self.scored_at,
            "day": self.scored_at[:10],
        }


def _seconds(moment: str) -> str:
    """A moment in UTC, in whole seconds.

    Raises:
        UserError: ``malformed_request``.
    """
    found = _MOMENT.match(moment)
    if found is None or not moment.endswith("Z"):
        raise UserError(f"{moment!r} is no time like 2026-11-29T03:00:00Z", code="malformed_request")
    return f"{found[0]}Z"
