import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tenant_experience.errors import UserError
from tenant_experience.use_case.manifest import Manifest, parse_manifest, read_batch_manifest, trains


def test_an_empty_manifest_says_nothing():
    assert parse_manifest({}) == Manifest(source=None, as_of=None, hyperparameters={}, models=None)


def test_models_are_trained_unless_the_manifest_says_no():
    assert [parse_manifest(each).train for each in ({}, {"train": True}, {"train": None}, {"train": False})] == [
        *(True, True, True, False)
    ]


def test_features_alone_have_a_name_of_their_own():
    alone = parse_manifest({"release": "features_only"})
    assert alone == parse_manifest({"train": False}) == parse_manifest({"release": "features_only", "train": False})
    assert [
        parse_manifest(each).says_what for each in ({}, {"source": "a"}, {"train": True}, {"models": "global"})
    ] == [*(False, False, True, True)]
    documents = ({}, {"train": True}, {"train": False}, {"release": "features_only"})
    assert [trains(each) for each in documents] == [parse_manifest(each).train for each in documents]


def test_everything_is_read_and_hyperparameters_become_strings():
    manifest = parse_manifest(
        {
            "source": "events",
            "as_of": "2026-11-01T02:00:00+02:00",
            "hyperparameters": {"max_depth": 4, "eta": 0.1, "fast": True, "booster": "dart"},
            "models": "per_partition",
            "accept": ["feature_shift", "null_share", "feature_shift"],
        }
    )
    assert manifest.accept == ("null_share", "feature_shift")
    assert manifest.as_of == datetime(2026, 11, 1, tzinfo=UTC)
    assert manifest.hyperparameters == {"max_depth": "4", "eta": "0.1", "fast": "true", "booster": "dart"}
    assert manifest.models == "per_partition"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], ["object"]),
        ({"sauce": 1}, ["sauce", "source, as_of"]),
        ({"source": 3}, ["source"]),
        ({"as_of": "yesterday"}, ["as_of", "yesterday"]),
        ({"as_of": "2026-11-01T00:00:00"}, ["as_of", "offset"]),
        ({"as_of": 5}, ["as_of", "not 5: it is not a date with a time"]),
        ({"as_of": "2026-13-01T00:00:00Z"}, ["as_of", 'not "2026-13-01T00:00:00Z": it is not a date with a time']),
        ({"train": "no"}, ["'train'", 'must be true or false, not "no"']),
        ({"train": 0}, ["'train'", "must be true or false, not 0"]),
        ({"release": "features"}, ["'release'", 'must be "features_only", not "features"']),
        ({"release": "features_only", "train": True}, ['"train": true', "contradict each other"]),
        ({"release": "features_only", "models": "global"}, ['"release": "features_only"', "key 'models'"]),
        ({"tuning": [None]}, ["'tuning'", "must be true or false, not [null]"]),
        ({"source": {"a": True}}, ["'source'", 'not {"a": true}']),
        ({"groups": {"from": None}}, ["'groups'", 'not {"from": null}']),
        ({"train": False, "groups": "keep"}, ['"train": false', "key 'groups' would change nothing"]),
        ({"as_of": "0001-01-01T00:00:00+14:00"}, ["as_of"]),
        ({"accept": "feature_shift"}, ["'accept'", "a list", "feature_shift"]),
        ({"accept": ["roc_auc"]}, ["'accept'", "vanished_portfolios", "roc_auc"]),
        ({"accept": [["null_share"]]}, ["'accept'", "null_share"]),
        ({"models": "local"}, ["models", "per_partition"]),
        ({"models": ["global"]}, ["models"]),
        ({"hyperparameters": [1]}, ["hyperparameters"]),
        ({"hyperparameters": {"release": "x"}}, ["hyperparameters.release", "state machine"]),
        ({"hyperparameters": {"shard": 1}}, ["hyperparameters.shard"]),
        ({"hyperparameters": {"eta": None}}, ["hyperparameters.eta"]),
        ({"hyperparameters": {"eta": float("nan")}}, ["hyperparameters.eta", "finite"]),
        ({"hyperparameters": {"eta": "x" * 2501}}, ["hyperparameters.eta", "2500"]),
        ({"hyperparameters": {str(i): i for i in range(91)}}, ["91"]),
    ],
)
def test_what_is_wrong_is_named(document, words):
    with pytest.raises(UserError) as caught:
        parse_manifest(document)
    assert caught.value.code == "invalid_manifest"
    for word in ["manifest.json", *words]:
        assert word in caught.value.message


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_is_no_json_is_named(tmp_path: Path, content: bytes):
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(UserError, match=r"manifest\.json is not valid JSON"):
        read_batch_manifest(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            '{"as_of": "2026-01-01T00:00:00Z", "as_of": "2020-01-01T00:00:00Z"}',
            "the key 'as_of' is there more than once",
        ),
        ('{"hyperparameters": {"eta": 1, "eta": 2}}', "the key 'eta' is there more than once"),
        ('{"hyperparameters": {"eta": ' + "9" * 5_000 + "}}", "a number has 5000 digits"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("{}".encode("utf-16"), "save it as UTF-8"),
    ],
)
def test_json_with_two_meanings_or_beyond_a_limit_is_refused_in_ordinary_words(
    tmp_path: Path, content: str | bytes, words: str
):
    (tmp_path / "manifest.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        read_batch_manifest(tmp_path)
    assert caught.value.code == "invalid_manifest"
    assert words in caught.value.message


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"manifest\.json is missing"):
        read_batch_manifest(tmp_path)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path):
    (tmp_path / "manifest.json").write_bytes(b"\xef\xbb\xbf" + json.dumps({"source": "events"}).encode())
    assert read_batch_manifest(tmp_path).source == "events"
