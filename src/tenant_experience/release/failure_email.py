"""The e-mails about a batch that was refused, and about an execution that ended without a release.

First comes what everybody needs: which batch, what happened, what to do next. Codes, jobs, logs and ARNs follow in a
section of their own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tenant_experience import data_layout
from tenant_experience.readable_text import readable, readable_without_links
from tenant_experience.release.failure import (
    DECIDED,
    EXCEEDED,
    SCORE_AGAIN,
    SCORE_ALL_LATER,
    SCORE_FILE_AGAIN,
    TAKE_BACK_AGAIN,
    TELL_AGAIN,
    UPLOAD_AGAIN,
    Failure,
    of_end,
    sentence,
)
from tenant_experience.release.release import readable_time
from tenant_experience.release.take_back import PREFIX

OPERATOR = "For the operator"
_MAX_SHARDS = 3
_MAX_MESSAGE = 4000


def is_told(detail: Mapping[str, Any]) -> bool:
    """Whether a decision ended the run: then NotifyOutcome has told everyone, and there is nothing to add."""
    return detail.get("error") in DECIDED


def write(
    detail: Mapping[str, Any], failed_shards: Sequence[Failure] = (), *, last_state: str = "", run_page: str = ""
) -> tuple[str, str]:
    """The subject and the text.

    Args:
        detail: of the status-change event: name, status, error, cause, executionArn, input, stopDate.
        failed_shards: why shards failed, when the error says only that some did.
        last_state: the state that the execution entered last; empty where it is not known.
        run_page: the link to the page of the run; empty for none.
    """
    whole = Failure(detail.get("error") or detail["status"], detail.get("cause") or "")
    failures = list(failed_shards[:_MAX_SHARDS]) or [of_end(whole.error, whole.cause, last_state)]
    failure = failures[0]
    given = _input(detail)
    title = _title(detail["name"], failure, given)
    lines = [
        f"{title}.",
        "",
        *_facts(detail, given),
        "",
        "What happened",
        *[_cleaned(each.sentence[:_MAX_MESSAGE]) for each in failures],
        *_others(len(failed_shards)),
        "",
        "What to do next",
        _advice(detail["name"], failure, given),
        *(["", "The whole run, from its start to its end", run_page] if run_page else []),
        "",
        OPERATOR,
        *[_detail(line) for each in (whole, *failures[: len(failed_shards)]) for line in each.details],
        f"Execution: {detail['executionArn']}",
    ]
    if whole.is_redrivable:
        lines.append(f"Redrive: aws stepfunctions redrive-execution --execution-arn {detail['executionArn']}")
    batch = f" (batch {readable_without_links(str(given['batch']))})" if given.get("batch") else ""
    return f"{_subject(detail['name'], failure, given)}{batch}", "\n".join(lines)


def write_refusal(folder: str, message: str, code: str) -> tuple[str, str]:
    """The subject and the text about a batch for which no release was started.

    Args:
        folder: the batch's prefix, ``raw/<use case>/<batch>/``.
        message: why, as a sentence.
        code: the same as a code.
    """
    batch = readable_without_links(folder.rstrip("/").rpartition("/")[2])
    title = f"The batch {readable_without_links(folder)} was refused, and no release was started."
    return f"Batch {batch} was refused", _refusal(title, message, UPLOAD_AGAIN, code)


def write_scoring_refusal(what: str, message: str, code: str) -> tuple[str, str]:
    """The subject and the text about rows for which no scoring run was started.

    Args:
        what: the key or the folder that was to be answered.
        message: why, as a sentence.
        code: the same as a code.
    """
    name = readable_without_links(what)
    return f"Not scored: {name}", _refusal(f"Nothing was scored for {name}.", message, SCORE_AGAIN, code)


def _refusal(title: str, message: str, advice: str, code: str) -> str:
    lines = [
        title,
        "",
        "What happened",
        _cleaned(sentence(message)),
        "",
        "What to do next",
        advice,
        "",
        OPERATOR,
        f"Error: UserError.{code}",
    ]
    return "\n".join(lines)


def needs_shards(detail: Mapping[str, Any]) -> bool:
    """Whether the event says only that shards failed, and not why."""
    return detail.get("error") == EXCEEDED


def is_scoring(detail: Mapping[str, Any]) -> bool:
    """Whether the event is about a scoring run."""
    return _is_scoring(_input(detail))


def _input(detail: Mapping[str, Any]) -> dict[str, Any]:
    """The execution's input. EventBridge leaves out what is too long."""
    try:
        given = json.loads(detail.get("input") or "{}")
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def _is_scoring(given: Mapping[str, Any]) -> bool:
    """Whether the execution is one of ``score_batch``."""
    return "run" in given


