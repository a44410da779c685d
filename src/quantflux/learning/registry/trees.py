"""Checks the text of a model of LightGBM, which trusts what it reads.

A damaged text makes LightGBM read or write where nothing of it is, or walk a tree for ever, perhaps only for some rows.
Here every count is that of what follows, every feature and child exists, and a child comes behind its parent, so that
every walk ends.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_TREE = re.compile(r"^Tree=", re.MULTILINE)
_END = "end of trees\n"
_MOST_TREES = 1_000_000
_INNER = ("split_feature", "threshold", "decision_type", "left_child", "right_child")
_WHOLE = (
    "split_feature",
    "decision_type",
    "left_child",
    "right_child",
    "leaf_count",
    "internal_count",
    "num_leaves",
)
_INTEGERS = re.compile(r"-?[0-9]{1,18}( -?[0-9]{1,18})*")
_FLOAT = r"(-?([0-9]+(\.[0-9]*)?(e[-+]?[0-9]+)?|inf)|nan)"
_FLOATS = re.compile(f"{_FLOAT}( {_FLOAT})*")
_DECISIONS = (0, 2, 4, 6, 8, 10)  # what is missing, and where it goes; odd ones are of categories


def problem_of_trees(path: Path) -> str:
    """Say what is wrong with a text of LightGBM; nothing if it can be read and walked."""
    try:
        text = path.read_bytes().decode("ascii")
        end = text.index("\n" + _END) + 1
        starts = [found.start() for found in _TREE.finditer(text, 0, end)]
        _check_head(_lines(text[: starts[0]] if starts else text[:end]), text, starts, end)
        features = int(_lines(text[: starts[0]])["max_feature_idx"]) + 1
        for number, (start, stop) in enumerate(itertools.pairwise([*starts, end])):
            lines = _lines(text[start:stop])
            _need(lines["Tree"] == str(number), f"tree {number} is called {lines['Tree'][:20]}")
            _check_tree(lines, features, number)
    except (ValueError, KeyError, OverflowError) as error:
        return f"it has no sound trees: {error}"
    return ""


def _check_head(head: Mapping[str, str], text: str, starts: list[int], end: int) -> None:
    _need(0 < len(starts) <= _MOST_TREES, f"it has {len(starts)} trees")
    scores = int(head["num_tree_per_iteration"])
    _need(0 < scores <= 1000 and int(head["num_class"]) in (1, scores), "its classes and trees do not agree")
    _need(len(starts) % scores == 0, f"it has {len(starts)} trees for {scores} scores")
    features = int(head["max_feature_idx"]) + 1
    _need(0 < features <= 1_000_000, f"it has {features} features")
    for name in ("feature_names", "feature_infos"):
        _need(len(head[name].split(" ")) == features, f"{name} has not {features} entries")
    if "tree_sizes" in head:
        sizes = [int(size) for size in head["tree_sizes"].split(" ")]
        _need(
            list(itertools.accumulate(sizes, initial=starts[0])) == [*starts, end],
            "tree_sizes are not those of its trees",
        )
    _need(text.startswith("tree\n"), "it does not begin with 'tree'")


def _check_tree(lines: Mapping[str, str], features: int, number: int) -> None:
    leaves = int(_numbers(lines, "num_leaves", 1)[0])
    at = f"tree {number}:"
    _need(lines["num_cat"] == "0" and lines.get("is_linear", "0") == "0", f"{at} it has categories or lines")
    values = _numbers(lines, "leaf_value", leaves)
    _need(bool(np.isfinite(values).all()), f"{at} a leaf has no finite value")
    for name in ("leaf_weight", "leaf_count"):
        if lines.get(name):
            _numbers(lines, name, leaves)
    if leaves == 1:
        return
    inner = leaves - 1
    feature, threshold, decision, *children = (_numbers(lines, name, inner) for name in _INNER)
    for name in ("split_gain", "internal_value", "internal_weight", "internal_count"):
        if lines.get(name):
            _numbers(lines, name, inner)
    _need(bool(((feature >= 0) & (feature < features)).all()), f"{at} it splits a feature that is not there")
    _need(not np.isnan(threshold).any(), f"{at} a threshold is no number")
    _need(bool(np.isin(decision, _DECISIONS).all()), f"{at} it decides in an unknown way")
    here = np.arange(inner)
    for child in children:
        node, leaf = child[child >= 0], -child[child < 0] - 1
        _need(
            bool((node < inner).all() and (leaf < leaves).all()), f"{at} it leads to a node that is not there"
        )
        _need(bool((node > here[child >= 0]).all()), f"{at} it leads back")


def _lines(text: str) -> dict[str, str]:
    """Return the values of a part's lines by their names."""
    pairs = [line.partition("=") for line in text.split("\n") if line]
    named = {name: value for name, _, value in pairs}
    _need(len(named) == len(pairs), "a line is there twice")
    return named


def _numbers(lines: Mapping[str, str], name: str, count: int) -> np.ndarray:
    whole = name in _WHOLE
    _need(bool((_INTEGERS if whole else _FLOATS).fullmatch(lines[name])), f"{name} holds what is no number")
    found = np.array(lines[name].split(" "), dtype=np.int64 if whole else np.float64)
    _need(len(found) == count, f"{name} has {len(found)} numbers and should have {count}")
    return found


def _need(truth: bool, otherwise: str) -> None:
    if not truth:
        raise ValueError(otherwise)
