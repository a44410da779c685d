"""Writes trees of scikit-learn as a model of LightGBM.

Both send a cell to the left where a feature is at most a threshold, and keep for each node where missing values go.
Nodes and leaves are numbered apart in LightGBM: child c >= 0 is node c, and c < 0 is leaf -c - 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

_MISSING_IS_NAN, _MISSING_GOES_LEFT = 8, 2  # LightGBM's decision types
_LARGEST = float(np.finfo(np.float64).max)


def forest_text(trees: Sequence[Any], features: int) -> str:
    """Return the text of a model whose scores are the mean of trees' values.

    Parameters
    ----------
    trees : sequence of sklearn.tree._tree.Tree
        With the same number of outputs, which are the model's scores.
    features : int
    """
    outputs = trees[0].n_outputs
    head = [
        "tree",
        "version=v4",
        f"num_class={outputs}",
        f"num_tree_per_iteration={outputs}",
        "label_index=0",
        f"max_feature_idx={features - 1}",
        _line("feature_names", (f"Column_{place}" for place in range(features))),
        _line("feature_infos", ("[-inf:inf]" for _ in range(features))),
    ]
    blocks = [
        "\n".join([f"Tree={number * outputs + output}", *_tree(tree, output, len(trees))])
        for number, tree in enumerate(trees)
        for output in range(outputs)
    ]
    return "\n\n".join(["\n".join(head), *blocks, "end of trees", ""])


def _tree(tree: Any, output: int, parts: int) -> list[str]:
    """Return the lines of one tree, whose values count as one of so many parts."""
    inner = tree.children_left >= 0
    number = np.where(inner, np.cumsum(inner) - 1, -np.cumsum(~inner))
    value, cells, weight = tree.value[:, output, 0] / parts, tree.n_node_samples, tree.weighted_n_node_samples
    lines = [f"num_leaves={int((~inner).sum())}", "num_cat=0"]
    if inner.any():
        left, right = tree.children_left[inner], tree.children_right[inner]
        impurity = tree.impurity * weight
        gain = np.maximum(impurity[inner] - impurity[left] - impurity[right], 0.0)
        lines += [
            _line("split_feature", tree.feature[inner].tolist()),
            _line("split_gain", gain.tolist()),
            # An infinite threshold parts what is missing from what is not.
            _line("threshold", np.minimum(tree.threshold[inner], _LARGEST).tolist()),
            _line(
                "decision_type",
                (_MISSING_IS_NAN + _MISSING_GOES_LEFT * (tree.missing_go_to_left[inner] > 0)).tolist(),
            ),
            _line("left_child", number[left].tolist()),
            _line("right_child", number[right].tolist()),
        ]
    lines += _figures("leaf", value[~inner], weight[~inner], cells[~inner])
    if inner.any():
        lines += _figures("internal", value[inner], weight[inner], cells[inner])
    return [*lines, "is_linear=0", "shrinkage=1", ""]


def _figures(of: str, value: np.ndarray, weight: np.ndarray, cells: np.ndarray) -> list[str]:
    amounts = (("value", value), ("weight", weight), ("count", cells))
    return [_line(f"{of}_{name}", amount.tolist()) for name, amount in amounts]


def _line(name: str, values: Iterable[Any]) -> str:
    return f"{name}={' '.join(map(str, values))}"
