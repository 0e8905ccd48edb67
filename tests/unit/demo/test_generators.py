"""Every use case ships a generator; the features of its data are those that pandas computes from the same files."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from demo.batch import generated
from demo.generator import load_generator, main
from operations.batch import USE_CASES
from operations.errors import OperationError
from tenant_experience.use_case.schema import load_use_case
from tests.support.feature_job import FeatureJob
from tests.support.parameters import mostly_slow

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
SHIPPED = sorted(path.parent.name for path in USE_CASES.glob("*/use_case.yaml"))
# Its generator writes 460,000 events.
SLOW = ("next_purchase", "telecom_churn", "tenant_experience")


def bank_marketing(folder: Path) -> pd.DataFrame:
    """The features of the bank's clients, by pandas alone."""
    rows = pd.read_csv(folder / "clients.csv", sep=";", na_values=["unknown"], keep_default_na=False)
    rows["subscribed"] = rows.pop("y").map({"yes": "subscribes", "no": "declines"})
    rows["pdays"] = rows.pdays.where(rows.pdays != 999)
    return rows.rename(columns={"default": "credit_default"}).set_index("client_id")


def next_purchase(folder: Path) -> pd.DataFrame:
    """The features of the shop's customers as of now, by pandas alone. Nobody has a label yet."""
    rows = pd.read_csv(folder / "sales.csv", parse_dates=["Time"])
    rows["cents"] = (rows.Quantity * rows.Price * 100).round()
    sold = rows[rows.Quantity > 0]
    orders = sold.groupby(["Customer", "Invoice"]).agg(
        at=("Time", "min"), lines=("Price", "size"), cents=("cents", "sum")
    )
    orders = orders.reset_index().sort_values(["Customer", "at", "Invoice"])
    orders["gap"] = orders.groupby("Customer")["at"].diff().dt.total_seconds() / 86_400
    of, days = orders.groupby("Customer"), pd.Timestamp(AS_OF)
    recent = orders[orders["at"] >= days - pd.Timedelta(days=90)].groupby("Customer").size()
    found = pd.DataFrame({"orders": of.size(), "recency_days": (days - of["at"].max()).dt.total_seconds() / 86_400})
    found["known_days"] = (days - of["at"].min()).dt.total_seconds() / 86_400
    found["orders_90_days"] = recent.reindex(found.index).fillna(0)
    found["mean_gap_days"], found["longest_gap_days"] = of.gap.mean(), of.gap.max()
    found["spent"] = rows.groupby("Customer").cents.sum() / 100
    found["mean_order_value"], found["lines_per_order"] = of.cents.mean() / 100, of.lines.mean()
    found["distinct_products"] = sold.groupby("Customer").Product.nunique()
    returned = rows[rows.Quantity < 0].groupby("Customer").size().reindex(found.index).fillna(0)
    found["returned_share"] = (returned / of.lines.sum()).clip(upper=1)
    return found.assign(days_to_next_purchase=float("nan"), portfolio_id="all")


def telecom_churn(folder: Path) -> pd.DataFrame:
    """The features of the telephone company's customers, by pandas alone."""
    rows = pd.concat([pd.read_csv(path, keep_default_na=False) for path in folder.glob("*.csv")])
    rows["Area Code"] = rows["Area Code"].astype(str)
    rows["Churn?"] = rows["Churn?"].map({"True.": "leaves", "False.": "stays"})
    rows.index = pd.Index(rows[["Dimension", "State", "Area Code", "Phone"]].agg(" ".join, axis=1))
    rows.columns = pd.Index(
        [
            *("dimension", "state", "account_length", "area_code", "phone", "international_plan", "voice_mail_plan"),
            *("voice_mail_messages", "day_minutes", "day_calls", "day_charge"),
            *("evening_minutes", "evening_calls", "evening_charge", "night_minutes", "night_calls", "night_charge"),
            *("international_minutes", "international_calls", "international_charge", "service_calls", "churn"),
        ]
    )
    return rows


def loans(folder: Path) -> pd.DataFrame:
    """A row for each client and day on which the client got a loan, the oldest first, by pandas alone."""
    days = ["granted", "birthday", "employed_since"]
    rows = pd.read_csv(folder / "loans.csv", parse_dates=days, keep_default_na=False, na_values={"status": [""]})
    by_day = {"amount": "sum", "branch": "last", "birthday": "last", "employed_since": "last", "owns_car": "last"}
    days_of = rows.groupby(["client_id", "granted"])
    table = days_of.agg(by_day).sort_index()
    table["loans"] = days_of.size()
    endings = days_of.status.agg(lambda each: "defaulted" if "defaulted" in set(each) else each.iloc[0])
    table["outcome"] = endings.where(days_of.status.agg(lambda each: each.notna().all() or "defaulted" in set(each)))
    table = table.reset_index()
    clients = table.groupby("client_id")
    table["previous_loans"] = clients.loans.cumsum() - table.loans
    before = clients.amount.cumsum() - table.amount
    table["mean_previous_amount"] = (before / table.previous_loans).where(table.previous_loans > 0)
    table["days_since_previous"] = (table.granted - clients.granted.shift()).dt.days
    table["age"] = (table.granted - table.birthday).dt.days / 365.25
    table["years_on_the_job"] = (table.granted - pd.to_datetime(table.employed_since)).dt.days / 365.25
    table["car"] = (table.owns_car == "yes").astype(float)
    return table