def _subject(name: str, failure: Failure, given: Mapping[str, Any]) -> str:
    if name.startswith(PREFIX):
        return _title(name, failure, given)
    return f"{'Scoring' if _is_scoring(given) else 'Release'} {name}: {failure.heading}"


def _advice(name: str, failure: Failure, given: Mapping[str, Any]) -> str:
    if name.startswith(PREFIX):
        return TAKE_BACK_AGAIN
    return _scoring_advice(failure, given) if _is_scoring(given) else failure.advice


def _title(name: str, failure: Failure, given: Mapping[str, Any]) -> str:
    if name.startswith(PREFIX):
        refused = failure.error.partition(".")[0] == "UserError"
        return f"Roll-back {name} was not taken: {'it is not possible' if refused else failure.heading}"
    if _is_scoring(given):
        if failure.is_done:
            return f"Scoring {name} is done, but {failure.heading}"
        return f"Scoring {name} gave no answers: {failure.heading}"
    if failure.is_done:
        return f"Release {name} is done, but {failure.heading}"
    if given.get("history_only"):
        return f"History {name} was not recorded: {failure.heading}"
    return f"Release {name} did not go live: {failure.heading}"


def _scoring_advice(failure: Failure, given: Mapping[str, Any]) -> str:
    if failure.is_done:
        return TELL_AGAIN
    if not failure.error.startswith("UserError"):
        return failure.advice
    if given.get("kind") == "live":
        return SCORE_ALL_LATER
    return SCORE_FILE_AGAIN if given.get("key") else SCORE_AGAIN


def _facts(detail: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    use_case, batch = given.get("use_case"), given.get("batch")
    known = isinstance(use_case, str) and isinstance(batch, str)
    unknown = None if detail["name"].startswith(PREFIX) else "unknown; see the execution's input"
    facts = {
        "batch": _folder(given, str(use_case), str(batch)) if known else unknown,
        "use case": use_case if known or unknown is None else None,
        "ended": readable_time(detail["stopDate"] / 1000) if detail.get("stopDate") else None,
    }
    return [f"  {name:15} {readable_without_links(str(value))}" for name, value in facts.items() if value]


def _folder(given: Mapping[str, Any], use_case: str, batch: str) -> str:
    """Where the rows of a batch are."""
    if not _is_scoring(given):
        return data_layout.raw_batch(use_case, batch)
    if given.get("kind") == "live":
        return f"{batch}: everybody whose features are live"
    return str(given.get("key") or data_layout.score_batch(use_case, batch))


def _cleaned(text: str) -> str:
    """Lines as they are, without links or hidden characters: names in them come from the data."""
    return "\n".join(map(readable_without_links, text.splitlines()))


def _detail(line: str) -> str:
    """A detail without links. The names of errors and log groups stay, so that an operator can search for them."""
    return readable(line) if line.startswith(("Error: ", "Log: ")) else _cleaned(line)


def _others(count: int) -> list[str]:
    more = count - _MAX_SHARDS
    return [f"{more} more shard{'s' if more > 1 else ''} failed too."] if more > 0 else []
