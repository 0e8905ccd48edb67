"""The make targets hand what a person typed to the program, byte for byte, or refuse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from checks.make_targets import command
from tests.support.parameters import mostly_slow
from tests.support.places import ROOT

MAKE = shutil.which("make") or "make"
# Value -> a target that hands it over, and the program that the target starts.
OTHERS = {
    "ARGS": ("bench-features", "PY"),
    "PYTEST_ARGS": ("test", "PY"),
    "SLOW": ("test", "PY"),
    "COUNT": ("fuzz", "PY"),
    "SEED": ("iam-drill", "PY"),
    "VERSION": ("ministack-upgrade", "VENVS"),
}
STUB = """#!{python}
import json, os, sys
names = [name for name in os.environ if name.startswith("TENX_") or name in {others!r}]
json.dump({{"words": sys.argv[1:], **{{name: os.environ[name] for name in names}}}}, sys.stdout)
"""


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    """A program in place of tenx, which prints what reached it."""
    path = tmp_path / "tenx"
    path.write_text(STUB.format(python=sys.executable, others=("TENANT", *OTHERS)))
    path.chmod(0o755)
    return path


def make(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(  # noqa: S603  # our own Makefile
        [MAKE, "--silent", "-f", str(ROOT / "Makefile"), "-o", "setup", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**inherited, **environment},
    )


TYPED = [
    *("T$x000105", "T$$x", "${HOME}", "$(HOME)", "$(shell touch stolen)", "$(error no)", "`touch stolen`"),
    *('a"b', "a'b", "a b", "a;touch stolen", "a#b", r"a\#b", "a\nb", "-rf", "--help", "a\\b", "a\\", "a\\ b", "b "),
    *("a:b=c", "a%b", "a*b", "a!b", "a&b", "a|b", "a>stolen", "Zoë", "東京", "~", "a=b", "+=a"),
]


@pytest.mark.parametrize("typed", TYPED)
@pytest.mark.parametrize("by", ["command line", "environment"])
def test_a_value_reaches_the_program_as_it_was_typed(stub: Path, tmp_path: Path, typed: str, by: str) -> None:
    words = ["erase", f"TENX={stub}"]
    done = make(tmp_path, *words, f"TENANT={typed}") if by == "command line" else make(tmp_path, *words, TENANT=typed)
    assert done.returncode == 0, done.stderr
    reached = json.loads(done.stdout)
    assert reached["words"] == ["erase"]
    assert reached["TENX_TENANT"] == typed
    assert "TENANT" not in reached
    assert sorted(tmp_path.iterdir()) == [stub]


@pytest.mark.parametrize("typed", TYPED)
@pytest.mark.parametrize("name", mostly_slow(OTHERS, kept=(0, 1)))
def test_no_shell_reads_what_is_typed_for_other_programs(stub: Path, tmp_path: Path, typed: str, name: str) -> None:
    target, by = OTHERS[name]
    program = tmp_path / "venvs" / "local_aws" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.symlink_to(stub)
    words = [f"PY={stub}"] if by == "PY" else [f"VENVS={tmp_path / 'venvs'}"]
    done = make(tmp_path, "-o", "spark-if-java", target, *words, f"{name}={typed}")
    assert done.returncode == 0, done.stderr
    reached = json.loads(done.stdout)
    assert reached["words"] == ["-m", "checks.make_targets", target]
    assert reached[f"TENX_{name}"] == typed
    assert name not in reached
    assert sorted(tmp_path.iterdir()) == [stub, tmp_path / "venvs"]


@pytest.mark.parametrize("target", ["fuzz", "iam-drill"])
def test_a_count_and_a_seed_are_one_word_each(target: str) -> None:
    module, *words = command(target, {"TENX_COUNT": "5 --only 1", "TENX_SEED": "-1"})
    assert (module, words) == (
        {"fuzz": "tests.fuzz", "iam-drill": "checks.iam_drill"}[target],
        ["--count=5 --only 1", "--seed=-1"],
    )
    assert command(target, {}) == [module]


def test_arguments_are_split_into_words_and_nothing_in_them_is_expanded() -> None:
    typed = "--events 20 --name 'a b' $HOME $(touch stolen) `x` ;"
    words = ["--events", "20", "--name", "a b", "$HOME", "$(touch", "stolen)", "`x`", ";"]
    assert command("bench-features", {"TENX_ARGS": typed}) == ["bench.features", *words]
    assert command("test", {"TENX_PYTEST_ARGS": "-k 'a or b'"})[-2:] == ["-k", "a or b"]
    with pytest.raises(ValueError, match="ARGS cannot be split into words: No closing quotation"):
        command("bench-training", {"TENX_ARGS": "'a"})


def test_the_tests_that_are_chosen() -> None:
    side_by_side = ["pytest", "--numprocesses", "3", "--no-loadscope-reorder"]
    fast, every = ["-m", "not slow"], ["--hypothesis-profile", "many"]
    for slow, chosen in (("", fast), ("0", fast), ("1", every), ("$(x)", every)):
        assert command("test", {"TENX_SLOW": slow}) == [*side_by_side, *chosen]
    assert command("test-slow", {}) == [*side_by_side, "-m", "slow or property", *every]


def test_a_version_is_one_word_and_no_option() -> None:
    assert command("ministack-upgrade", {"TENX_VERSION": "--x y"}) == ["local_aws", "upgrade-report", "--", "--x y"]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("ARGS:=$x", "write ARGS=... and not ARGS:=..."),
        ("TENANT:=T$x1", "write TENANT=... and not TENANT:=..."),
        ("TENANT::=T$x1", "write TENANT=... and not TENANT:=..."),
        ("TENANT= T1", "make drops the blanks after TENANT="),
        ("TENANT=\tT1", "make drops the blanks after TENANT="),
        ("INPUT= export", "make drops the blanks after INPUT="),
    ],
)
def test_a_value_that_make_has_changed_already_is_refused(stub: Path, tmp_path: Path, word: str, sentence: str) -> None:
    done = make(tmp_path, "erase", f"TENX={stub}", word)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("target", ["demo", "preview", "upload", "up", "down", "status", "erase", "backfill", "replay"])
def test_every_target_calls_the_command_of_its_name_and_gives_it_nothing_else(
    stub: Path, tmp_path: Path, target: str
) -> None:
    done = make(tmp_path, target, f"TENX={stub}", "INPUT=a b", "RELEASE=$r")
    reached = json.loads(done.stdout)
    assert reached["words"] == [target]
    assert (reached["TENX_INPUT"], reached["TENX_RELEASE"], reached["TENX_TENANT"]) == ("a b", "$r", "")


@pytest.mark.parametrize("version", ["3.9", "3.12", "none"])
def test_another_python_is_refused_in_one_sentence_before_anything_is_made(tmp_path: Path, version: str) -> None:
    python = tmp_path / "python"
    if version != "none":
        number = version.replace(".", ", ")
        python.write_text(f"#!{sys.executable}\nimport sys\nsys.version_info = ({number}, 0)\nexec(sys.argv[2])\n")
        python.chmod(0o755)
    (tmp_path / "requirements").symlink_to(ROOT / "requirements")
    (tmp_path / "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
    words = [MAKE, "--silent", "-f", str(ROOT / "Makefile"), "setup", f"PYTHON={python}"]
    # Not as a part of `make test`, which would name its level in what it prints.
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }
    done = subprocess.run(  # noqa: S603  # our own Makefile
        words, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 2
    sentence, *rest = done.stderr.splitlines()
    assert sentence.startswith(f"This project needs Python 3.11, and PYTHON={python} is not it: install python3.11")
    assert all(line.startswith("make: ***") for line in rest)
    assert not (tmp_path / ".venv").exists()
    assert not (tmp_path / ".local").exists()
