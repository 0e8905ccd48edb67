"""docs/use_cases.md does what it says."""

import io
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from operations.batch import read_input
from operations.preview import preview
from tenant_experience.data_layout import model_package_group
from tenant_experience.use_case.split import Split
from tenx.main import main
from tests.support.churn_export import write_churn
from tests.support.engine_use_cases import TRANSACTIONS
from tests.support.places import ROOT, USE_CASES

DOCUMENT = (ROOT / "docs/use_cases.md").read_text()
CHURN = USE_CASES / "telecom_churn"


def holds(whole: object, part: object) -> bool:
    """Whether what the document shows is in the file, which has more."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and holds(whole[key], value) for key, value in part.items())
    return whole == part


def test_what_the_document_shows_is_in_the_files():
    shown = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT, re.M | re.S)]
    source, use_case, sales, *_ = shown
    assert holds(yaml.safe_load((CHURN / "sources/churn.yaml").read_text()), source)
    assert holds(yaml.safe_load((CHURN / "use_case.yaml").read_text()), use_case)
    assert holds(yaml.safe_load((TRANSACTIONS / "use_case.yaml").read_text()), sales)
    [split] = (each for each in shown if list(each) == ["split"])
    assert Split.model_validate(split["split"]).unit == "building"


def test_every_key_of_a_use_case_that_the_document_names_is_explained_in_the_first():
    explained = yaml.safe_load((USE_CASES / "tenant_experience/use_case.yaml").read_text())
    named = re.findall(r"`(\w+)`", DOCUMENT.partition("| `gates`")[2].partition("|")[0])
    assert named
    assert set(named) <= explained.keys()


def test_a_preview_shows_the_labels_and_which_gate_would_refuse(tmp_path: Path, capsys: pytest.CaptureFixture):
    write_churn(tmp_path / "files", "Dim1", 1_100)
    words = ["preview", str(tmp_path / "files"), "--use-case", str(CHURN)]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "every customer's history counts as sufficient" in told
    assert re.search(r"churn +│ \w+ +│ \w+", told)
    assert "No gate on these files alone would refuse" in told
    export = tmp_path / "files/Dim1.csv"
    export.write_text(export.read_text().replace("True.", "False."))
    assert main(words) == 0
    assert "A release would be refused, missing_class" in capsys.readouterr().out


def lent(cards: int = 300) -> Iterator[str]:
    """Loans of 2026 in the columns that the example's source maps; every tenth borrower still has the last book."""
    yield "Card number,Branch,Lent on,Genre,Back on"
    for card in range(cards):
        for number in range(4):
            day = date(2026, 3 + 2 * number, 1 + card % 20)
            days = 5 + card % 50 if number < 3 or card % 10 else None
            back = "" if days is None else f"{day + timedelta(days=days):%d/%m/%Y}"
            yield f"L{card},{('North', 'South')[card % 2]},{day:%d/%m/%Y},{('crime', 'travel')[card % 3 % 2]},{back}"


def test_the_example_is_a_use_case_as_it_stands(tmp_path: Path):
    """Copied from the document into three files, it passes the preview, and its features are those of the loans."""
    text = DOCUMENT.partition("### An example of")[2].partition("\n## ")[0]
    folder = tmp_path / "library_loans"
    (folder / "sources").mkdir(parents=True)
    blocks = re.findall(r"^```\w+\n(.*?)^```$", text, re.M | re.S)
    for name, block in zip(("use_case.yaml", "sources/loans.yaml", "features.sql"), blocks, strict=True):
        (folder / name).write_text(block)
    (tmp_path / "loans.csv").write_text("\n".join(lent()))
    raw = read_input(tmp_path / "loans.csv", folder, None, datetime(2026, 10, 15, tzinfo=UTC))
    shown = preview(raw, folder, [], 3, Console(file=io.StringIO()))
    assert shown.refusals == []
    assert (shown.quality["tenants"], shown.quality["quarantined"]) == (300, 0)
    out = [(date(2026, 10, 15) - date(2026, 9, 1 + card % 20)).days for card in range(300)]
    back = [card % 10 and 5 + card % 50 < days for card, days in enumerate(out)]
    labelled = sum(bool(known) or days > 28 for known, days in zip(back, out, strict=True))
    assert shown.quality["may_train"] == labelled < 300
    assert shown.quality["left_out"] == {"earlier_loans": "3 for every record that may train"}


def test_partitions_of_two_use_cases_that_are_spelled_alike_have_two_groups():
    own = model_package_group("te", "tenant_experience", "tenant_experience", "all")
    other = model_package_group("te", "tenant_experience", "telecom_churn", "all")
    assert own == "te-all"
    assert re.fullmatch(r"te-telecom-churn-all-[0-9a-f]{8}", other)
    longest = model_package_group("p" * 18, "tenant_experience", "u" * 40, "s" * 40)
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", longest)
