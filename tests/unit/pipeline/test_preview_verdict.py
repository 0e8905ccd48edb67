"""What preview says of each partition, and what the jobs make of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tenant_experience.errors import AlgorithmError, UserError
from tests.support import known_hazard
from tests.support.loans import loans
from tests.support.purchases import LABELS, purchases, written
from tests.support.written_use_case import SETTINGS, Written, table_of


def of_two_branches(base: Path, few: tuple[str, ...]) -> Written:
    """Loans of two branches, those of one at times that may be too few to be split by."""
    case = loans(base, models={"scope": "per_partition", "minimum_tenants": 30}, split={"time": True})
    rows, seen = case.rows, dict[str, int]()
    rows["b"] = [("north", "south")[int(client[-4:]) % 2] for client in rows["c"]]
    kept = []
    for place, (client, branch) in enumerate(zip(rows["c"], rows["b"], strict=True)):
        number = seen[client] = seen.get(client, -1) + 1
        rows["granted"][place] = f"{2020 + number}-01-01"
        kept += [place] if branch not in few or number < 2 else []
    shutil.rmtree(case.folder)
    return Written(base, case.settings, case.source, {name: [row[n] for n in kept] for name, row in rows.items()})


def test_one_partition_without_a_model_is_a_warning_as_the_release_goes_on(tmp_path: Path) -> None:
    shown = of_two_branches(tmp_path, ("south",)).preview()
    assert shown.refusals == []
    (told,) = [each for each in shown.quality["warnings"] if "no model" in each]
    assert told.startswith("The partition south would get no model in this release (too_few_times): use_case.yaml key")


def test_without_any_model_the_release_is_refused(tmp_path: Path) -> None:
    shown = of_two_branches(tmp_path, ("north", "south")).preview()
    assert {code for code, _ in shown.refusals} == {"too_few_times"}


@pytest.mark.parametrize("hyperparameters", [{}, {"objective": "survival:aft"}])
def test_days_until_an_event_that_nobody_sees_are_refused_before_training(
    tmp_path: Path, hyperparameters: dict[str, str]
) -> None:
    labels = {**LABELS, "where": "quantity > 1000"}
    case = written(tmp_path, purchases(200).rows(), labels=labels, hyperparameters=hyperparameters)
    [(code, message)] = case.preview().refusals
    assert code == "one_class"
    assert "0 see such an event within labels.window of 60 days" in message
    assert "correct labels.where" in message
    with pytest.raises(AlgorithmError) as refusal:
        case.release()
    assert (refusal.value.code, refusal.value.message) == (code, message)


def test_a_class_too_rare_for_the_test_part_is_refused_before_training(tmp_path: Path) -> None:
    case = table_of(tmp_path)
    label = case.source["columns"]["outcome"]
    rows = {**case.rows, label: ["leaves" if row % 60 == 0 else "stays" for row in range(240)]}
    again = Written(tmp_path / "again", case.settings, case.source, rows)
    [(code, message)] = again.preview().refusals
    assert code == "one_class"
    assert "24 rows of the test part have 24 stays, 0 leaves" in message
    with pytest.raises(AlgorithmError) as refusal:
        again.release()
    assert (refusal.value.code, refusal.value.message) == (code, message)


FAILS_EARLIER = known_hazard.SQL.replace(
    "avg(hours)", "avg(CASE WHEN $as_of > TIMESTAMP '2026-10-15' THEN hours ELSE CAST(client AS DOUBLE) END)"
)


@pytest.mark.parametrize("fault", ["condition", "earlier moment"])
def test_what_fails_at_an_earlier_moment_is_refused_in_the_preview_too(tmp_path: Path, fault: str) -> None:
    risk = {**known_hazard.RISK, **({"where": "CAST(event_id AS INTEGER) > 1"} if fault == "condition" else {})}
    case = known_hazard.written(tmp_path, known_hazard.tickets(80), risk=risk)
    if fault == "earlier moment":
        (case.folder / "features.sql").write_text(FAILS_EARLIER)
    [(code, message)] = case.preview().refusals
    with pytest.raises(UserError) as refusal:
        case.build()
    assert (refusal.value.code, refusal.value.message) == (code, message)
    assert "fails at a value" in message


def test_a_client_with_rows_in_two_branches_counts_once_for_the_gate(tmp_path: Path) -> None:
    case = loans(tmp_path, clients=40, gates={**SETTINGS["gates"], "pooled_tenants": 45})
    rows = {**case.rows, "b": [("north", "south")[place % 2] for place in range(len(case.rows["c"]))]}
    labelled = {client for client, outcome in zip(rows["c"], rows["o"], strict=True) if outcome}
    in_branches = {(client, branch) for client, branch, o in zip(rows["c"], rows["b"], rows["o"], strict=True) if o}
    assert len(labelled) < 45 < len(in_branches)
    moved = Written(tmp_path / "moved", case.settings, case.source, rows)
    [(code, message)] = moved.preview().refusals
    with pytest.raises(AlgorithmError) as refusal:
        moved.build()
    assert (refusal.value.code, refusal.value.message) == (code, message)
    assert code == "too_few_tenants"
    assert message.startswith(f"{len(labelled)} records have a value in the label column 'outcome', of 40 seen; ")
