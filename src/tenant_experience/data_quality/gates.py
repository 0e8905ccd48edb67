"""Limits that the use case sets for the data of a release: a broken one refuses the release by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tenant_experience.data_quality.comparison import Comparison, NotCompared
from tenant_experience.data_quality.describe import EventFigures, IntakeFigures, KeptFigures
from tenant_experience.data_quality.feature_quality import Description, LabelDescription
from tenant_experience.data_quality.shift_warnings import described_columns, new_and_gone, which_way
from tenant_experience.errors import UserError
from tenant_experience.features.partitions import PartitionSize, trainable_words
from tenant_experience.intake.repeated_rows import RepeatedRows
from tenant_experience.intake.skipped import not_read
from tenant_experience.pages.html_page import duration, words
from tenant_experience.use_case.events import Events
from tenant_experience.use_case.manifest import ComparisonGate
from tenant_experience.use_case.schema import USE_CASE_FILE, UseCase
from tenant_experience.use_case.source_expression import columns_read, is_plain_column
from tenant_experience.use_case.words import Words

# What to do about a reason for quarantine that does not say it.
REASON_ADVICE = {
    "duplicate_key": "Write each key that the source reads once in a line: of two values nobody knows which one counts",
    "swallowed_rows": (
        "A value begins with a quote that nothing closes before a later row's quote does: correct the quote, or, where "
        'quotes are characters of the values, write csv: {quote: ""} in the source'
    ),
    "unterminated_quote": (
        "A value begins with a quote that is not closed, or is followed by more text: correct the quote, or, where "
        'quotes are characters of the values, write csv: {quote: ""} in the source'
    ),
    "unreadable_time": (
        "Write times in ISO 8601 with Z or an offset, such as 2026-11-20T09:30:00+01:00, and not with an abbreviation "
        "of a zone such as BST, which has several meanings, or with an offset that no clock has: offsets run from "
        "-12:00 to +14:00. Numbers that count seconds since 1970 are read by the expression "
        "to_timestamp(CAST(column AS DOUBLE)) in the source, and milliseconds by "
        "to_timestamp(CAST(column AS DOUBLE) / 1000)"
    ),
    "unreadable_flag": "Write true or false, or 1 or 0",
    "not_a_number": "Write numbers with a decimal point and without a sign of the thousands, such as 1234.5",
    "unknown_class": (
        "Map the values of the column to labels.classes in the source, name a value that means that the label is not "
        "known in its null_markers, or add a class to use_case.yaml"
    ),
    "not_an_integer": "Write whole numbers without a sign of the thousands, such as 1234",
}
_MAKE_UNIQUE = (
    "If the files come from several systems, make the ids unique in the source, for example "
    "event_id: system || '-' || id, where system is a column that tells them apart"
)


def check_quarantine_gate(intake: IntakeFigures, use_case: UseCase, input_columns: dict[str, str]) -> None:
    """Refuses a batch when too large a share of its rows was refused.

    Args:
        intake: the rows read.
        use_case: its gate ``quarantine_share``.
        input_columns: our column -> the column of the source.

    Raises:
        UserError: ``no_rows`` or ``too_many_bad_rows``; names the worst reason with its column, file and line.
    """
    names = ", ".join(file.name for file in intake.files)[:500]
    if not intake.rows:
        columns = ", ".join(dict.fromkeys(raw for each in input_columns.values() for raw in columns_read(each)))
        raise UserError(f"{names}: a header but no rows; expected rows with the columns {columns}", code="no_rows")
    meant = intake.rows - intake.filtered
    if not meant:
        raise UserError(f"{names}: none of {intake.rows} rows passes the source's filter (key 'where')", code="no_rows")
    limit, share = use_case.gates.quarantine_share, intake.quarantined_share
    if limit is None or share <= limit:
        return
    worst = intake.quarantined_by_reason[0]
    column = "the row as a whole" if worst.column is None else _named(worst.column, input_columns)
    advice = f". {REASON_ADVICE[worst.reason]}" if worst.reason in REASON_ADVICE else ""
    raise UserError(
        f"{intake.quarantined} of {meant} rows ({share:.1%}) were refused; the gate quarantine_share "
        f"allows {limit:.1%}. Most often: {worst.reason}, column {column}, {worst.rows} times, first in "
        f"{worst.first_file} line {worst.first_line}. The quarantine of this release has all of "
        f"them, with reasons{advice}",
        code="too_many_bad_rows",
    )


def _named(column: str, input_columns: Mapping[str, str]) -> str:
    """A column by its name in the file; one that an expression makes, by our name and what it is made from."""
    expression = input_columns.get(column, column)
    if column not in input_columns or is_plain_column(expression):
        return expression
    read = columns_read(expression)
    return f"{column} (read from {', '.join(read)} by the source)" if read else f"{column} (the same for every row)"


def check_conflicting_ids(found: EventFigures | RepeatedRows | None, use_case: UseCase) -> None:
    """Refuses a batch in which too many ids belong to different events or rows, as the ids of two systems do.

    Args:
        found: the events kept, or the rows of one id in a ready-made table.
        use_case: its gate ``conflicting_ids``.

    Raises:
        UserError: ``conflicting_ids``.
    """
    limit = use_case.gates.conflicting_ids
    if found is None or limit is None or found.conflicting_ids <= limit * _with_ids(found):
        return
    told, advice = _conflicting(found, use_case), _made_unique(found, use_case)
    raise UserError(f"{told}; the gate conflicting_ids allows {limit:.1%}. {advice}", code="conflicting_ids")


def intake_warnings(intake: IntakeFigures, found: EventFigures | RepeatedRows | None, use_case: UseCase) -> list[str]:
    """Sentences about what was read that refuse nothing: files that were skipped, and rows that may be the same."""
    warnings = []
    if intake.skipped:
        warnings.append(not_read(intake.skipped))
    if found and found.conflicting_ids:
        warnings.append(f"{_conflicting(found, use_case)}. {_made_unique(found, use_case)}")
    if isinstance(found, RepeatedRows) and found.repeated_rows:
        warnings.append(
            f"{found.repeated_rows} of {found.ids + found.repeated_rows} rows equal another one in every column that "
            f"is read, and each of these {use_case.words.records} counts once. If they are different "
            f"{use_case.words.records}, give them ids that differ"
        )
    if isinstance(found, EventFigures) and found.identical_rows:
        warnings.append(
            f"{found.identical_rows} of {found.events} rows are the same as another row in every column, and each of "
            "them counts as an event, because the source maps no event_id. If an export may deliver a row twice, map "
            "event_id to the column, or to the columns together, that tell one event from another"
        )
    return warnings


def kept_warnings(kept: KeptFigures, events: Events) -> list[str]:
    """A sentence when rows of a batch that adds up are of months that no longer count."""
    if not kept.too_old:
        return []
    return [
        f"{kept.too_old} rows are of months before {kept.since}, by {events.time} and recorded_at, and are left out: a "
        f"release looks no further back. If features.sql does, set events.kept_days in {USE_CASE_FILE}"
    ]


def age_warnings(as_of: str, live_as_of: str | None, *, train: bool = True) -> list[str]:
    """A sentence when the features describe an earlier moment than those that are live.

    Args:
        as_of: of these features.
        live_as_of: of the live release; None when none is.
        train: whether models are trained, to replace those that are live.
    """
    if live_as_of is None or as_of >= live_as_of:
        return []
    older = duration((datetime.fromisoformat(live_as_of) - datetime.fromisoformat(as_of)) / timedelta(hours=1))
    effect = (
        "approving them puts older models and features in place of newer ones"
        if train
        else "records that are served as of a later moment keep what they have"
    )
    return [f"these features describe {as_of}, {older} before those of the live release ({live_as_of}): {effect}"]


def scope_warnings(scope: str, partitions: Collection[PartitionSize], use_case: UseCase) -> list[str]:
    """A sentence when every portfolio was to have a model of its own and none has."""
    if scope != "per_partition" or any(partition.scale == "local" for partition in partitions):
        return []
    words = use_case.words
    return [
        f"a model for each {words.partition} was asked for (per_partition), but there is one global model: no "
        f"{words.partition} has the {use_case.models.minimum_tenants} {words.records} with {trainable_words(use_case)} "
        "that its own model needs (models.minimum_tenants)"
    ]


def _with_ids(found: EventFigures | RepeatedRows) -> int:
    """How many events or rows have an id."""
    return found.ids if isinstance(found, RepeatedRows) else found.events


def _made_unique(found: EventFigures | RepeatedRows, use_case: UseCase) -> str:
    if isinstance(found, EventFigures):
        return _MAKE_UNIQUE
    return (
        f"Send one row for each {use_case.words.record}, or name in record_id.from of {USE_CASE_FILE} the columns that "
        f"tell one from another"
    )


def _conflicting(found: EventFigures | RepeatedRows, use_case: UseCase) -> str:
    if isinstance(found, RepeatedRows):
        return (
            f"{found.conflicting_ids} of {found.ids} ids in column {use_case.record_id!r} "
            f"({found.conflicting_ids / max(found.ids, 1):.1%}) are those of rows that differ in other columns, and "
            "only one row of each is kept"
        )
    events = found
    share = events.conflicting_ids / events.events if events.events else 0.0
    *first, last = events.identity_columns
    return (
        f"{events.conflicting_ids} of {events.events} event ids ({share:.1%}) are those of rows that differ in "
        f"{', '.join(first)}{' or ' * bool(first)}{last}, and only one event of each is kept"
    )


@dataclass(frozen=True)
class BrokenGate:
    """A gate that compares with the live release, and is broken.

    Attributes:
        name: of the gate.
        sentence: what broke it, without a full stop.
    """

    name: ComparisonGate
    sentence: str


def broken_comparison_gates(
    comparison: Comparison | NotCompared,
    features: Mapping[str, Description],
    labels: LabelDescription | None,
    use_case: UseCase,
) -> list[BrokenGate]:
    """The gates that say that a release differs too much from the live one. Without a comparison there are none.

    Args:
        comparison: with the live release.
        features: by name.
        labels: those that come from a column. Records without one are served like any other, so that no gate limits
            their share.
        use_case: its gates ``feature_shift``, ``null_share`` and ``vanished_portfolios``.
    """
    if isinstance(comparison, NotCompared):
        return []
    described, features_only = (described_columns(features, each, use_case) for each in (labels, None))
    found: list[tuple[ComparisonGate, str | None]] = [
        ("vanished_portfolios", _vanished(comparison, use_case.gates.vanished_portfolios, use_case.words)),
        ("null_share", _more_unknown(comparison.release, features_only, use_case)),
        ("feature_shift", _shifted(comparison.release, described, use_case.gates.feature_shift)),
    ]
    return [BrokenGate(name, sentence) for name, sentence in found if sentence]


def unlabelled_warnings(
    comparison: Comparison | NotCompared, labels: LabelDescription | None, use_case: UseCase
) -> list[str]:
    """A sentence when many more records have no label than in the live release."""
    limit, shift = use_case.gates.null_share, labels.described.shift if labels else None
    if labels is None or shift is None or limit is None or shift.null_share_change <= limit:
        return []
    return [
        f"the share of {use_case.words.records} without a value in the label {labels.column} grew from "
        f"{shift.null_share_then:.1%} in release {comparison.release if comparison.compared else None} to "
        f"{labels.described.null_share:.1%}: they get answers, and models are trained on the others"
    ]


def _vanished(comparison: Comparison, limit: float | None, words: Words) -> str | None:
    portfolios = comparison.portfolios
    gone = portfolios.gone / portfolios.then
    if limit is None or gone <= limit:
        return None
    return (
        f"{portfolios.gone} of the {portfolios.then} {words.partitions} of release {comparison.release} are gone "
        f"({gone:.1%}), such as {portfolios.gone_names[0]!r}; the gate vanished_portfolios allows {limit:.1%}"
    )


def _more_unknown(live: str | None, described: Sequence[tuple[str, Description]], use_case: UseCase) -> str | None:
    limit = use_case.gates.null_share
    if limit is None:
        return None
    broken = [
        (what, entry.shift.null_share_then, entry.null_share)
        for what, entry in described
        if entry.shift and entry.shift.null_share_change > limit
    ]
    if not broken:
        return None
    what, then, now = broken[0]
    more = [f"{what} ({then:.1%} to {now:.1%})" for what, then, now in broken[1:]]
    return (
        f"{what}: the share of {use_case.words.records} without a value grew from {then:.1%} in release {live} to "
        f"{now:.1%}; the gate null_share allows {limit:.1%} more{_and_of(more)}"
    )


def _shifted(live: str | None, described: Sequence[tuple[str, Description]], limit: float | None) -> str | None:
    if limit is None:
        return None
    broken = [(what, entry.shift) for what, entry in described if entry.shift and entry.shift.exceeds(limit)]
    if not broken:
        return None
    what, shift = broken[0]
    more = [f"{what} (PSI {shift.psi:.2f}{which_way(shift)})" for what, shift in broken[1:]]
    return (
        f"{what} has shifted since release {live}: PSI {shift.psi:.2f}{which_way(shift)}{new_and_gone(shift)}; the "
        f"gate feature_shift allows {limit:.2f} and what chance can add ({shift.chance:.2f}){_and_of(more)}"
    )


def _and_of(more: Sequence[str]) -> str:
    return f". It is also broken by {', '.join(more)}" if more else ""


def check_comparison_gates(
    broken: Sequence[BrokenGate],
    accepted: Collection[ComparisonGate],
    told: Callable[[], Sequence[str]],
    *,
    train: bool = True,
) -> list[str]:
    """Refuses a release that differs too much from the live one, unless its manifest accepts that.

    Args:
        broken: the gates that are.
        accepted: the gates that the manifest accepts to be broken.
        told: gives sentences that belong into the refusal.
        train: whether models are trained, which an approver must accept.

    Returns:
        A warning for each broken gate, which the approver must see first.

    Raises:
        UserError: the code is the gate's name; the message has the figures of the features or of the portfolios.
    """
    refusing = [gate for gate in broken if gate.name not in accepted]
    if refusing:
        name, named = refusing[0].name, json.dumps(list(dict.fromkeys([*accepted, *(gate.name for gate in refusing)])))
        raise UserError(
            ". ".join([refusing[0].sentence, *(sentence.rstrip(".") for sentence in told())])
            + ". See the data-quality report and correct the export. If the change is real, upload the batch again "
            f'with "accept": {named} in manifest.json: '
            + ("the approver then decides" if train else "the live models then answer for these records"),
            code=name,
        )
    return [f"manifest.json accepts that the gate {gate.name} is broken: {gate.sentence}" for gate in broken]


def unmapped_warnings(source_name: str, unmapped: Mapping[str, Sequence[str]], use_case: UseCase) -> list[str]:
    """A sentence for each feature that is null for everybody, because the source lacks what it is made from.

    Args:
        source_name: of the source.
        unmapped: the features, each with the columns that the source would have to map.
        use_case: its words.
    """
    record = use_case.words.record
    return [
        f"{words(name)} is null for every {record}: source {source_name} has no column for "
        + ("it" if list(columns) == [name] else f"{' and '.join(columns)}, which it is computed from")
        for name, columns in unmapped.items()
    ]
