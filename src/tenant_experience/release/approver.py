"""Who may decide: the addresses that are asked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tenant_experience.errors import PlatformError, UserError
from tenant_experience.use_case.approval_rules import ApprovalRules

_OVERHEARS = (
    "does not count: without a filter of its own address it may get the links and codes of others, so remove it"
)
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Approver:
    """Somebody whose address is confirmed.

    Attributes:
        address: as it was subscribed.
        subscription_arn: of the subscription that brings the requests.
    """

    address: str
    subscription_arn: str = ""

    @property
    def id(self) -> str:
        """What links call the approver."""
        return approver_id(self.address)


def approver_id(address: str) -> str:
    """The first 16 hex digits of the SHA-256 of the address, in lower case: links do not show the address itself."""
    return hashlib.sha256(address.lower().encode()).hexdigest()[:16]


def is_approver_id(text: str) -> bool:
    """Whether a text can be one."""
    return _ID.fullmatch(text) is not None


def without_maker(approvers: Iterable[Approver], requested_by: str) -> list[Approver]:
    """The approvers other than the one who uploaded the batch."""
    return [each for each in approvers if each.id != approver_id(requested_by)]


@dataclass(frozen=True)
class Subscription:
    """One address that is subscribed to the topic of requests.

    Attributes:
        address: as it was subscribed.
        arn: empty while SNS waits for its confirmation.
        is_authenticated: whether a signed call confirmed it. One that was confirmed by opening the link of the e-mail,
            as mail scanners do, proves nothing, and ends when anybody opens the link at the end of any message.
        is_filtered: whether it gets the messages to its own address alone.
    """

    address: str
    arn: str = ""
    is_authenticated: bool = False
    is_filtered: bool = False

    @property
    def approver(self) -> Approver | None:
        """Who can be asked through it; None when nobody can."""
        return Approver(self.address, self.arn) if self.arn and self.is_authenticated and self.is_filtered else None

    @property
    def state(self) -> str:
        """What it is good for, as a person reads it."""
        if not self.arn:
            return "waits for its confirmation"
        if not self.is_authenticated:
            return "does not count: the link of its e-mail was opened"
        return "approver" if self.is_filtered else _OVERHEARS


class ApproverNotSubscribedError(PlatformError):
    """Fewer approvers are confirmed than the rules of the use case need. The execution can be redriven."""


def check_nobody_overhears(found: Iterable[Subscription]) -> None:
    """Accepts subscriptions of which none gets what is sent to others: their links, and the codes that confirm.

    Raises:
        ApproverNotSubscribedError: one may.
    """
    if count := sum(bool(each.arn) and not each.is_filtered for each in found):
        raise ApproverNotSubscribedError(
            f"{count} {'subscription' if count == 1 else 'subscriptions'} of the topic of requests may get the links "
            "and codes of other approvers, because the filter is not the own address. `tenx approvers list` shows "
            "which, and `tenx approvers remove ADDRESS` ends it; then redrive the execution",
            code="approver_overheard",
        )


def who_may_decide(confirmed: Iterable[Approver], rules: ApprovalRules, requested_by: str) -> list[Approver]:
    """Those who are asked about a release.

    Args:
        confirmed: everybody who can be asked.
        rules: of the use case.
        requested_by: the address that the manifest names; empty where it names none.

    Raises:
        UserError: ``missing_requested_by`` when the maker may not decide, and nobody knows who that is.
        ApproverNotSubscribedError: they are fewer than must approve.
    """
    by_id: dict[str, Approver] = {}
    for each in confirmed:  # addresses that differ in the case of their letters alone are one person with one vote
        by_id.setdefault(each.id, each)
    everybody = list(by_id.values())
    if rules.maker == "may_not_decide" and not requested_by:
        raise UserError(
            "the rules of the use case say that who uploads a batch may not decide about it, so manifest.json must "
            "name that person's e-mail address under the key requested_by",
            code="missing_requested_by",
        )
    found = without_maker(everybody, requested_by) if rules.maker == "may_not_decide" else everybody
    if len(found) < rules.quorum:
        left_out = ", not counting the person who uploaded the batch" if len(found) < len(everybody) else ""
        raise ApproverNotSubscribedError(
            f"{_counted(len(found))} confirmed{left_out}, and the rules of the use case need {rules.quorum}. "
            "`tenx approvers list` shows who is subscribed, `tenx approvers add ADDRESS` asks another person, and "
            "`tenx approvers confirm LINK` confirms what was added; then redrive the execution",
            code="approver_not_subscribed",
        )
    return found


def _counted(number: int) -> str:
    return "1 approver is" if number == 1 else f"{number or 'no'} approvers are"
