"""Limits that the use case sets for the data of a release: a broken one refuses the release by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tenant_experience.data_quality._category_shift import CategoryShift
from tenant_experience.data_quality._shift import LARGE_SHIFT, NumberShift
from tenant_experience.data_quality.comparison import Comparison, NotCompared
from tenant_experience.data_quality.describe import IntakeFigures
from tenant_experience.data_quality.feature_quality import Description, LabelDescription
from tenant_experience.errors import UserError
from tenant_experience.use_case.schema import UseCase

_ADVICE = "See the data-quality report: correct the export, or raise the gate in use_case.yaml if the change is real"


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
        columns = ", ".join(input_columns.values())
        raise UserError(f"{names}: a header but no rows; expected rows with the columns {columns}", code="no_rows")
    meant = intake.rows - intake.filtered
    if not meant:
        raise UserError(f"{names}: none of {intake.rows} rows passes the source's filter (key 'where')", code="no_rows")
    limit, share = use_case.gates.quarantine_share, intake.quarantined_share
    if limit is None or share <= limit:
        return
    worst = intake.quarantined_by_reason[0]
    column = "the row as a whole" if worst.column is None else input_columns.get(worst.column, worst.column)
    raise UserError(
        f"{intake.quarantined} of {meant} rows ({share:.1%}) were refused; the gate quarantine_share "
        f"allows {limit:.1%}. Most often: {worst.reason}, column {column}, {worst.rows} times, first in "
        f"{worst.first_file} line {worst.first_line}. The quarantine of this release has all of them, with reasons",
        code="too_many_bad_rows",
    )


def check_comparison_gates(
    comparison: Comparison | NotCompared,
    features: Mapping[str, Description],
    labels: LabelDescription | None,
    use_case: UseCase,
) -> None:
    """Refuses a release that differs too much from the live one. Without a comparison, no gate is broken.

    Args:
        comparison: with the live release.
        features: by name.
        labels: those that come from a column.
        use_case: its gates ``feature_shift``, ``null_share`` and ``vanished_portfolios``.

    Raises:
        UserError: the code is the gate's name; the message has the figures of the feature or of the portfolios.
    """
    if isinstance(comparison, NotCompared):
        return
    gates, live, portfolios = use_case.gates, comparison.release, comparison.portfolios
    gone = portfolios.gone / portfolios.then
    if gates.vanished_portfolios is not None and gone > gates.vanished_portfolios:
        raise UserError(
            f"{portfolios.gone} of the {portfolios.then} portfolios of release {live} are gone ({gone:.1%}), "
            f"such as {portfolios.gone_names[0]!r}; the gate vanished_portfolios allows "
            f"{gates.vanished_portfolios:.1%}. {_ADVICE}",
            code="vanished_portfolios",
        )
    described = _described(features, labels, use_case)
    for what, entry in described:
        if entry.shift and gates.null_share is not None and entry.shift.null_share_change > gates.null_share:
            raise UserError(
                f"{what}: the share of tenants without a value grew from {entry.shift.null_share_then:.1%} in "
                f"release {live} to {entry.null_share:.1%}; the gate null_share allows "
                f"{gates.null_share:.1%} more. {_ADVICE}",
                code="null_share",
            )
    for what, entry in described:
        if entry.shift and gates.feature_shift is not None and entry.shift.psi > gates.feature_shift:
            raise UserError(
                f"{what} has shifted since release {live}: PSI {entry.shift.psi:.2f}{_turnover(entry.shift)}; the gate "
                f"feature_shift allows {gates.feature_shift:.2f}. {_ADVICE}",
                code="feature_shift",
            )


def shift_warnings(
    features: Mapping[str, Description], labels: LabelDescription | None, use_case: UseCase
) -> list[str]:
    """A sentence for each feature that has moved far, and for the labels, the farthest first. They refuse nothing.

    Args:
        features: by name.
        labels: those that come from a column.
        use_case: names the features.
    """
    shifts = [
        (entry.shift.psi, what.removeprefix("feature "), _turnover(entry.shift))
        for what, entry in _described(features, labels, use_case)
        if entry.shift and entry.shift.psi > LARGE_SHIFT
    ]
    far = sorted(shifts, reverse=True)
    return [f"{what} has shifted: PSI {psi:.2f}, above {LARGE_SHIFT}{turnover}" for psi, what, turnover in far]


def unmapped_warnings(source_name: str, unmapped: Sequence[str]) -> list[str]:
    """A sentence for each optional feature that the source of a ready-made table does not map."""
    return [f"{name} is null for every tenant: source {source_name} has no column for it" for name in unmapped]


def _described(
    features: Mapping[str, Description], labels: LabelDescription | None, use_case: UseCase
) -> list[tuple[str, Description]]:
    """What the gates look at: every feature, and labels that come from a column."""
    described = [(f"feature {name}", features[name]) for name in use_case.features]
    return described if labels is None else [*described, (f"the label {labels.column}", labels.described)]


def _turnover(shift: NumberShift | CategoryShift) -> str:
    """For a category, the most common value that is new, and the most common value that is gone."""
    if isinstance(shift, NumberShift):
        return ""
    words = [
        f"{word} {values.names[0]!r:.40}"
        for word, values in (("new", shift.new), ("gone", shift.gone))
        if values.values
    ]
    return f" ({', '.join(words)})" if words else ""
