"""XGBoost's model format for models that other libraries trained, so that there is one artifact and one way to score.

Source: "Introduction to Model IO" in XGBoost's documentation, and its JSON schema of a model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.statistics.arrays import Floats
from tenant_experience.training.trainer import Objective
from tenant_experience.use_case.labels import Task

_OBJECTIVES: dict[Task, str] = {
    "binary": "binary:logistic",
    "multiclass": "multi:softprob",
    "regression": "reg:squarederror",
}
# The probability whose log-odds are 0: everything a model says is in its trees or its bias.
_NO_BASE = {"binary": 0.5, "multiclass": 0.0, "regression": 0.0}
_ROOT = 2**31 - 1
# The version of XGBoost whose documents look like these.
_VERSION = [3, 2, 0]
_LARGEST = float(np.finfo(np.float32).max)


def linear_booster(
    weights: NDArray[np.floating], bias: NDArray[np.floating], columns: Sequence[str], objective: Objective
) -> bytes:
    """A linear model.

    Args:
        weights: (columns, outputs).
        bias: (outputs,).
        columns: names of the columns.
        objective: what the model predicts.
    """
    flat = np.concatenate([weights.ravel(), bias]).tolist()
    model = {"boosted_rounds": 1, "weights": flat}
    return _to_ubj({"name": "gblinear", "model": model}, columns, objective)


def tree_booster(rounds: Sequence[Sequence[dict[str, Any]]], columns: Sequence[str], objective: Objective) -> bytes:
    """Trees whose leaves add up to the answer.

    Args:
        rounds: for each round, one tree for each output, from ``tree``.
        columns: names of the columns.
        objective: what the model predicts.
    """
    outputs = len(rounds[0])
    trees = [tree for trees in rounds for tree in trees]
    size = {"num_deleted": "0", "num_feature": str(len(columns)), "size_leaf_vector": "1"}
    model = {
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(len(trees))},
        "iteration_indptr": list(range(0, len(trees) + 1, outputs)),
        "tree_info": [number % outputs for number in range(len(trees))],
        "trees": [
            tree | {"id": number, "tree_param": size | {"num_nodes": str(len(tree["parents"]))}}
            for number, tree in enumerate(trees)
        ],
    }
    return _to_ubj({"name": "gbtree", "model": model}, columns, objective)


def tree(
    *,
    left: NDArray[np.integer],
    right: NDArray[np.integer],
    column: NDArray[np.integer],
    highest_left: Floats,
    missing_left: NDArray[np.bool_],
    leaf: NDArray[np.bool_],
    value: Floats,
    rows: NDArray[np.integer],
) -> dict[str, Any]:
    """One tree, from arrays with one entry per node, the root first.

    XGBoost expects a right child directly after its left one, so nodes are numbered level by level.

    Args:
        left: the next node for values up to ``highest_left``.
        right: the next node for higher values.
        column: the column whose value is compared.
        highest_left: the threshold.
        missing_left: whether missing values go left.
        leaf: whether the node is a leaf; the arguments above then mean nothing.
        value: what a leaf adds to the answer.
        rows: how many rows the node has seen: the weight of its branch in contributions.
    """
    order, children, parents = [0], [], [_ROOT]
    for place, node in enumerate(order):
        children.append(-1 if leaf[node] else len(order))
        if not leaf[node]:
            order += [int(left[node]), int(right[node])]
            parents += [place, place]
    ordered_leaf, ordered_value = leaf[order], value[order]
    none = np.zeros(len(order))
    return {
        "left_children": children,
        "right_children": [-1 if child < 0 else child + 1 for child in children],
        "parents": parents,
        "split_indices": np.where(ordered_leaf, 0, column[order]).tolist(),
        "split_conditions": np.where(ordered_leaf, ordered_value, exclusive_thresholds(highest_left[order])).tolist(),
        "split_type": none.astype(int).tolist(),
        "default_left": (missing_left[order] & ~ordered_leaf).astype(int).tolist(),
        "base_weights": np.where(ordered_leaf, ordered_value, 0.0).tolist(),
        "loss_changes": none.tolist(),
        "sum_hessian": rows[order].astype(float).tolist(),
        **{name: [] for name in ("categories", "categories_nodes", "categories_segments", "categories_sizes")},
    }


def exclusive_thresholds(highest: Floats) -> Floats:
    """The 32-bit numbers t for which ``x < t`` is the same as ``x <= highest``, for every 32-bit x."""
    with np.errstate(over="ignore"):
        nearest = highest.astype(np.float32)
        above = np.where(nearest > highest, nearest, np.nextafter(nearest, np.float32(np.inf)))
    return np.minimum(above.astype(np.float64), _LARGEST)


def _to_ubj(gradient_booster: dict[str, Any], columns: Sequence[str], objective: Objective) -> bytes:
    import xgboost

    several = objective.task == "multiclass"
    outputs = objective.classes if several else 1
    parameters = {"softmax_multiclass_param": {"num_class": str(outputs)}} if several else {}
    document = {
        "learner": {
            "attributes": {},
            "feature_names": list(columns),
            "feature_types": [],
            "gradient_booster": gradient_booster,
            "learner_model_param": {
                "base_score": json.dumps([_NO_BASE[objective.task]] * outputs),
                "boost_from_average": "0",
                "num_class": str(outputs if several else 0),
                "num_feature": str(len(columns)),
                "num_target": "1",
            },
            "objective": {"name": _OBJECTIVES[objective.task], **parameters},
        },
        "version": _VERSION,
    }
    booster = xgboost.Booster()
    booster.load_model(bytearray(json.dumps(document).encode()))
    return bytes(booster.save_raw("ubj"))
