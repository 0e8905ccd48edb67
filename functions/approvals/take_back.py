"""The page by which an approver starts to take a release back: what would come back, and the form that asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import page
from aws_lambda_powertools.event_handler import Response

from tenant_experience import data_layout
from tenant_experience.api import browser_form
from tenant_experience.aws import approvals, confirmations, link_signature, notifications, take_backs
from tenant_experience.errors import UserError
from tenant_experience.release import confirmation, decision, links, vote
from tenant_experience.release.approval import Approval, Asked
from tenant_experience.release.approver import is_approver_id
from tenant_experience.release.confirmation import Draft
from tenant_experience.release.release import iso_time

_LONGEST_FORM = 20_000
# Who was first to ask for the same.
MINE, OTHERS = "mine", "others"
_STATUS = {"too_many_codes": 429, "maker_may_not_decide": 403}
Form = Mapping[str, Sequence[str]]
# Event, and its details, of the roll-back's request.
Audit = Callable[..., None]


@dataclass(frozen=True)
class Link:
    """A link whose signature was checked.

    Attributes:
        released: the request about the release that would be taken back.
        asked: whom the link was sent to.
        query: of the link.
    """

    released: Approval
    asked: Asked
    query: str


def read_link(approval_id: str, to: str, signature: str) -> Link:
    """The link of an outcome's e-mail, after its signature was checked.

    Raises:
        UserError: ``bad_link``.
    """
    if not data_layout.RELEASE_ID.fullmatch(approval_id) or not is_approver_id(to):
        raise link_signature.bad_link()
    try:
        released, _ = approvals.read_approval(approval_id)
    except UserError as unknown:
        raise link_signature.bad_link() from unknown
    asked = released.asked_as(to)
    if asked is None or released.kind != "release":
        raise link_signature.bad_link()
    text = links.take_back_text(approval_id, released.execution_arn, released.expires_at, asked.address)
    link_signature.check(text, signature)
    return Link(released, asked, page.link_query(to, signature))


@dataclass(frozen=True)
class Offer:
    """What a link would do now.

    Attributes:
        link: the link.
        wish: what would be asked for.
        request: the request as it would be.
        started: the request as it is, if somebody has asked for the same before.
        features: whether the features of then are served again.
    """

    link: Link
    wish: take_backs.Wish
    request: Approval
    started: Approval | None
    features: bool

    @property
    def token(self) -> str:
        """Of the form."""
        return link_signature.sign(self.form_text)

    @property
    def form_text(self) -> bytes:
        """What the token of the form covers: this link of this approver, whatever is chosen in the form."""
        link = self.link
        return b"form\ntake-back\n" + link.released.signed_text(link.asked.address)


def offer(link: Link, *, features: bool) -> Offer:
    """What would come back, by what is live now.

    Raises:
        UserError: ``not_live``, ``no_earlier_release`` or ``nothing_to_take_back``.
    """
    release = link.released.approval_id
    to = take_backs.before(release)
    wish = take_backs.Wish(link.released.use_case, to, release, features=features)
    asked, current = take_backs.plan(wish)
    run, started = take_backs.find_run(asked, current)
    request = take_backs.virtual_request(run, asked, link.released)
    wish = replace(wish, partitions=tuple(asked.changes))
    return Offer(link, wish, request, started, features)


def show(link: Link, parameter: Callable[[str], str]) -> Response[str]:
    """The page. It changes nothing.

    Args:
        link: by which it was opened.
        parameter: gives a value of the query.
    """
    made = offer(link, features=bool(parameter("features")))
    if made.started is not None:
        return _to_request(made.started, link.asked)
    if started := parameter("started"):
        return page.answer(202, page.begun(made.request, link.query, is_recorded=started == MINE))
    draft = confirmations.find(made.request, link.asked) if parameter("confirm") else None
    return _page(200, made, draft=draft)


def decide(link: Link, event: Mapping[str, Any], parameter: Callable[[str], str], audit: Audit) -> Response[str]:
    """Takes the form: the first one mails a code, and the second one starts the roll-back with this approver's vote.

    Args:
        link: by which its page was opened.
        event: API Gateway's.
        parameter: gives a value of the query.
        audit: writes a row.
    """
    try:
        form = browser_form.read(event, _LONGEST_FORM)
        made = offer(link, features=bool(_field(form, "features") or parameter("features")))
        link_signature.check(made.form_text, _field(form, "token"))
    except UserError as refusal:
        audit(link.released, "refused", link.asked, code=refusal.code)
        raise
    if made.started is not None:
        return _to_request(made.started, link.asked)
    now, step = int(time.time()), _field(form, "step")
    draft = confirmations.find(made.request, link.asked)
    try:
        if step == "confirm":
            given = confirmations.check(made.request, link.asked, _field(form, "draft"), _field(form, "code"), now)
            return _start(made, given)
        if step != "again" or draft is None:
            draft = Draft(_vote(made, form, now), now)
        decision.cast(replace(made.request, expires_at=now + 1), draft.vote, now)
        return _ask_to_confirm(made, draft.vote, now, audit)
    except UserError as refusal:
        audit(made.request, "refused", link.asked, code=refusal.code)
        return _page(_STATUS.get(refusal.code, 400), made, problem=refusal, typed=form, draft=draft if step else None)


def _field(form: Form, name: str) -> str:
    return (form.get(name) or ("",))[0]


def _vote(made: Offer, form: Form, now: int) -> vote.Vote:
    """Who asks to take a release back is for it."""
    approving = {name: form.get(name, ()) for name in ("approver", "reason")} | {
        "decision": ["approve"],
        "partition": list(made.request.partitions),
    }
    slugs = list(made.request.partitions)
    return vote.read_vote(approving, address=made.link.asked.address, partitions=slugs, decided_at=iso_time(now))


def _ask_to_confirm(made: Offer, given: vote.Vote, now: int, audit: Audit) -> Response[str]:
    draft, code = confirmations.keep(made.request, given, now)
    if code:
        notifications.send_to(made.link.asked.address, *confirmation.email(made.request, draft.vote, code))
        audit(made.request, "code_sent", made.link.asked)
    return page.see_other(f"take-back?{made.link.query}&confirm=1{_features(made)}")


def _start(made: Offer, given: vote.Vote) -> Response[str]:
    """The vote keeps the time of its draft, so that the same form sent twice says the same."""
    is_first = take_backs.start(made.request.approval_id, replace(made.wish, reason=given.reason, vote=given))
    started = MINE if is_first else OTHERS
    return page.see_other(f"take-back?{made.link.query}&started={started}{_features(made)}")


def _features(made: Offer) -> str:
    return "&features=1" if made.features else ""


def _to_request(started: Approval, asked: Asked) -> Response[str]:
    """Leads an approver to the page of the request, by the link that is theirs."""
    if started.asked_as(asked.id) is None:
        raise UserError(
            "somebody has asked to take this release back, and you are not among those who decide", code="bad_link"
        )
    signature = link_signature.sign(started.signed_text(asked.address))
    return page.see_other(f"../{started.approval_id}?{page.link_query(asked.id, signature)}")


def _page(
    status: int,
    made: Offer,
    *,
    problem: UserError | None = None,
    typed: Form | None = None,
    draft: Draft | None = None,
) -> Response[str]:
    html = page.show(
        made.request,
        made.link.query + (_features(made) if draft else ""),
        now=int(time.time()),
        viewer=made.link.asked.address,
        token=made.token,
        problem=problem,
        typed=typed,
        draft=draft,
        starts=True,
    )
    return page.answer(status, html)
