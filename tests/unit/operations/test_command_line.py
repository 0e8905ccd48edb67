"""What the program says: help with examples, completion, and one or two sentences for every mistype."""

from __future__ import annotations

import json
import os
import re
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from demo import demo as demo_module
from operations import batch as batch_module
from operations import erase as erase_module
from operations import laptop, releases, scoring
from operations import stack as stack_module
from operations import up as up_module
from operations.erase import Erasure
from operations.errors import interruption
from operations.invoke import function_names, read_event
from tenx.main import app, main
from tests.support.cased_ids import use_case_without_case
from tests.support.places import ROOT

COMMANDS = (
    *("demo", "preview", "upload", "follow", "withdraw", "rollback", "stop", "replay", "score"),
    *("up", "down", "status", "invoke", "erase", "backfill", "queue", "redrive", "approvals"),
)
# The least words with which each command is understood.
WORDS = {
    "demo": [],
    "preview": ["x.csv"],
    "upload": ["x.csv"],
    "score": ["x.csv"],
    "follow": ["r1"],
    "withdraw": ["r1"],
    "rollback": ["--to", "r1", "--reason", "a wrong file"],
    "stop": ["r1"],
    "replay": ["r1"],
    "up": [],
    "down": [],
    "status": [],
    "invoke": ["features"],
    "erase": ["T1"],
    "queue": [],
    "redrive": ["a.csv"],
    "approvals": [],
    "backfill": ["--from", "2026-01-01", "--to", "2026-02-01"],
}


@pytest.fixture(autouse=True)
def _nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No AWS is configured, and a command that would start or change something fails."""

    def never(*_arguments: Any, **_options: Any) -> None:
        raise AssertionError("a mistype has started something")

    for name in [name for name in os.environ if name.startswith(("AWS_", "TENX_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(stack_module, "DEFAULT_STATE", tmp_path / "aws")
    for module, name in (
        (laptop, "start"),
        (laptop, "stop"),
        (batch_module, "upload"),
        (releases, "start"),
        (scoring, "start"),
    ):
        monkeypatch.setattr(module, name, never)


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code, and what stands on stderr; nothing stands on stdout."""
    code = main(words)
    printed = capsys.readouterr()
    assert printed.out == ""
    return code, printed.err.strip()


