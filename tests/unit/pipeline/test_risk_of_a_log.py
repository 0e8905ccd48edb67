"""The examples of the list of risk: four moments of one log, each with what was known then, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from tenant_experience.erasure.file import Eraser
from tenant_experience.erasure.id import ErasedId
from tenant_experience.erasure.mapping import RawMapping
from tenant_experience.errors import UserError
from tenant_experience.evaluation.event_risk import EventRisk, _Regression
from tenant_experience.features import later_events
from tenant_experience.features.risk_examples import HAPPENED, RiskExamples, read_risk_examples
from tenant_experience.features.table import read_features
from tenant_experience.pipeline.evaluate_shard import read_risk
from tenant_experience.pseudonyms import pseudonym
from tenant_experience.use_case.schema import load_use_case
from tenant_experience.use_case.source import Source
from tests.support.known_hazard import RISK, WITHIN, Row, tickets, written
from tests.support.written_use_case import AS_OF, Written

MOMENTS = [120, 90, 60, 30]


@pytest.fixture(scope="module")
def log() -> list[Row]:
    return tickets()


@pytest.fixture(scope="module")
def built(log: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Written:
    base = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAGEMAKER_BASE_DIR", str(base / "ml"))
        made = written(base, log)
        assert made.build().figures["no_risk_examples"] is None
    return made


def examples(made: Written) -> list[RiskExamples]:
    use_case = load_use_case(made.folder)
    assert use_case.risk is not None
    return read_risk_examples(made.base / "job/features", use_case.risk, use_case)


def risk_of(made: Written, obstacle: str | None = None) -> EventRisk:
    features, use_case = made.base / "job/features", load_use_case(made.folder)
    found = read_risk(features, use_case, read_features(features / "features.parquet", use_case), obstacle)
    assert found is not None
    return found


def expected(log: list[Row], days: int) -> dict[str, tuple[int, float, bool]]:
    """Client -> tickets, mean hours, and whether one was escalated in the days after, all recomputed in Python."""
    found = {}
    for client in {row.client for row in log}:
        mine = [row for row in log if row.client == client]
        known = [row for row in mine if days < row.opened <= days + 120 and row.recorded > days]
        later = [row for row in mine if days - WITHIN < row.opened <= days and row.recorded > days - WITHIN]
        if known:
            happened = any(row.escalated for row in later)
            found[client] = (len({row.ticket for row in known}), float(np.mean([row.hours for row in known])), happened)
    return found


@pytest.mark.parametrize("days", MOMENTS)
def test_a_moment_has_what_was_known_then_and_what_happened_until_the_next(
    built: Written, log: list[Row], days: int
) -> None:
    rows = pq.read_table(built.base / "job/features/risk.parquet").to_pylist()
    chosen = [row for row in rows if row["as_of"] == AS_OF - timedelta(days=days)]
    found = {row["client"]: (row["tickets"], row["hours"], row[HAPPENED]) for row in chosen}
    assert len(chosen) == len(found)
    wanted = expected(log, days)
    assert found.keys() == wanted.keys()
    assert {name: row[2] for name, row in found.items()} == {name: row[2] for name, row in wanted.items()}
    for name, row in found.items():
        assert row[:2] == pytest.approx(wanted[name][:2])
    assert 0.05 < np.mean([row[2] for row in found.values()]) < 0.5


def test_the_days_after_the_moments_do_not_overlap(built: Written) -> None:
    moments = [np.datetime64(each.moment) for each in examples(built)]
    assert [str(each) for each in moments] == [f"{AS_OF - timedelta(days=days):%Y-%m-%d}" for days in MOMENTS]
    assert np.diff(moments).tolist() == [timedelta(days=WITHIN)] * 3


@pytest.mark.parametrize("change", ["nothing happens", "everybody escalates"])
def test_what_happens_from_a_moment_on_changes_no_score_there(
    built: Written, log: list[Row], change: str, tmp_path: Path
) -> None:
    origin = 60
    kept = [row for row in log if row.recorded > origin]
    later = [] if change == "nothing happens" else [replace(row, escalated=True) for row in log if row not in kept]
    # A last ticket, so that the log does not end before as_of.
    other = written(tmp_path, [*kept, *later, Row("last", "C0", 0.5, 1.0, False, 0.5)])
    other.build()
    before, after = examples(built), examples(other)
    for place in (0, 1):
        assert np.array_equal(before[place].values, after[place].values)
        assert np.array_equal(before[place].happened, after[place].happened)
    assert np.array_equal(before[2].values, after[2].values)
    assert before[2].happened.sum() != after[2].happened.sum()
    risk = load_use_case(built.folder).risk
    assert risk is not None
    scores = [_Regression(risk, each[1]).probability(each[2].values).tolist() for each in (before, after)]
    assert scores[0] == scores[1]


def test_a_hazard_that_is_not_in_the_count_is_listed(built: Written) -> None:
    found = risk_of(built)
    assert found.is_shipped, found.text
    assert 450 < len(found.tenant_id) <= 500
    slow = np.asarray([int(name[1:]) % 3 == 0 for name in found.tenant_id])
    assert slow[:100].mean() > 0.9
    assert [origin.moment for origin in found.origins] == ["2026-08-03", "2026-09-02", "2026-10-02"]


def test_of_a_large_log_a_part_of_the_clients_is_compared(
    built: Written, log: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(later_events, "MOST_EVENTS_COMPARED", len(log) // 2)
    made = written(tmp_path, log)
    assert made.build().figures["no_risk_examples"] is None
    some, every = examples(made), examples(built)
    for few, many in zip(some, every, strict=True):
        assert 0.35 < len(few.happened) / len(many.happened) < 0.65
        assert {tuple(row) for row in few.values.tolist()} <= {tuple(row) for row in many.values.tolist()}


def test_an_activity_log_has_the_same_examples(built: Written, log: list[Row], tmp_path: Path) -> None:
    """An escalation is an activity of its ticket, and is not known before it is recorded."""
    made = written(tmp_path, log)
    source = yaml.safe_load((made.folder / "sources/export.yaml").read_text()) | {"kind": "activities"}
    (made.folder / "sources/export.yaml").write_text(yaml.safe_dump(source))
    assert made.build().figures["no_risk_examples"] is None
    for cases, events in zip(examples(made), examples(built), strict=True):
        assert cases.values[:, 0].sum() == events.values[:, 0].sum()
        assert cases.happened.sum() == events.happened.sum()


def test_a_short_log_says_why_there_is_no_list(tmp_path: Path) -> None:
    made = written(tmp_path, tickets(200, days=140))
    reason = made.build().figures["no_risk_examples"]
    assert reason == "the log does not go back 150 days before 2026-11-01, which a fair comparison needs"
    assert not (made.base / "job/features/risk.parquet").exists()
    assert risk_of(made, reason).text == (
        f"There is no list of records by their risk of escalation within 30 days: {reason}"
    )


def test_few_escalations_say_why_there_is_no_list(tmp_path: Path) -> None:
    made = written(tmp_path, tickets(300, share=0.02))
    assert made.build().figures["no_risk_examples"] is None
    found = risk_of(made)
    assert not found.is_shipped
    assert "in the 30 days after 2026-07-04, escalation happened to" in found.text
    assert "needs 30 to whom it happened" in found.text


def test_it_has_pseudonyms_and_forgets_whoever_is_erased(log: list[Row], tmp_path: Path) -> None:
    made = written(tmp_path, log)
    made.build(pseudonym_key=b"k" * 32)
    path, target = made.base / "job/features/risk.parquet", tmp_path / "target"
    ids = set(pq.read_table(path)["client"].to_pylist())
    name = pseudonym(b"k" * 32, "C7")
    assert name in ids
    assert not any(each.startswith("C") and each[1:].isdigit() for each in ids)
    source = Source.model_validate({"kind": "table", "columns": {"client": "client"}})
    with RawMapping.open(source, "client", ErasedId((name,))) as mapping:
        found = Eraser(ErasedId((name,)), "client", mapping, is_raw=False).erase(
            path, "features/r1/risk.parquet", target
        )
    assert (found.removed, found.left) == (4, "rewritten")
    assert set(pq.read_table(target)["client"].to_pylist()) == ids - {name}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"count": ["tickets", "calls"]}, "risk.count names ['calls'], which are not features that are numbers"),
        ({"features": ["channel"]}, "risk.features names ['channel'], which are not features that are numbers"),
        ({"count": ["tickets", "tickets"]}, "risk.count names a feature twice"),
        ({"within": "0d"}, "must be a whole number of days"),
        ({"event": "../escape"}, "risk.event"),
        ({"where": "escalatd"}, "key 'risk.where': 'escalatd' is not a column of events"),
        ({"where": "hours + 1"}, "key 'risk.where': must be true or false of an event"),
        ({"where": "hours >"}, "key 'risk.where'"),
        ({"where": "hours > (SELECT 1)"}, "key 'risk.where'"),
        (
            {"where": "CAST(event_id AS INTEGER) > 1"},
            "key 'risk.where' fails at a value of an event (Conversion ",
        ),
    ],
)
def test_settings_that_cannot_be_right_are_refused(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    made = written(tmp_path, tickets(80), risk={**RISK, **changes})
    with pytest.raises(UserError) as refused:
        made.build()
    assert refused.value.code == "invalid_use_case"
    assert said in refused.value.message


def test_a_table_of_features_has_nobody_to_whom_it_happened(tmp_path: Path) -> None:
    made = written(tmp_path, tickets(200))
    table = {"kind": "table", "columns": {"client": "client", "tickets": "hours", "hours": "hours", "asks": "asks"}}
    (made.folder / "sources/table.yaml").write_text(yaml.safe_dump(table))
    lines = [
        "client,hours,asks",
        *(f"C{place},{place % 7},{'often' if place % 3 else 'seldom'}" for place in range(200)),
    ]
    made.export.write_text("\n".join(lines) + "\n")
    outcome = made.build({"source": "table"})
    assert outcome.figures["no_risk_examples"] == "the source table has no events, so nobody knows to whom it happened"
