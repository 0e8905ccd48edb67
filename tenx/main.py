"""The program ``tenx``: its commands, and what it says when one cannot go on."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any

import typer

from tenx import (
    approver_commands,
    laptop_commands,
    queue_commands,
    release_commands,
    roll_back_commands,
    scoring_commands,
    tenant_commands,
)
from tenx.output import console

DONE, REFUSED, WRONG_WORDS, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="tenx",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Find out which tenants have a good or a bad experience, how sure that is, and why.\n\n"
        "Commands work on the laptop's AWS, or on a stack in your AWS account (--stage dev, with AWS_PROFILE).\n\n"
        "[bold]Start here[/bold]\n\n"
        "  tenx demo                          the whole path on this machine\n\n"
        "  tenx preview tickets.csv           what would be read from your own file\n\n"
        "  tenx up && tenx upload tickets.csv   release it, and decide by yourself\n\n"
        "`tenx --version` says which version this is. The options of a command follow its name.\n\n"
        "[bold]Exit codes[/bold]  0: done. 1: refused or failed. 2: the command line is wrong. 130: interrupted."
    ),
)
for _module in (
    release_commands,
    approver_commands,
    roll_back_commands,
    scoring_commands,
    queue_commands,
    laptop_commands,
    tenant_commands,
):
    _module.register(app)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code. Whatever stops it is said here, in a sentence on stderr."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words == ["help"]:
        words = ["--help"]
    if words == ["--version"]:
        console().print(version("tenant-experience"), highlight=False)
        return DONE
    try:
        code: Any = app(words, prog_name="tenx", standalone_mode=False)
    except typer.TyperException as error:
        return _say(_usage(error), error.exit_code)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:  # noqa: BLE001  # _sentence raises again what is not for a person
        return _stopped(error)
    if code == INTERRUPTED:
        return _say("Interrupted.", INTERRUPTED)
    return int(code or DONE)


def _stopped(error: Exception) -> int:
    """Say why a command stopped.

    Raises:
        Exception: the error is a fault of this program; its traceback is for its authors.
    """
    import httpx
    from botocore.exceptions import BotoCoreError, ClientError

    from operations.errors import Interrupted, OperationError
    from tenant_experience.errors import TenantExperienceError

    if isinstance(error, Interrupted):
        return _say(str(error), INTERRUPTED)
    if isinstance(error, OperationError):
        return _say(f"Stopped: {error}", REFUSED)
    if isinstance(error, TenantExperienceError):
        return _say(f"Stopped: {error.message.rstrip('.')} ({error.code})", REFUSED)
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        code, message = details.get("Code", "an error"), details.get("Message", "")
        return _say(f"Stopped: AWS answered {code} to {error.operation_name}: {message}", REFUSED)
    if isinstance(error, BotoCoreError | httpx.HTTPError):
        return _say(f"Stopped: AWS does not answer: {error}. `tenx status` says whether it runs.", REFUSED)
    if isinstance(error, OSError) and error.filename is not None:
        return _say(f"Stopped: {error.filename} cannot be used: {error.strerror}", REFUSED)
    raise error


def _usage(error: typer.TyperException) -> str:
    """A sentence about wrong words, and where to read the right ones."""
    sentence = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "tenx"
    end = "" if sentence.endswith("?") else "."
    return f"{sentence}{end} See `{command} --help`."


def _say(sentence: str, code: int) -> int:
    console(is_error=True).print(
        sentence, markup=False, soft_wrap=True, style="yellow" if code == INTERRUPTED else "red"
    )
    return code


if __name__ == "__main__":
    sys.exit(main())