def test_the_walk_below_knows_every_command() -> None:
    registered = {command.callback.__name__ for command in app.registered_commands if command.callback}
    assert registered == set(COMMANDS) == set(WORDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"Usage: tenx {command}" in told
    assert re.search(rf"Examples tenx {command}", told)


def test_without_words_the_program_shows_its_help_with_all_commands_and_exit_codes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 0
    told = capsys.readouterr().out
    assert all(re.search(rf"│ {command} ", told) for command in COMMANDS)
    assert "0: done. 1: refused or failed. 2: the command line is wrong. 130: interrupted." in " ".join(told.split())


def is_short(told: str, hint: str) -> bool:
    return len(told.splitlines()) == 1 and hint in told and "Traceback" not in told


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_is_answered_with_a_hint(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = said([command, *WORDS[command], "--nosuch"], capsys)
    assert code == 2
    assert told.startswith("No such option: --nosuch")
    assert is_short(told, f"See `tenx {command} --help`.")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_word_too_many_is_answered_with_a_hint(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = said([command, *WORDS[command], "one", "more"], capsys)
    assert code == 2
    assert "unexpected extra argument" in told
    assert is_short(told, f"See `tenx {command} --help`.")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_misspelled_command_is_answered_with_the_right_one(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = said([f"{command}x"], capsys)
    assert code == 2
    assert f"No such command '{command}x'. Did you mean '{command}'" in told
    assert is_short(told, "See `tenx --help`.")


@pytest.mark.parametrize("command", [name for name in COMMANDS if WORDS[name]])
def test_a_missing_word_is_named(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = said([command], capsys)
    assert code == 2
    assert told.startswith("Missing ")
    assert is_short(told, f"See `tenx {command} --help`.")


MISTYPES: list[tuple[list[str], int, str]] = [
    (["nosuch"], 2, "No such command 'nosuch'"),
    (["preview", "x.csv", "--sorce", "events"], 2, "--source"),
    (["preview", "x.csv", "--source"], 2, "Option '--source' requires an argument"),
    (["preview", ""], 2, "it is empty: give a file or a folder"),
    (["preview", " "], 2, "it is empty: give a file or a folder"),
    (["preview", "."], 1, "is the folder of this checkout or contains it"),
    (["preview", "nosuch.csv"], 1, "nosuch.csv: there is no such file or folder"),
    (["preview", "nosuch.csv", "--source", "nosuch"], 1, "there is no source 'nosuch'; choose one of events"),
    (["preview", "x.csv", "--as-of", "yesterday"], 2, "'yesterday' is not a time with a zone: write it as 2026-11-20T"),
    (["preview", "x.csv", "--as-of", "2026-11-20T00:00:00"], 2, "is not a time with a zone"),
    (["preview", "x.csv", "--as-of", "0001-01-01T00:00:00+14:00"], 2, "is not a time with a zone"),
    (["preview", "x.csv", "--rows", "0"], 2, "Input should be greater than or equal to 1"),
    (["preview", "x.csv", "--rows", "three"], 2, "--rows"),
    (
        ["preview", "x.csv", "--use-case", "nosuch"],
        1,
        "no use case 'nosuch': choose one of bank_marketing, credit_risk",
    ),
    (["demo", "--decision", "maybe"], 2, "'--decision': 'maybe' is not one of 'approve', 'reject'"),
    (["demo", "--source", "events"], 1, "needs INPUT"),
    (["demo", "--as-of", "2026-11-20T00:00:00Z"], 1, "needs INPUT"),
    (["demo", "--use-case", "bank_marketing", "--source", "campaign"], 1, "needs INPUT"),
    (["demo", "--use-case", "nosuch"], 1, "there is no use case 'nosuch'"),
    (["demo", "nosuch.csv"], 1, "there is no such file or folder"),
    (["demo", "nosuch.csv", "--source", "nosuch"], 1, "there is no source 'nosuch'"),
    (["demo", "--seed", "-1"], 2, "--seed"),
    (["upload", "nosuch.csv"], 1, "there is no such file or folder"),
    (["upload", "x.csv", "--source", "nosuch"], 1, "there is no source 'nosuch'"),
    (["upload", "x.csv", "--use-case", "nosuch"], 1, "there is no use case 'nosuch'"),
    (["upload", "README.md", "--stage", "nosuch"], 1, "has no stage 'nosuch': choose one of local, dev, prod"),
    (["upload", "README.md"], 1, "the laptop's AWS does not run"),
    (["approvals", "--most", "0"], 2, "Input should be greater than or equal to 1"),
    (["approvers", "nosuch"], 2, "No such command 'nosuch'"),
    (["approvers", "add"], 2, "Missing "),
    (["approvers", "confirm", "yes please"], 1, "the laptop's AWS does not run"),
    (["status"], 1, "start the laptop's AWS with `tenx up`"),
    (["status", "--stage", "local"], 1, "start it with `tenx up`"),
    (["status", "--stage", "dev"], 1, "stage dev is in an AWS account, and none is configured"),
    (["status", "--laptop", "nosuch"], 1, "no laptop's AWS runs with the state folder nosuch"),
    (["status", "--stage", "dev", "--laptop", "x"], 1, "--stage dev is in an account and --laptop is not"),
    (["follow", "r1"], 1, "start the laptop's AWS with `tenx up`"),
    (["stop", "r1"], 1, "start the laptop's AWS with `tenx up`"),
    (["invoke", "nosuch"], 1, "there is no function 'nosuch': choose one of approvals"),
    (["invoke", "features", "--event", "nosuch.json"], 1, "there is no event file nosuch.json: samples are events/"),
    (["invoke", "features", "--event", "README.md"], 1, "README.md is not valid JSON"),
    (["invoke", "features"], 1, "start it with `tenx up`"),
    (["replay", "r1"], 1, "start the laptop's AWS with `tenx up`"),
    (["replay", "nosuch", "--folder", "docs"], 1, "there is no release 'nosuch' here: there is none yet"),
    (["erase", ""], 1, "the given id is not valid: 1 to 128 characters"),
    (["erase", "../T1"], 1, "the given id is not valid"),
    (["erase", "T\u200b1"], 1, "the given id is not valid: 1 to 128 characters, no control or invisible"),
    (["erase", "\ufeffT1"], 1, "the given id is not valid: 1 to 128 characters, no control or invisible"),
    (["preview", "README.md", "--tenant", "T\u200b1"], 1, "the given id is not valid"),
    (["demo", "--tenant", "T\u200b1"], 1, "the given id is not valid"),
    (["erase", "T1"], 1, "start the laptop's AWS with `tenx up`"),
    (["erase", "T1", "--use-case", "nosuch"], 1, "there is no use case 'nosuch'"),
    (["erase", "-T1"], 2, "No such option"),
    (
        ["backfill", "--from", "2026-13-01", "--to", "2026-12-01"],
        2,
        "'2026-13-01' is not a date: write it as 2026-01-31",
    ),
    (["backfill", "--from", "2026-01-01", "--to", "tomorrow"], 2, "'tomorrow' is not a date"),
    (["backfill", "--from", "2026-02-01", "--to", "2026-01-01"], 1, "is after the last date 2026-01-01"),
    (["backfill", "--from", "2026-01-01"], 2, "Missing option '--to'"),
    (["backfill", "--from", "2026-01-01", "--to", "2026-02-01", "--every", "30"], 2, "write it as 30d"),
    (["backfill", "--from", "2026-01-01", "--to", "2026-02-01", "--every", "0d"], 2, "write it as 30d"),
    (["backfill", "--from", "2026-01-01", "--to", "2026-02-01", "--every", "٣d"], 2, "write it as 30d"),
]


def test_help_and_version_are_words_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help"]) == 0
    assert "tenx demo" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == version("tenant-experience")


def test_a_preview_that_names_a_refusal_still_ends_with_0(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tickets = tmp_path / "tickets.csv"
    header = "event_id,tenant_id,portfolio_id,channel,direction,opened_at,first_response_at,resolved_at,answered"
    tickets.write_text(f"{header},escalated,sentiment\nE1,T1,p,ticket,,09:00 BST,,,,,\n")
    assert main(["preview", str(tickets), "--source", "events", "--as-of", "2026-11-20T00:00:00Z"]) == 0
    assert "A release would be refused" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "code", "sentence"), MISTYPES, ids=[" ".join(words) for words, *_ in MISTYPES])
def test_a_mistype_is_answered_in_one_line_before_anything_is_started(
    words: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    found, told = said(words, capsys)
    assert found == code
    assert is_short(told, sentence)


@pytest.mark.parametrize(
    ("variable", "value", "words", "sentence"),
    [
        ("TENX_TENANT", "-x/", ["erase"], "the given id is not valid"),
        ("TENX_TENANT", "T$x000105", ["erase"], "start the laptop's AWS"),
        ("TENX_INPUT", "-no such", ["preview"], "-no such: there is no such file"),
        ("TENX_FROM", "soon", ["backfill", "--to", "2026-01-01"], "'soon' is not a date"),
        ("TENX_DRY_RUN", "perhaps", ["erase", "T1"], "--dry-run"),
    ],
)
def test_values_may_come_from_the_environment(
    variable: str,
    value: str,
    words: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, value)
    code, told = said(words, capsys)
    assert code in (1, 2)
    assert is_short(told, sentence)


@pytest.mark.parametrize("typed", ["Ren\u00e9e 1", "Rene\u0301e 1", " Ren\u00e9e 1 ", "Ren\u00e9e\u00a01"])
def test_every_spelling_of_an_id_is_the_tenant(tmp_path: Path, typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    header = "event_id,tenant_id,portfolio_id,channel,opened_at,first_response_at,resolved_at\n"
    (tmp_path / "e.csv").write_text(f"{header}E1,Rene\u0301e 1,Elm Court,ticket,2026-01-01T10:00:00Z,,\n")
    words = ["preview", str(tmp_path / "e.csv"), "--source", "events", "--as-of", "2026-02-01T00:00:00Z"]
    assert main([*words, "--tenant", typed]) == 0
    asked = []
    stack = SimpleNamespace(describe=lambda: "a stack")
    monkeypatch.setattr(stack_module, "find_stack", lambda _choice: stack)

    def erased(_stack: object, tenant: str, *_more: object, **_options: object) -> Erasure:
        asked.append(tenant)
        return Erasure(1, 0, "proof", is_complete=True)

    monkeypatch.setattr(erase_module, "_erase", erased)
    assert main(["erase", typed]) == 0
    assert asked == [("Ren\u00e9e 1",)]


@pytest.mark.parametrize("typed", ["t1", "T1", " T1 "])
def test_the_case_of_a_typed_id_counts_as_declared(tmp_path: Path, typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    header = "event_id,tenant_id,portfolio_id,channel,opened_at,first_response_at,resolved_at\n"
    (tmp_path / "e.csv").write_text(f"{header}E1,T1,Elm Court,ticket,2026-01-01T10:00:00Z,,\n")
    folder = use_case_without_case(tmp_path)
    words = ["preview", str(tmp_path / "e.csv"), "--source", "events", "--as-of", "2026-02-01T00:00:00Z"]
    assert main([*words, "--tenant", typed, "--use-case", str(folder)]) == 0
    assert main([*words, "--tenant", typed]) == (1 if typed == "t1" else 0)
    monkeypatch.setattr(batch_module, "USE_CASES", folder.parent)
    asked = []

    def erased(_stack: object, ids: tuple[str, ...], case: str, *_more: object, **_options: object) -> Erasure:
        asked.append((ids[0], set(ids), case))
        return Erasure(1, 0, "proof", is_complete=True)

    monkeypatch.setattr(stack_module, "find_stack", lambda _choice: None)
    monkeypatch.setattr(erase_module, "_erase", erased)
    assert main(["erase", typed]) == 0
    assert asked == [("t1", {"t1", "T1"}, "insensitive")]
    monkeypatch.setattr(up_module, "up", lambda _console: None)
    shown = []
    monkeypatch.setattr(demo_module, "demo", lambda _stack, _batch, _choice, tenant, _console: shown.append(tenant))
    main(["demo", str(tmp_path / "e.csv"), "--tenant", typed])
    assert shown == ["t1"]


def test_a_tenant_from_the_environment_is_one_tenant_also_with_a_space(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    header = "event_id,tenant_id,portfolio_id,channel,opened_at,first_response_at,resolved_at\n"
    (tmp_path / "e.csv").write_text(f"{header}E1,T 1,Elm Court,ticket,2026-01-01T10:00:00Z,,\n")
    words = ["preview", str(tmp_path / "e.csv"), "--source", "events", "--as-of", "2026-02-01T00:00:00Z"]
    monkeypatch.setenv("TENX_TENANT", "T 1")
    assert main(words) == 0
    assert "Nobody" not in capsys.readouterr().out
    assert main([*words, "--tenant", "NOBODY", "--tenant", "T 1"]) == 1
    assert "Nobody in this input has the id NOBODY." in capsys.readouterr().out


def test_a_document_for_a_machine_stands_alone_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = "event_id,tenant_id,portfolio_id,channel,opened_at,first_response_at,resolved_at\n"
    (tmp_path / "e.csv").write_text(f"{header}E1,T1,Elm Court,ticket,2026-01-01T10:00:00Z,,\n")
    words = ["preview", str(tmp_path / "e.csv"), "--as-of", "2026-02-01T00:00:00Z", "--json"]
    assert main(words) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document["data_quality"]["tenants"] == 1
    assert document["refusals"][0].keys() == {"code", "message"}
    assert "Files" in printed.err


def test_errors_of_aws_are_one_sentence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no s3:GetObject"}}, "GetObject")

    def refuse(*_asked: object) -> None:
        raise denied

    monkeypatch.setattr(stack_module, "find_stack", refuse)
    assert said(["status"], capsys) == (1, "Stopped: AWS answered AccessDenied to GetObject: no s3:GetObject")


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_(*_asked: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(stack_module, "find_stack", break_)
    with pytest.raises(ZeroDivisionError):
        main(["status"])


def test_ctrl_c_is_one_line_and_130(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_asked: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stack_module, "find_stack", interrupt)
    assert said(["status"], capsys) == (130, "Interrupted.")

    def interrupt_with_a_sentence(*_asked: object) -> None:
        with interruption("Release r1 goes on."):
            raise KeyboardInterrupt

    monkeypatch.setattr(stack_module, "find_stack", interrupt_with_a_sentence)
    assert said(["status"], capsys) == (130, "Release r1 goes on.")


def test_every_function_has_a_sample_event() -> None:
    for function in function_names():
        assert json.loads(read_event(function, None)[1])
