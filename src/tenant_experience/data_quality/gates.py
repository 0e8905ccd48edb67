"""Limits of the use case on the data of a release: each broken one refuses it by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tenant_experience.data_quality._shift import LARGE_SHIFT
from tenant_experience.errors import UserError
from tenant_experience.use_case.schema import UseCase

_ADVICE = "See the data-quality report: mend the export, or raise the gate in use_case.yaml if the change is real"


def check_quarantine_gate(intake: dict[str, Any], use_case: UseCase, input_columns: dict[str, str]) -> None:
    """Refuses a batch of which too large a share was refused row by row.

    Args:
        intake: from :func:`describe_intake`.
        use_case: its gate ``quarantine_share``.
        input_columns: our column -> what the source reads it from.

    Raises:
        UserError: ``no_rows`` or ``too_many_bad_rows``; names the worst reason with its column, file and line.
    """
    names = ", ".join(file["name"] for file in intake["files"])[:500]
    if not intake["rows"]:
        columns = ", ".join(input_columns.values())
        raise UserError(f"{names}: a header but no rows; expected rows with the columns {columns}", code="no_rows")
    meant = intake["rows"] - intake["filtered"]
    if not meant:
        raise UserError(
            f"{names}: not one of {intake['rows']} rows meets the source's filter (key 'where')", code="no_rows"
        )
    limit, share = use_case.gates.quarantine_share, intake["quarantined_share"]
    if limit is None or share <= limit:
        return
    worst = intake["quarantined_by_reason"][0]
    column = input_columns.get(worst["column"], worst["column"]) or "the row as a whole"
    raise UserError(
        f"{intake['quarantined']} of {meant} rows ({share:.1%}) were refused; the gate quarantine_share "
        f"allows {limit:.1%}. Most often: {worst['reason']}, column {column}, {worst['rows']} times, first in "
        f"{worst['first_file']} line {worst['first_line']}. All of them, with reasons: the quarantine of this release",
        code="too_many_bad_rows",
    )


def check_comparison_gates(quality: dict[str, Any], use_case: UseCase) -> None:
    """Refuses a release that differs too much from the one that is live. Nothing to compare with breaks no gate.

    Args:
        quality: ``data_quality.json`` with ``comparison`` and ``features``.
        use_case: its gates ``feature_shift``, ``null_share`` and ``vanished_portfolios``.

    Raises:
        UserError: the code is the gate's name; the message has the feature's or the portfolios' figures.
    """
    if not quality["comparison"]["compared"]:
        return
    gates, live = use_case.gates, quality["comparison"]["release"]
    portfolios = quality["comparison"]["portfolios"]
    gone = portfolios["gone"] / portfolios["then"]
    if gates.vanished_portfolios is not None and gone > gates.vanished_portfolios:
        raise UserError(
            f"{portfolios['gone']} of the {portfolios['then']} portfolios of release {live} are gone ({gone:.1%}), "
            f"such as {portfolios['gone_names'][0]!r}; the gate vanished_portfolios allows "
            f"{gates.vanished_portfolios:.1%}. {_ADVICE}",
            code="vanished_portfolios",
        )
    shifts = [(what, entry, entry["shift"]) for what, entry in _described(quality, use_case) if entry["shift"]]
    for what, entry, shift in shifts:
        if gates.null_share is not None and shift["null_share_change"] > gates.null_share:
            raise UserError(
                f"{what}: the share of tenants without a value grew from {shift['null_share_then']:.1%} in "
                f"release {live} to {entry['null_share']:.1%}; the gate null_share allows "
                f"{gates.null_share:.1%} more. {_ADVICE}",
                code="null_share",
            )
    for what, _, shift in shifts:
        if gates.feature_shift is not None and shift["psi"] > gates.feature_shift:
            raise UserError(
                f"{what} has shifted since release {live}: PSI {shift['psi']:.2f}{_turnover(shift)}; the gate "
                f"feature_shift allows {gates.feature_shift:.2f}. {_ADVICE}",
                code="feature_shift",
            )


def shift_warnings(quality: dict[str, Any], use_case: UseCase) -> list[str]:
    """A sentence for each feature, and for the labels, that have moved far, the farthest first. They refuse nothing.

    Args:
        quality: ``data_quality.json`` with ``features``.
        use_case: names the features.
    """
    shifts = [(what.removeprefix("feature "), entry["shift"]) for what, entry in _described(quality, use_case)]
    far = sorted(((s["psi"], what, _turnover(s)) for what, s in shifts if s and s["psi"] > LARGE_SHIFT), reverse=True)
    return [f"{what} has shifted: PSI {psi:.2f}, above {LARGE_SHIFT}{turnover}" for psi, what, turnover in far]


def unmapped_warnings(source_name: str, unmapped: Sequence[str]) -> list[str]:
    """A sentence for each optional feature that the source of a ready-made table does not map."""
    return [f"{name} is null for every tenant: source {source_name} has no column for it" for name in unmapped]


def _described(quality: dict[str, Any], use_case: UseCase) -> list[tuple[str, dict[str, Any]]]:
    """What the gates look at: every feature, and labels that come from a column."""
    features = [(f"feature {name}", quality["features"][name]) for name in use_case.features]
    labels = quality.get("labels")
    return features if labels is None else [*features, (f"the label {labels['column']}", labels)]


def _turnover(shift: dict[str, Any]) -> str:
    """Of a category the most common value that is new, and the one that is gone."""
    told = [f"{word} {shift[word]['names'][0]!r:.40}" for word in ("new", "gone") if shift.get(word, {}).get("values")]
    return f" ({', '.join(told)})" if told else ""
