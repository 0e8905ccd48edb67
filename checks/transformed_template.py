"""Lint the template after SAM's transform, because cycles and dropped properties show only there.

Runs in the environment of the SAM tools, which has both the translator and cfn-lint.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

# SAM writes the transformed template, so what it repeats or leaves unused is not our mistake.
_REGION = "us-east-1"
_IGNORED = ("W3005", "W2001", "W8001", "I3042", "W1020")


def transform(template: Path) -> dict[str, Any]:
    """The template as CloudFormation receives it, with placeholders in S3 instead of local code."""
    document = yaml_parse(template.read_text())
    for resource in document["Resources"].values():
        properties = resource.get("Properties", {})
        for name in ("CodeUri", "ContentUri", "DefinitionUri"):
            if isinstance(properties.get(name), str):
                properties[name] = "s3://placeholder-bucket/placeholder-key"
    translated: dict[str, Any] = Translator({}, Parser(), boto_session=boto3.Session(region_name=_REGION)).translate(
        document, parameter_values={}
    )
    return translated


def main() -> int:
    """Transform and lint; returns cfn-lint's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("template", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "transformed.json"
        path.write_text(json.dumps(transform(arguments.template), default=str))
        lint = Path(sys.executable).parent / "cfn-lint"
        done = subprocess.run(  # noqa: S603  # our own arguments
            [str(lint), "--regions", _REGION, "--ignore-checks", *_IGNORED, "--template", str(path)], check=False
        )
    print(f"transformed template: {'clean' if done.returncode == 0 else 'see above'}")  # noqa: T201  # a command's output
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
