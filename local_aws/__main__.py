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
    """Parse, do, and return the exit code."""
    options = _parser().parse_args(arguments)
    state = State(options.state.absolute())
    try:
        code: int = options.run(state, options)
    except LocalAwsError as error:
        print(f"{COMMAND}: {error}", file=sys.stderr)
        return 1
    return code


def _up(state: State, options: argparse.Namespace) -> int:
    _scale_waits(options)
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
    _scale_waits(options)
    from local_aws.server.serve import serve  # only this command needs MiniStack

    port = control.choose_port(options.port, state.last_port())
    return serve(state, port=port, images=image_files(options.image, Path.cwd()))


def _scale_waits(options: argparse.Namespace) -> None:
    """Hand the factor on as MiniStack's own setting, which it reads when the server starts."""
    if options.wait_scale is not None:
        os.environ["SFN_WAIT_SCALE"] = str(options.wait_scale)


def _operations(_state: State, _options: argparse.Namespace) -> int:
    from local_aws.sagemaker import operations_table  # boto3 is slow to import, and no other command here needs it

    print(f"{README}: {'written' if operations_table.write(README) else 'was current'}")
    return 0


def _upgrade_report(_state: State, options: argparse.Namespace) -> int:
    from local_aws.ministack_patches import upgrade_report

    text, breaks = upgrade_report.report(options.version)
    print(text)
    return 1 if breaks else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="The laptop's AWS: MiniStack, a SageMaker that really runs jobs and endpoints, and a mailbox. "
        "Everything is on 127.0.0.1 and below one folder.",
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="{up,down,serve,status,operations,upgrade-report}"
    )
    up = commands.add_parser("up", help="start it in the background and wait until it answers; safe to repeat")
    up.add_argument("--fresh", action="store_true", help="forget everything first: stacks, buckets, mail, jobs")
    down = commands.add_parser("down", help="stop it with every job, endpoint and Lambda worker it started")
    serve = commands.add_parser("serve", help="run it in the foreground until Ctrl-C")
    status = commands.add_parser("status", help="say what runs, as JSON; exit code 0 healthy, 1 not, 3 nothing runs")
    operations = commands.add_parser("operations", help="write the table of SageMaker's operations into the README")
    upgrade = commands.add_parser(
        "upgrade-report", help="say what another MiniStack release breaks; exit code 1 if any"
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
            help="where everything is kept (%(default)s)",
        )
    for command in (up, serve):
        command.add_argument(
            "--port", type=int, help="default: the last one used, else the first free one from 4566 on"
        )
        command.add_argument(
            "--wait-scale",
            type=float,
            metavar="FACTOR",
            help="shorten Step Functions' pauses before retries and its Wait states, e.g. 0.1; time-outs stay",
        )
        command.add_argument(
            "--image",
            type=Path,
            action="append",
            metavar="JSON",
            help="what an image URI means on this machine; may be repeated "
            "(default: images in [tool.local-aws] of ./pyproject.toml)",
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
