from pathlib import Path

import pytest
import yaml

from tenant_experience.errors import UserError
from tenant_experience.use_case.schema import UseCase, load_use_case
from tests.support.places import USE_CASE_FOLDER

VALID = (USE_CASE_FOLDER / "use_case.yaml").read_text()


def load_changed(tmp_path: Path, change) -> UseCase:
    document = yaml.safe_load(VALID)
    change(document)
    (tmp_path / "use_case.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return load_use_case(tmp_path)


def test_the_shipped_use_case_is_valid():
    use_case = load_use_case(USE_CASE_FOLDER)
    assert use_case.feature_names[0] == "work_order_count"
    assert len(use_case.features) == 10
    assert use_case.features["answer_rate"].direction == -1
    assert use_case.default_source == "events"
    assert use_case.models.scope == "global"


def test_the_old_name_of_feature_dropout_is_accepted_with_a_warning(tmp_path, caplog):
    def rename(document):
        document["masking"] = document.pop("feature_dropout") + 0.1

    assert load_changed(tmp_path, rename).feature_dropout == 0.4
    assert "write feature_dropout instead of masking" in caplog.text
    with pytest.raises(UserError, match="unknown key 'masking'"):
        load_changed(tmp_path, lambda document: document.update(masking=0.1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(default_sauce="x"), ["use_case.yaml", "default_sauce", "default_source"]),
        (lambda d: d["models"].update(minimum=1), ["models.minimum", "minimum_tenants", "shard_size"]),
        (lambda d: d["features"]["answer_rate"].update(log=1), ["features.answer_rate.log", "more_is"]),
        (lambda d: d["models"].update(scope="local"), ["models.scope", "global", "per_partition", "local"]),
        (lambda d: d["features"]["answer_rate"].update(words=""), ["answer_rate.words"]),
        (lambda d: d.update(labels={"from": "column", "column": "y", "outcome": "x"}, clustering=None), ["outcome"]),
        (lambda d: d["features"]["answer_rate"].update(noise={"kind": "gamma"}), ["answer_rate.noise", "noise.of"]),
        (
            lambda d: d["features"]["answer_rate"].update(noise={"kind": "binomial", "of": ["positive_rate"]}),
            ["features.answer_rate.noise.of", "positive_rate", "poisson"],
        ),
        (lambda d: d["features"]["answer_rate"].update(noise={"kind": "normal"}), ["noise.kind", "poisson", "gamma"]),
        (lambda d: d["features"]["answer_rate"].update(more_is="nice"), ["answer_rate.more_is", "worse", "neither"]),
        (lambda d: d["clustering"]["markers"].append("rent"), ["rent", "markers", "answer_rate"]),
        (lambda d: d["clustering"]["markers"].append("total_tickets"), ["total_tickets", "neither"]),
        (lambda d: d["hyperparameters"].update(shard=3), ["shard", "state machine"]),
        (lambda d: d["history"].update(minimum_days=200), ["history", "minimum_days"]),
        (lambda d: d["gates"].update(quarantine_share=2), ["gates.quarantine_share", "must be at most 1 (it is 2)"]),
        (lambda d: d["targets"].update(first_response_hr=100), ["targets", "first_response_hr <= resolution_hr"]),
        (
            lambda d: [d["clustering"]["markers"].pop(3), d["features"].pop("mean_full_resolution_hr")],
            ["targets", "mean_full_resolution_hr"],
        ),
        (lambda d: d.update(capacity=0), ["capacity", "must be at least 1 (it is 0)"]),
        (lambda d: d.pop("record_id"), ["record_id", "missing"]),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, change, words):
    with pytest.raises(UserError) as caught:
        load_changed(tmp_path, change)
    assert caught.value.code == "invalid_use_case"
    for word in words:
        assert word in caught.value.message


@pytest.mark.parametrize("text", ["a: [", "- 1", "", "\xff"])
def test_a_file_that_is_no_mapping_is_named(tmp_path: Path, text: str):
    (tmp_path / "use_case.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"use_case\.yaml"):
        load_use_case(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"use_case\.yaml does not exist"):
        load_use_case(tmp_path)
