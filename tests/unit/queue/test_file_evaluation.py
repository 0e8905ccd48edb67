"""The figures of a file, beside those of scikit-learn and of arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics

from tenant_experience.queue.file_evaluation import KnownRow, confusion, evaluate, figures, numbers, roc_auc

LABELS = ("stays", "leaves")


def known(seed: int, count: int = 400) -> list[KnownRow]:
    """Rows whose probabilities have ties and mean something."""
    draw = np.random.default_rng(seed)
    said = np.round(draw.random(count), 2)
    happened = draw.random(count) < said
    return [
        KnownRow(f"D{n % 3}", LABELS[int(happened[n])], LABELS[int(said[n] >= 0.4)], float(said[n]))
        for n in range(count)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_the_figures_of_two_classes_are_those_of_scikit_learn(seed: int) -> None:
    rows = known(seed)
    found = figures(rows, LABELS, "leaves")
    truth, said = [row.truth for row in rows], [row.prediction for row in rows]
    probability = [row.probability for row in rows]
    flags = [each == "leaves" for each in truth]
    expected = {
        "accuracy": metrics.accuracy_score(truth, said),
        "precision": metrics.precision_score(truth, said, pos_label="leaves"),
        "recall": metrics.recall_score(truth, said, pos_label="leaves"),
        "f1": metrics.f1_score(truth, said, pos_label="leaves"),
        "specificity": metrics.recall_score(truth, said, pos_label="stays"),
        "roc_auc": metrics.roc_auc_score(flags, probability),
        "brier": metrics.brier_score_loss(flags, probability),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    matrix = metrics.confusion_matrix(truth, said, labels=list(LABELS))
    assert [[found["confusion_matrix"][a][b] for b in LABELS] for a in LABELS] == matrix.tolist()


def test_rows_of_the_matrix_are_what_happened_and_columns_what_was_said() -> None:
    rows = [KnownRow("D", "leaves", "stays", 0.1)] * 3 + [KnownRow("D", "stays", "leaves", 0.9)]
    found = figures(rows, LABELS, "leaves")
    assert found["confusion_matrix"] == {"stays": {"stays": 0, "leaves": 1}, "leaves": {"stays": 3, "leaves": 0}}
    assert confusion(["leaves"], ["stays"], LABELS) == [[0, 0], [1, 0]]


def test_the_calibration_error_is_the_mean_gap_of_ten_bins() -> None:
    rows = [KnownRow("D", "leaves", "leaves", 0.95)] * 2 + [KnownRow("D", "stays", "leaves", 1.0)] * 2
    rows += [KnownRow("D", "stays", "stays", 0.0)] * 4
    found = figures(rows, LABELS, "leaves")
    assert found["calibration_error"] == pytest.approx(abs(0.975 - 0.5) / 2, abs=1e-12)
    assert [(each["from"], each["rows"], each["happened"]) for each in found["calibration"]] == [
        (0, 4, 0),
        (0.9, 4, 0.5),
    ]


def test_what_is_not_defined_is_none() -> None:
    found = figures([KnownRow("D", "stays", "stays", 0.2)], LABELS, "leaves")
    assert (found["precision"], found["recall"], found["f1"], found["roc_auc"]) == (None, None, None, None)
    assert (found["accuracy"], found["specificity"]) == (1, 1)
    empty = figures([], LABELS, "leaves")
    assert (empty["rows"], empty["accuracy"], empty["brier"], empty["calibration"]) == (0, None, None, [])
    assert roc_auc([], []) is None
    assert "precision" not in numbers(found)
    assert "rows" in numbers(found)


def test_several_classes_have_means_and_figures_of_their_own() -> None:
    labels = ("a", "b", "c")
    draw = np.random.default_rng(1)
    truth, said = draw.choice(labels, 300).tolist(), draw.choice(labels, 300).tolist()
    found = figures([KnownRow("D", t, s) for t, s in zip(truth, said, strict=True)], labels, None)
    expected = metrics.precision_recall_fscore_support(truth, said, labels=list(labels), average="macro")[:3]
    assert [found[f"macro_{name}"] for name in ("precision", "recall", "f1")] == pytest.approx(expected, abs=1e-12)
    assert found["classes"]["b"]["recall"] == pytest.approx(
        metrics.recall_score(truth, said, labels=["b"], average="macro"), abs=1e-12
    )
    assert found["confusion_matrix"]["a"]["c"] == metrics.confusion_matrix(truth, said, labels=list(labels))[0, 2]


def test_numbers_have_errors() -> None:
    draw = np.random.default_rng(2)
    truth, said = draw.normal(100, 20, 200), draw.normal(100, 20, 200)
    found = figures([KnownRow("D", float(t), float(s)) for t, s in zip(truth, said, strict=True)], (), None)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(truth, said), abs=1e-12)
    assert found["rmse"] == pytest.approx(math.sqrt(metrics.mean_squared_error(truth, said)), abs=1e-12)


def test_every_partition_has_the_figures_of_its_own_rows() -> None:
    rows = known(7)
    found = evaluate(rows, LABELS, "leaves")
    assert list(found["partitions"]) == ["D0", "D1", "D2"]
    assert found["file"] == figures(rows, LABELS, "leaves")
    assert found["partitions"]["D1"] == figures([row for row in rows if row.partition == "D1"], LABELS, "leaves")
