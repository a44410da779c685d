"""Checks the JSON of a model of XGBoost, which trusts much of what it reads.

As for the text of LightGBM (`trees.py`): every feature, child and class exists, and every walk ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_FIELDS = (
    "left_children",
    "right_children",
    "split_indices",
    "split_conditions",
    "default_left",
    "split_type",
)
_NONE = -1


def problem_of_boosted(values: Mapping[str, Any]) -> str:
    """Say what is wrong with a model of XGBoost, of numeric features and one target; nothing if it can be walked."""
    try:
        learner = values["learner"]
        shape, booster = learner["learner_model_param"], learner["gradient_booster"]
        features, classes = int(shape["num_feature"]), max(int(shape["num_class"]), 1)
        if booster["name"] != "gbtree" or int(shape["num_target"]) != 1 or not 0 < features <= 1_000_000:
            return f"it is a {str(booster['name'])[:20]} of {features} features and {shape['num_target']} targets"
        model = booster["model"]
        trees, groups, ends = (
            model["trees"],
            np.array(model["tree_info"]),
            np.array(model["iteration_indptr"]),
        )
        if len(groups) != len(trees) or not ((groups >= 0) & (groups < classes)).all():
            return f"its {len(trees)} trees do not belong to {classes} scores"
        if ends[0] != 0 or ends[-1] != len(trees) or (np.diff(ends) < 0).any():
            return f"its rounds are not those of {len(trees)} trees"
        for number, tree in enumerate(trees):
            problem = _problem_of_tree(tree, features)
            if problem:
                return f"tree {number}: {problem}"
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        return f"it has no sound trees: {type(error).__name__} {error}"
    return ""


def _problem_of_tree(tree: Mapping[str, Any], features: int) -> str:
    shape = tree["tree_param"]
    nodes = int(shape["num_nodes"])
    if (
        int(shape["num_feature"]) != features
        or int(shape["size_leaf_vector"]) not in (0, 1)
        or tree["categories"]
    ):
        return "it has other features, more than one score a leaf, or categories"
    columns = [_column(tree[name], nodes) for name in _FIELDS]
    left, right, feature, threshold, default, sort = columns
    inner = left != _NONE
    children = np.concatenate([left[inner], right[inner]])
    if (right[~inner] != _NONE).any() or not ((children > 0) & (children < nodes)).all():
        return "it leads to a node that is not there, or back to the root"
    if (np.bincount(children.astype(np.int64), minlength=1) > 1).any():
        return "two ways lead to one node"  # without that, and none to the root, no walk from the root is endless
    if not ((feature[inner] >= 0) & (feature[inner] < features)).all():
        return "it splits a feature that is not there"
    if not np.isfinite(threshold).all() or not np.isin(default, (0, 1)).all() or sort.any():
        return "a threshold, a value or a way is none"
    return ""


def _column(values: Sequence[Any], nodes: int) -> np.ndarray:
    found = np.array(values, dtype=np.float64)
    if found.shape != (nodes,):
        raise ValueError(f"{found.shape} values for {nodes} nodes")
    return found
