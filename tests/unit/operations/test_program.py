"""The command line as a process of its own: exit codes, completion and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import ROOT

PROGRAM = [sys.executable, "-m", "tenx.main"]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "TENX_"))]:
        monkeypatch.delenv(name)


def program(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # our own program
        [*PROGRAM, *words], cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def test_the_program_as_a_process() -> None:
    helped, mistyped = program("--help"), program("ersae")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert mistyped.returncode == 2
    assert mistyped.stderr == "No such command 'ersae'. Did you mean 'erase'? See `tenx --help`.\n"


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("tenx inv", ["invoke"]),
        ("tenx invoke smo", ["smoke_test"]),
        ("tenx demo --use-case tel", ["telecom_churn"]),
        ("tenx demo --source nyc", ["nyc311"]),
        ("tenx status --stage d", ["dev"]),
        ("tenx demo --decision re", ["reject"]),
    ],
)
def test_words_are_completed(typed: str, completed: list[str]) -> None:
    asked = {"_TENX_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    done = program(**asked)
    assert done.stdout.split() == completed


def test_ctrl_c_of_the_process_prints_no_traceback(tmp_path: Path) -> None:
    """The process reads a named pipe, which never has anything to read."""
    pipe = tmp_path / "e.csv"
    os.mkfifo(pipe)
    code = (
        "import os, signal, sys\n"
        "from tenx import main\n"
        "from operations import stack\n"
        "def wait(_choice):\n"
        f"    open({str(pipe)!r}).read()\n"
        "stack.find_stack = wait\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.exit(main.main(['status']))\n"
    )
    process = subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    with pipe.open("w"):  # opened once the process reads
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert process.stderr is not None
    assert process.stderr.read() == "Interrupted.\n"