def credit_risk(folder: Path) -> pd.DataFrame:
    """What the API answers: the last loan of each client."""
    return loans(folder).groupby("client_id").tail(1).set_index("client_id")


@pytest.mark.parametrize(
    "reference", mostly_slow([bank_marketing, credit_risk, next_purchase, telecom_churn], kept=[1, 2])
)
def test_the_features_are_those_of_pandas(reference: Callable[[Path], pd.DataFrame], tmp_path: Path) -> None:
    name = reference.__name__
    use_case = load_use_case(USE_CASES / name)
    job = FeatureJob(tmp_path, use_case=name)
    load_generator(USE_CASES / name)(job.raw, AS_OF, 0)
    expected = reference(job.raw)
    outcome = job.run({"as_of": "2026-11-01T00:00:00Z"})
    assert outcome["status"] == "ok"
    found = pd.read_parquet(job.output("features") / "features.parquet").set_index(use_case.record_id)
    assert sorted(found.index) == sorted(expected.index)
    expected = expected.loc[found.index]
    columns = [*use_case.feature_names, str(use_case.labels.column), use_case.partition_column]
    assert len(columns) == len(use_case.features) + 2
    for column in columns:
        given, computed = expected[column], found[column]
        if not pd.api.types.is_numeric_dtype(computed):
            assert given.fillna("").tolist() == computed.fillna("").tolist(), column
        else:
            pd.testing.assert_series_equal(computed.astype(float), given.astype(float), check_names=False, rtol=1e-12)


def test_every_loan_with_an_ending_is_an_example(tmp_path: Path) -> None:
    job = FeatureJob(tmp_path, use_case="credit_risk")
    load_generator(USE_CASES / "credit_risk")(job.raw, AS_OF, 0)
    expected = loans(job.raw).dropna(subset="outcome")
    assert job.run({"as_of": "2026-11-01T00:00:00Z"})["status"] == "ok"
    found = pd.read_parquet(job.output("features") / "examples.parquet").sort_values(["client_id", "as_of"])
    assert found.client_id.tolist() == expected.client_id.tolist()
    assert found.as_of.dt.tz_localize(None).tolist() == expected.granted.tolist()
    for column in [*load_use_case(USE_CASES / "credit_risk").feature_names, "outcome", "branch"]:
        given, computed = expected[column].reset_index(drop=True), found[column].reset_index(drop=True)
        pd.testing.assert_series_equal(computed, given, check_names=False, check_dtype=False, rtol=1e-12)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in SHIPPED]
)
def test_a_use_case_has_a_page_and_its_data_are_made_again_from_their_seed(name: str, tmp_path: Path) -> None:
    generate = load_generator(USE_CASES / name)
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        generate(tmp_path / folder, AS_OF, seed)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names
    for file in names:
        a, b, c = ((tmp_path / folder / file).read_bytes() for folder in "abc")
        assert a == b != c, file
    page = USE_CASES / name / "README.md"
    assert name == "tenant_experience" or f"make demo USE_CASE={name}" in page.read_text()


def test_the_demo_batch_names_its_use_case_and_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.batch.LOCAL", tmp_path)
    batch = generated(USE_CASES / "bank_marketing", seed=3)
    assert (batch.use_case, batch.manifest["source"]) == ("bank_marketing", "campaign")
    assert [path.name for path in batch.files] == ["clients.csv"]
    assert generated(USE_CASES / "bank_marketing", seed=3).files == batch.files


def test_the_call_is_not_among_what_the_bank_knows(tmp_path: Path) -> None:
    assert main(["bank_marketing", str(tmp_path)]) == 0
    assert "duration" not in (tmp_path / "clients.csv").read_text().partition("\n")[0]
    assert "duration" not in load_use_case(USE_CASES / "bank_marketing").features


@pytest.mark.parametrize(("text", "message"), [(None, "no generator"), ("x = 1\n", "has no function generate")])
def test_a_folder_without_a_generator_is_named(text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "generate.py").write_text(text)
    with pytest.raises(OperationError, match=message):
        load_generator(tmp_path)


def test_only_what_a_release_needs_travels_in_the_layer(tmp_path: Path) -> None:
    command = ["make", "-C", str(USE_CASES), "build-UseCasesLayer", f"ARTIFACTS_DIR={tmp_path}"]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    packed = {path.relative_to(tmp_path / "python/use_cases") for path in tmp_path.rglob("*") if path.is_file()}
    shipped = {path.relative_to(USE_CASES) for path in USE_CASES.rglob("*") if path.suffix in {".yaml", ".sql"}}
    assert packed == shipped
    assert Path("bank_marketing/sources/campaign.yaml") in packed
