"""What starts a scoring run, and that the same event starts the same run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tenant_experience.data_layout import RELEASE_ID
from tenant_experience.errors import UserError
from tenant_experience.release.scoring_run import ScoringRun

TIME = "2026-11-29T10:00:00.123Z"


def arrival(key: str, **changes: Any) -> dict[str, Any]:
    return {"time": TIME, "detail": {"object": {"key": key, "version-id": "v1", "etag": "e", **changes}}}


def test_a_manifest_starts_one_run_for_each_upload() -> None:
    run = ScoringRun.of_manifest(arrival("score/homes/b1/manifest.json"))
    assert (run.use_case, run.batch, run.kind, run.scored_at) == ("homes", "b1", "batch", "2026-11-29T10:00:00Z")
    assert RELEASE_ID.match(run.run)
    assert run.run.startswith("20261129-")
    assert ScoringRun.of_manifest(arrival("score/homes/b1/manifest.json")).run == run.run
    other = [
        arrival("score/homes/b1/manifest.json", **{"version-id": "v2"}),
        arrival("score/homes/b2/manifest.json"),
        arrival("score/flats/b1/manifest.json"),
    ]
    assert len({ScoringRun.of_manifest(event).run for event in other} | {run.run}) == 4
    assert run.execution_input()["day"] == "2026-11-29"


@pytest.mark.parametrize(
    "key",
    [
        "raw/homes/b1/manifest.json",
        "score/homes/a/b/manifest.json",
        "score/Homes/b/m.json",
        *(
            f"score/homes/{batch}/manifest.json"
            for batch in ("b%201", "b 1", "b+1", "b\u00fc", "..", ".b", "", "b" * 129)
        ),
        "score/homes/b1/manifest.json\n",
    ],
)
def test_other_keys_are_refused(key: str) -> None:
    with pytest.raises(UserError) as caught:
        ScoringRun.of_manifest(arrival(key))
    assert caught.value.code == "not_a_manifest"


def test_the_longest_batch_has_a_run_with_a_short_name_and_a_file_any_name() -> None:
    longest = ScoringRun.of_manifest(arrival(f"score/homes/{'b' * 128}/manifest.json"))
    assert len(longest.run) == 16
    key = "inference/homes/Mieter \u00fc + 100%20.csv"
    run = ScoringRun.of_request({"time": TIME, "detail": {"use_case": "homes", "batch": "f", "key": key}})
    assert run.execution_input()["key"] == key


def test_a_file_may_be_asked_for_by_its_version() -> None:
    detail = {"use_case": "homes", "batch": "file-1", "key": "inference/homes/f.csv", "version_id": "v1"}
    run = ScoringRun.of_request({"time": TIME, "detail": detail})
    assert (run.kind, run.key, run.version_id, run.folder) == ("batch", detail["key"], "v1", detail["key"])
    assert run.run != ScoringRun.of_request({"time": TIME, "detail": detail | {"version_id": "v2"}}).run
    for wrong in ({"use_case": "Homes"}, {"batch": "a/b"}, {"batch": ".."}, {"batch": "b\n"}, {"key": ""}):
        with pytest.raises(UserError) as caught:
            ScoringRun.of_request({"time": TIME, "detail": detail | wrong})
        assert caught.value.code == "malformed_request"


def ended(output: dict[str, Any]) -> dict[str, Any]:
    given = json.dumps({"use_case": "homes", "batch": "b1", "release": "r1"})
    return {"time": TIME, "detail": {"input": given, "output": json.dumps(output)}}


def test_a_release_that_answers_scores_everybody_and_history_does_not() -> None:
    released = ScoringRun.of_release(ended({"release": "r1", "models": 2, "previous": "", "as_of": "x"}))
    taken_back = ScoringRun.of_release(ended({"release": "rb-1", "models": 2, "live": "r0"}))
    assert taken_back is not None
    assert (taken_back.kind, taken_back.batch) == ("live", "release-rb-1")
    served = ScoringRun.of_release(ended({"release": "r2", "answered_by": "r1", "as_of": "x"}))
    assert released is not None
    assert served is not None
    assert [(run.batch, run.kind) for run in (released, served)] == [("release-r1", "live"), ("release-r2", "live")]
    assert ScoringRun.of_release(ended({"release": "r1", "as_of": "x"})) is None


def test_a_night_has_one_run_for_each_use_case() -> None:
    runs = ScoringRun.of_night("2026-11-29T03:00:00Z", ["homes", "flats"])
    assert [(run.use_case, run.batch, run.kind) for run in runs] == [
        ("homes", "nightly-2026-11-29", "live"),
        ("flats", "nightly-2026-11-29", "live"),
    ]
    assert len({run.run for run in runs}) == 2
    assert ScoringRun.of_night("2026-11-29T03:07:00Z", ["homes"])[0].run == runs[0].run
    with pytest.raises(UserError, match="is no time like"):
        ScoringRun.of_night("tonight", ["homes"])
