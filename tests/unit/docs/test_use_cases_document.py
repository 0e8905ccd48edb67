"""docs/use_cases.md does what it says."""

import re
from pathlib import Path

import pytest
import yaml

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
    source, use_case, sales, split = (
        yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT, re.M | re.S)
    )
    assert holds(yaml.safe_load((CHURN / "sources/churn.yaml").read_text()), source)
    assert holds(yaml.safe_load((CHURN / "use_case.yaml").read_text()), use_case)
    assert holds(yaml.safe_load((TRANSACTIONS / "use_case.yaml").read_text()), sales)
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


def test_partitions_of_two_use_cases_that_are_spelled_alike_have_two_groups():
    own = model_package_group("te", "tenant_experience", "tenant_experience", "all")
    other = model_package_group("te", "tenant_experience", "telecom_churn", "all")
    assert own == "te-all"
    assert re.fullmatch(r"te-telecom-churn-all-[0-9a-f]{8}", other)
    longest = model_package_group("p" * 18, "tenant_experience", "u" * 40, "s" * 40)
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", longest)
