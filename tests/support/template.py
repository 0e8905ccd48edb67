"""What template.yaml declares."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from tests.support.places import ROOT


class _Template(yaml.SafeLoader):
    """Reads CloudFormation's short forms: ``!Sub x`` is x, and lists and maps are what they hold."""


def _short_form(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)  # type: ignore[arg-type]  # only scalars are left


_Template.add_multi_constructor("!", _short_form)


@cache
def resources() -> dict[str, Any]:
    template = yaml.load((ROOT / "template.yaml").read_text(), Loader=_Template)  # noqa: S506  # a SafeLoader
    found: dict[str, Any] = template["Resources"]
    return found


def properties_of(logical: str) -> dict[str, Any]:
    properties: dict[str, Any] = resources()[logical]["Properties"]
    return properties
