"""Checks ``model.ubj`` before XGBoost reads it: a damaged one could kill the process, or never end a prediction.

What is checked here is what XGBoost takes for granted: that nodes form trees, that numbers lead to things that exist,
and that answers stay finite. Whether the model is the one that was trained is what the digests in model.json say.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.models._ubjson import read_ubjson

_OBJECTIVES = ("binary:logistic", "multi:softprob", "reg:squarederror", "survival:aft")
_NO_NODE = -1
_ROOT_PARENT = 2**31 - 1
# XGBoost explains trees by recursion, so they must not be deeper than its stack. Trainers stop far earlier.
_DEEPEST = 512
_MOST_CLASSES = 10_000
# Sums of leaves or weights below this stay finite as 32-bit numbers.
_LARGEST_SUM = 1e30
# A child has a part of its parent's rows. Much more would make its explanations infinite; rounding makes a little more.
_HEAVIEST_CHILD = 10
_INTEGERS = ("left_children", "right_children", "parents", "split_indices", "default_left", "split_type")
_FLOATS = ("split_conditions", "base_weights", "loss_changes", "sum_hessian")
_NO_CATEGORIES = ("categories", "categories_nodes", "categories_segments", "categories_sizes")


def check_booster(content: bytes) -> None:
    """Checks the bytes of ``model.ubj``.

    Raises:
        ValueError: XGBoost cannot read them safely; the message says what is wrong, and where.
    """
    try:
        learner = _object(read_ubjson(content), "learner")
        groups, columns = _parameters(learner)
        booster = _object(learner, "gradient_booster")
        name, model = booster.get("name"), _object(booster, "model")
        if name == "gbtree":
            _check_trees(model, groups, columns)
        elif name == "gblinear":
            _check_weights(model, groups, columns)
        else:
            raise ValueError(f"gradient_booster {str(name)[:40]!r} is not one of ours")
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"a part is missing or of another kind: {error}") from error


def _parameters(learner: dict[str, Any]) -> tuple[int, int]:
    """How many numbers the model answers with a row, and how many columns it reads."""
    parameters = _object(learner, "learner_model_param")
    classes, columns = _count(parameters, "num_class", _MOST_CLASSES), _count(parameters, "num_feature")
    groups = max(classes, 1)
    if parameters.get("num_target", "1") != "1" or parameters.get("boost_from_average", "1") not in ("0", "1"):
        raise ValueError("learner_model_param: num_target must be 1, and boost_from_average 0 or 1")
    base = np.atleast_1d(np.asarray(json.loads(parameters["base_score"]), dtype=np.float64))
    if base.shape not in ((1,), (groups,)) or not np.isfinite(base).all():
        raise ValueError("learner_model_param: base_score is not a finite number for each answer")
    objective = _object(learner, "objective")
    if objective.get("name") not in _OBJECTIVES or (objective["name"] == "multi:softprob") != (classes > 1):
        raise ValueError(f"objective {str(objective.get('name'))[:40]!r} with {classes} classes is not one of ours")
    if classes > 1 and _object(objective, "softmax_multiclass_param").get("num_class") != parameters["num_class"]:
        raise ValueError("objective: num_class differs from learner_model_param")
    if objective["name"] == "survival:aft" and not (base > 0).all():
        raise ValueError("learner_model_param: base_score of times must be above 0")
    names, kinds = learner["feature_names"], learner["feature_types"]
    if len(names) not in (0, columns) or len(set(names)) != len(names) or not all(isinstance(n, str) for n in names):
        raise ValueError(f"feature_names are not {columns} different texts")
    if len(kinds) not in (0, columns) or not all(kind in ("float", "int", "i", "q") for kind in kinds):
        raise ValueError("feature_types are not those of numbers")
    if not all(isinstance(text, str) for text in _object(learner, "attributes").values()):
        raise ValueError("attributes must be texts")
    return groups, columns


def _check_weights(model: dict[str, Any], groups: int, columns: int) -> None:
    weights = np.asarray(model["weights"], dtype=np.float64)
    if weights.shape != ((columns + 1) * groups,):
        raise ValueError(f"gblinear has {weights.size} weights for {columns} columns and {groups} answers")
    if not np.abs(weights).sum() < _LARGEST_SUM:
        raise ValueError("the weights of gblinear are infinite or too large")


def _check_trees(model: dict[str, Any], groups: int, columns: int) -> None:
    trees, owners = model["trees"], np.asarray(model["tree_info"])
    size = _object(model, "gbtree_model_param")
    if _count(size, "num_trees") != len(trees) or size.get("num_parallel_tree", "1") != "1":
        raise ValueError("gbtree_model_param does not describe the trees")
    if owners.shape != (len(trees),) or not _within(owners, 0, groups):
        raise ValueError("tree_info does not name an answer for each tree")
    # Models from before XGBoost 2 have no iteration_indptr; it is then one round for each tree of each answer.
    rounds = np.asarray(model.get("iteration_indptr", range(0, len(trees) + 1, groups)))
    if rounds.ndim != 1 or len(rounds) != len(trees) // groups + 1 or (rounds != np.arange(len(rounds)) * groups).any():
        raise ValueError("iteration_indptr does not divide the trees into rounds")
    if any(len(part) for part in model.get("cats", {}).values()):
        raise ValueError("the model has categories of its own, which our models never have")
    largest = 0.0
    for number, tree in enumerate(trees):
        try:
            largest += _check_tree(tree, number, columns)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"tree {number}: {error}") from error
    if not largest < _LARGEST_SUM:
        raise ValueError("the leaves are infinite or too large")


def _check_tree(tree: dict[str, Any], number: int, columns: int) -> float:
    """The largest leaf of a tree that holds together."""
    size = _object(tree, "tree_param")
    nodes = _count(size, "num_nodes")
    if tree["id"] != number or nodes < 1 or _count(size, "num_deleted") >= nodes:
        raise ValueError("id, num_nodes and num_deleted do not fit together")
    if _count(size, "num_feature") != columns or _count(size, "size_leaf_vector") > 1:
        raise ValueError(f"tree_param is not of {columns} columns and one number a leaf")
    fields = {name: np.asarray(tree[name]) for name in (*_INTEGERS, *_FLOATS)}
    for name, field in fields.items():
        if field.shape != (nodes,) or (field.dtype.kind in "iu") != (name in _INTEGERS):
            raise ValueError(f"{name} is not {nodes} numbers of its kind")
    if any(len(tree[name]) for name in _NO_CATEGORIES) or fields["split_type"].any():
        raise ValueError("a split by category, which our models never have")
    _check_nodes(fields, columns)
    return float(np.abs(fields["split_conditions"][fields["left_children"] == _NO_NODE]).max(initial=0))


def _check_nodes(fields: dict[str, NDArray[Any]], columns: int) -> None:
    left, right, parents = (fields[name].astype(np.int64) for name in ("left_children", "right_children", "parents"))
    inner = left != _NO_NODE
    if ((right != _NO_NODE) != inner).any():
        raise ValueError("a node has one child only")
    children = np.concatenate([left[inner], right[inner]])
    if not _within(children, 1, len(left)) or len(np.unique(children)) != len(children):
        raise ValueError("a child is the root, does not exist, or has two parents")
    if (parents[children] != np.tile(np.flatnonzero(inner), 2)).any() or parents[0] != _ROOT_PARENT:
        raise ValueError("a node does not know its parent")
    if not _within(fields["split_indices"][inner], 0, columns) or not _within(fields["default_left"], 0, 2):
        raise ValueError("a split is by a column that does not exist")
    if not all(np.isfinite(fields[name]).all() for name in ("split_conditions", "base_weights", "sum_hessian")):
        raise ValueError("a number is infinite")
    if (fields["sum_hessian"] < 0).any() or (fields["sum_hessian"][inner] == 0).any():
        raise ValueError("sum_hessian is below 0, or 0 at a split")
    weight = fields["sum_hessian"].astype(np.float64)
    if (np.maximum(weight[left], weight[right])[inner] > _HEAVIEST_CHILD * weight[inner] + 1).any():
        raise ValueError("sum_hessian of a child is far above that of its parent")
    # No node has two parents and the root has none, so going down from the root ends.
    level, depth = np.array([0]), 0
    while len(level := level[inner[level]]):
        level, depth = np.concatenate([left[level], right[level]]), depth + 1
        if depth > _DEEPEST:
            raise ValueError(f"it is deeper than {_DEEPEST} levels")


def _object(document: Any, name: str) -> dict[str, Any]:
    part = document.get(name) if isinstance(document, dict) else None
    if not isinstance(part, dict):
        raise ValueError(f"{name} is missing")  # noqa: TRY004 - what is wrong is the file
    return part


def _count(parameters: dict[str, Any], name: str, most: int = 2**31 - 1) -> int:
    """A whole number, which XGBoost writes as a text."""
    text = parameters.get(name)
    if not (isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= most):
        raise ValueError(f"{name} is {str(text)[:40]!r}, not a whole number up to {most}")
    return int(text)


def _within(numbers: NDArray[Any], first: int, end: int) -> bool:
    return bool(((numbers >= first) & (numbers < end)).all())
