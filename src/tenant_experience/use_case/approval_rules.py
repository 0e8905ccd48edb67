"""``approval:`` of ``use_case.yaml``: who decides about a release, and how.

It does not need pydantic, because the functions that ask for a decision read it too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import yaml

from tenant_experience.errors import UserError
from tenant_experience.json_document import parse_json

Mode = Literal["manual", "automatic"]
Maker = Literal["may_decide", "may_not_decide"]
Confirm = Literal["code", "typed"]
MAXIMUM_QUORUM = 20
# The state RequestApproval waits a little longer, whatever a use case says.
LONGEST_SECONDS = 30 * 86400
# Of a manifest: what asks for features alone, and what only matters where a model is trained.
_FEATURES_ONLY = "features_only"
_OF_TRAINING = ("hyperparameters", "models", "tuning", "groups", "outcomes")
_SECONDS = {"m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([1-9][0-9]{0,4})([mhd])")


@dataclass(frozen=True)
class ApprovalRules:
    """Who decides about a release, and how.

    Attributes:
        mode: ``manual``: people decide. ``automatic``: the rules approve a release that nothing speaks against, and
            people decide about the others.
        quorum: how many approvers must approve a partition; one of them can reject it.
        maker: whether the person whom the manifest names under ``requested_by`` may decide.
        expires_after: how long a request waits, such as ``7d``, ``12h`` or ``30m``; None for as long as the stack's
            parameter says.
        remind: whether those who have not decided are reminded.
        confirm: what an approver brings in a second step: ``code``, which is mailed to them; or ``typed``, the id of
            the release, which keeps nobody out who has the link.
    """

    mode: Mode = "manual"
    quorum: int = 1
    maker: Maker = "may_decide"
    expires_after: str | None = None
    remind: bool = True
    confirm: Confirm = "code"

    def __post_init__(self) -> None:
        """Refuses values that are not possible.

        Raises:
            ValueError: names the key, and what is allowed.
        """
        for name, allowed in (("mode", get_args(Mode)), ("maker", get_args(Maker)), ("confirm", get_args(Confirm))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)} (it is {getattr(self, name)!r})")
        if not isinstance(self.quorum, int) or isinstance(self.quorum, bool) or not 1 <= self.quorum <= MAXIMUM_QUORUM:
            raise ValueError(f"quorum must be a whole number from 1 to {MAXIMUM_QUORUM} (it is {self.quorum!r})")
        if not isinstance(self.remind, bool):
            raise ValueError(f"remind must be true or false (it is {self.remind!r})")  # noqa: TRY004 - as the others
        if self.expires_after is not None and not _DURATION.fullmatch(str(self.expires_after)):
            raise ValueError(f"expires_after must be a time like 7d, 12h or 30m (it is {self.expires_after!r})")
        if self.expires_in(0) > LONGEST_SECONDS:
            raise ValueError(f"expires_after must be at most 30d (it is {self.expires_after!r})")

    def expires_in(self, usual: int) -> int:
        """How many seconds a request waits.

        Args:
            usual: what the stack's parameter says.
        """
        if self.expires_after is None:
            return usual
        number, unit = self.expires_after[:-1], self.expires_after[-1]
        return int(number) * _SECONDS[unit]

    def document(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def parse_approval_rules(value: object) -> ApprovalRules:
    """The rules in the decoded YAML. ``manual`` alone stands for ``{mode: manual}``.

    Raises:
        ValueError: names the key, and what is allowed.
    """
    if value is None:
        return ApprovalRules()
    if isinstance(value, ApprovalRules):
        return value
    given = {"mode": value} if isinstance(value, str) else value
    known = [each.name for each in fields(ApprovalRules)]
    if not isinstance(given, Mapping):
        raise ValueError(f"it must have keys; allowed are {', '.join(known)}")  # noqa: TRY004 - pydantic tells it
    if unknown := [str(key) for key in given if key not in known]:
        raise ValueError(f"it has the unknown key {unknown[0]!r}; allowed are {', '.join(known)}")
    return ApprovalRules(**given)


def read_approval_rules(use_case_yaml: bytes) -> ApprovalRules:
    """The rules in a ``use_case.yaml``.

    Raises:
        UserError: ``invalid_use_case``.
    """
    try:
        document = yaml.safe_load(use_case_yaml)
        return parse_approval_rules(document.get("approval") if isinstance(document, Mapping) else None)
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"use_case.yaml: key 'approval': {error}", code="invalid_use_case") from error


def asks_for_models(manifest: bytes, use_case_yaml: bytes, *, has_live: bool) -> bool:
    """Whether a batch asks for models, about which somebody must decide; features alone go online without.

    What is wrong with a manifest or a use case is told by the job that reads all of it, which costs little.

    Args:
        manifest: ``manifest.json``.
        use_case_yaml: the use case's own file.
        has_live: whether a release of the use case is live.
    """
    try:
        said, use_case = parse_json(manifest.decode("utf-8-sig")), yaml.safe_load(use_case_yaml)
    except (ValueError, UserError, yaml.YAMLError):
        return False
    if not isinstance(said, Mapping) or not isinstance(use_case, Mapping):
        return False
    if said.get("release") == _FEATURES_ONLY or said.get("train") is False:
        return False
    says_models = any(said.get(key) is not None for key in ("train", *_OF_TRAINING))
    return says_models or not has_live or use_case.get("refresh") != "auto"
