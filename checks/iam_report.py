"""List for each role what the template allows but no test ever used, and what was refused.

    make iam-report

Reads ``iam_actions.jsonl`` and ``iam_roles.json``, which the laptop's AWS keeps in each state folder below ``.local``.
A permission is one action pattern on one resource pattern of a role's policies, including the attached ones.
Permissions that AWS needs but the laptop cannot use are listed apart, with the reason.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

LOCAL = Path(".local")
_SUFFIX = re.compile(r"-[0-9A-F]{12,14}$|-[0-9A-Z]{12}$")  # what CloudFormation appends to a role's logical id

# Action pattern (a resource pattern may follow), role pattern -> why a laptop never uses it.
ONLY_ON_AWS = {
    ("ecr:*", "*"): "images are folders on this machine, so nothing is pulled",
    ("xray:*", "*"): "traces are not emulated",
    ("glue:*", "*"): "the offline store is Parquet files without a catalogue",
    ("cloudwatch:PutMetricData", "*"): "the laptop's SageMaker keeps the metrics of containers itself",
    ("logs:DescribeLogStreams", "*"): "the laptop's SageMaker knows its streams",
    ("logs:CreateLogGroup", "*Role"): "the template creates the functions' log group; AWS's managed policy allows more",
    (
        "sagemaker:ListTags",
        "TrainAndReleaseRole",
    ): "part of AWS's policy for .sync jobs; what calls it is not documented",
    ("sagemaker:ListTags", "ScoreBatchRole"): "part of AWS's policy for .sync jobs; what calls it is not documented",
    (
        "states:DescribeExecution",
        "TrainAndReleaseRole",
    ): "part of AWS's policy for Distributed Maps; the laptop counts children itself",
    (
        "states:RedriveExecution *-train-and-release:[*]",
        "TrainAndReleaseRole",
    ): "a child's ARN has a slash; AWS's policy names both forms",
    (
        "states:StopExecution *-train-and-release:[*]",
        "TrainAndReleaseRole",
    ): "a child's ARN has a slash; AWS's policy names both forms",
    ("s3:GetBucketAcl", "OfflineStoreRole"): "SageMaker checks the bucket's owner; a laptop has only one account",
    ("s3:PutObjectAcl", "OfflineStoreRole"): "ACLs of objects are not emulated",
    ("s3:GetBucketLocation", "OfflineStoreRole"): "a laptop has only one region",
}


@dataclass(frozen=True)
class Permission:
    """One action pattern on one resource pattern."""

    role: str
    action: str
    resource: str

    def covers(self, action: str, resource: str) -> bool:
        """Whether it allows this; conditions are ignored, because the server has decided about them."""
        return fnmatchcase(action.lower(), self.action.lower()) and fnmatchcase(resource, self.resource)

    def why_only_on_aws(self) -> str | None:
        """Why it cannot be used on a laptop; None if it can."""
        for (action, role), reason in ONLY_ON_AWS.items():
            pattern = action if " " in action else f"{action} *"
            if fnmatchcase(f"{self.action} {self.resource}", pattern) and fnmatchcase(self.role, role):
                return reason
        return None


@dataclass
class Findings:
    """What all state folders together show."""

    used: set[Permission] = field(default_factory=set)
    allowed: set[Permission] = field(default_factory=set)
    denied: set[tuple[str, str, str]] = field(default_factory=set)
    states: list[Path] = field(default_factory=list)

    def unused(self) -> list[Permission]:
        """Permissions that a laptop could use but no test did."""
        return [each for each in self._never_used() if each.why_only_on_aws() is None]

    def only_on_aws(self) -> list[Permission]:
        """Unused permissions that a laptop cannot use."""
        return [each for each in self._never_used() if each.why_only_on_aws() is not None]

    def _never_used(self) -> list[Permission]:
        return sorted(self.allowed - self.used, key=lambda each: (each.role, each.action, each.resource))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; exit code 1 when a permission that a laptop could use was never used."""
    parser = argparse.ArgumentParser(prog="python -m checks.iam_report", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("states", nargs="*", type=Path, help="state folders (default: all of them below .local)")
    parser.add_argument("--stack", default="tenant-experience", help="stack whose roles to read (default: %(default)s)")
    options = parser.parse_args(arguments)
    folders = options.states or sorted(path.parent for path in LOCAL.glob("*/iam_roles.json"))
    if not folders:
        print("No state folder below .local has an iam_roles.json: run the flow tests first.", file=sys.stderr)
        return 2
    findings = read(folders, options.stack)
    _print(findings)
    return 1 if findings.unused() else 0


def read(folders: Iterable[Path], stack: str) -> Findings:
    """What is allowed, used and refused in these states, with roles by their logical ids."""
    findings = Findings()
    for folder in folders:
        findings.states.append(folder)
        roles: dict[str, list[dict[str, Any]]] = json.loads((folder / "iam_roles.json").read_text())
        names = {name: _logical_id(name, stack) for name in roles if name.startswith(f"{stack}-")}
        seen: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for line in _lines(folder / "iam_actions.jsonl"):
            if line["principal"] in names:
                seen[line["principal"]].append(line)
        for name, policies in roles.items():
            if name not in names:
                continue
            for permission, general in _permissions(names[name], policies):
                findings.allowed.add(general)
                if any(line["allowed"] and permission.covers(line["action"], line["resource"]) for line in seen[name]):
                    findings.used.add(general)
            findings.denied |= {
                (names[name], line["action"], line["resource"]) for line in seen[name] if not line["allowed"]
            }
    return findings


def _permissions(role: str, policies: list[dict[str, Any]]) -> Iterator[tuple[Permission, Permission]]:
    """Each permission as it is deployed, and without what differs between two deployments."""
    for policy in policies:
        document = policy["document"]
        document = json.loads(document) if isinstance(document, str) else document
        for statement in _as_list(document.get("Statement", [])):
            if statement.get("Effect") != "Allow":
                continue
            for action in _as_list(statement.get("Action", [])):
                for resource in _as_list(statement.get("Resource", "*")):
                    general = re.sub(r"-[0-9a-fA-F]{12,14}(?=[/:]|$)", "-*", resource)
                    yield Permission(role, action, resource), Permission(role, action, general)


def _print(findings: Findings) -> None:
    print(f"Read: {', '.join(str(state) for state in findings.states)}")
    unused, apart = findings.unused(), findings.only_on_aws()
    print(
        f"{len(findings.allowed)} permissions: {len(findings.used)} used, {len(unused)} never used, "
        f"{len(apart)} only for AWS."
    )
    _section("Allowed and never used", unused)
    print("\nNot usable on a laptop")
    by_reason: dict[str, list[Permission]] = defaultdict(list)
    for permission in apart:
        by_reason[str(permission.why_only_on_aws())].append(permission)
    for reason, permissions in sorted(by_reason.items()):
        actions = sorted({permission.action for permission in permissions})
        roles = sorted({permission.role for permission in permissions})
        print(f"  {', '.join(actions)}\n    {', '.join(roles)}: {reason}")
    print("\nRefused" + ("" if findings.denied else "\n  nothing"))
    for role, action, resource in sorted(findings.denied):
        print(f"  {role:24} {action:36} {resource}")


def _section(title: str, permissions: list[Permission]) -> None:
    print(f"\n{title}" + ("" if permissions else "\n  nothing"))
    for permission in permissions:
        print(f"  {permission.role:24} {permission.action:36} {permission.resource}")


def _logical_id(name: str, stack: str) -> str:
    return _SUFFIX.sub("", name.removeprefix(f"{stack}-"))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            yield json.loads(line)
        except ValueError:
            continue  # cut short by the end of the machine


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


if __name__ == "__main__":
    sys.exit(main())
