"""``local-aws {up,down,serve,status,operations,upgrade-report}``, or ``python -m local_aws`` in a checkout."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from local_aws.configuration import image_files
from local_aws.errors import COMMAND, LocalAwsError
from local_aws.server import control
from local_aws.server.state import DEFAULT_FOLDER, State, is_healthy

README = Path(__file__).with_name("README.md")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    state = State(options.state.absolute())
    try:
        code: int = options.run(state, options)
    except LocalAwsError as error:
        print(f"{COMMAND}: {error}", file=sys.stderr)
        return 1
    return code


def _up(state: State, options: argparse.Namespace) -> int:
    _pass_on(options)
    server, started = control.start(
        state, port=options.port, fresh=options.fresh, images=image_files(options.image, Path.cwd())
    )
    print(f"{'Started' if started else 'Already running'}: {server['url']}  mailbox {server['mailbox_url']}")
    print(f"For boto3, sam and aws: set -a; . {state.env_file}; set +a")
    return 0


def _down(state: State, _options: argparse.Namespace) -> int:
    print("Stopped." if control.stop(state) else "Nothing was running.")
    return 0


def _status(state: State, _options: argparse.Namespace) -> int:
    server = state.server()
    if server is None:
        print("Not running.")
        return 3
    healthy = is_healthy(server["url"])
    print(json.dumps({**server, "healthy": healthy}, indent=1))
    return 0 if healthy else 1


def _serve(state: State, options: argparse.Namespace) -> int:
    _pass_on(options)
    from local_aws.server.serve import serve  # no other command needs MiniStack

    port = control.choose_port(options.port, state.last_port())
    return serve(state, port=port, images=image_files(options.image, Path.cwd()))


def _pass_on(options: argparse.Namespace) -> None:
    """Pass settings on in the variables that MiniStack reads when the server starts."""
    if options.wait_scale is not None:
        os.environ["SFN_WAIT_SCALE"] = str(options.wait_scale)
    if options.lambda_concurrency is not None:
        os.environ["LAMBDA_ACCOUNT_CONCURRENCY"] = str(options.lambda_concurrency)


def _operations(_state: State, _options: argparse.Namespace) -> int:
    from local_aws.sagemaker import readme_table  # boto3 is slow to import, and no other command here needs it

    print(f"{README}: {'written' if readme_table.write(README) else 'already current'}")
    return 0


def _upgrade_report(_state: State, options: argparse.Namespace) -> int:
    from local_aws.ministack_patches import upgrade_report

    text, breaks = upgrade_report.report(options.version)
    print(text)
    return 1 if breaks else 0


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="AWS on a laptop: MiniStack, a SageMaker that runs jobs and endpoints as processes, and a mailbox. "
        "Everything listens on 127.0.0.1 and is kept in one folder.",
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="{up,down,serve,status,operations,upgrade-report}"
    )
    up = commands.add_parser("up", help="start the server in the background and wait until it answers; safe to repeat")
    up.add_argument("--fresh", action="store_true", help="delete everything first: stacks, buckets, mail, jobs")
    down = commands.add_parser(
        "down", help="stop the server with every job, endpoint and Lambda worker that it started"
    )
    serve = commands.add_parser("serve", help="run the server in the foreground until Ctrl-C")
    status = commands.add_parser(
        "status", help="show what runs, as JSON; exit code 0: healthy, 1: not healthy, 3: not running"
    )
    operations = commands.add_parser("operations", help="write the table of SageMaker operations into the README")
    upgrade = commands.add_parser(
        "upgrade-report", help="show what another MiniStack release breaks; exit code 1 when it breaks something"
    )
    upgrade.add_argument("version", metavar="VERSION", help="a release of MiniStack, for example 1.5.34")
    for command, run in (
        (up, _up),
        (down, _down),
        (serve, _serve),
        (status, _status),
        (operations, _operations),
        (upgrade, _upgrade_report),
    ):
        command.set_defaults(run=run)
        command.add_argument(
            "--state",
            type=Path,
            default=DEFAULT_FOLDER,
            metavar="FOLDER",
            help="the folder in which everything is kept (%(default)s)",
        )
    for command in (up, serve):
        command.add_argument(
            "--port", type=int, help="default: the port used last, otherwise the first free port from 4566 on"
        )
        command.add_argument(
            "--wait-scale",
            type=float,
            metavar="FACTOR",
            help="multiply Step Functions' pauses before retries and its Wait states, not its time-outs",
        )
        command.add_argument(
            "--lambda-concurrency",
            type=_positive,
            metavar="NUMBER",
            help="how many Lambda functions may run at once before further calls are throttled (default: 20)",
        )
        command.add_argument(
            "--image",
            type=Path,
            action="append",
            metavar="JSON",
            help="a file that says what an image is on this machine; may be repeated "
            "(default: images in [tool.local-aws] of ./pyproject.toml)",
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
