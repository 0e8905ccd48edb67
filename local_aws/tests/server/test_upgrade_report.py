"""What the report says about a release, and what counts as broken. Nothing is downloaded here."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

from local_aws.ministack_patches.upgrade_report import Description, compare
from local_aws.tests.server.laptops import PYTHON, ROOT

OURS = Description("1.0", {"m.f": "(a)", "m.store": "dict"}, {"m.f": "x"}, {"line": 1}, {})


def test_the_same_release_breaks_nothing() -> None:
    text, breaks = compare(OURS, replace(OURS, version="1.1"))
    assert not breaks
    assert "MiniStack 1.1, compared with 1.0: 2 names" in text


def test_changed_source_is_said_and_breaks_nothing() -> None:
    text, breaks = compare(OURS, replace(OURS, sources={"m.f": "y"}))
    assert not breaks
    assert "read them before you upgrade (1):\n  m.f" in text


def test_what_breaks_is_named() -> None:
    for theirs, said in (
        (replace(OURS, names={"m.f": None, "m.store": "dict"}), "Missing names (1):\n  m.f"),
        (replace(OURS, names={"m.f": "(a, b)", "m.store": "dict"}), "m.f: (a) is now (a, b)"),
        (replace(OURS, names={"m.f": "(a)", "m.store": "list"}), "m.store: dict is now list"),
        (replace(OURS, worker_lines={"line": 0}), "line  (found 0 times)"),
        (replace(OURS, faults={"m": "No module named 'm'"}), "m: No module named 'm'"),
    ):
        text, breaks = compare(OURS, theirs)
        assert breaks
        assert said in text


def test_the_installed_release_is_described_whole() -> None:
    script = (
        "import dataclasses, json; from local_aws.ministack_patches import upgrade_report\n"
        "print('\\n' + json.dumps(dataclasses.asdict(upgrade_report.describe())))"
    )
    done = subprocess.run(  # noqa: S603
        [PYTHON, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    found = Description(**json.loads(done.stdout.splitlines()[-1]))
    assert not found.faults
    assert None not in found.names.values()
    assert set(found.worker_lines.values()) == {1}
    assert found.names["ministack.services.sns._topics"] == "AccountRegionScopedDict"
