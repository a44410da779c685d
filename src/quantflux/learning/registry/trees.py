"""Checks the text of a model of LightGBM, which trusts what it reads.

A damaged text makes LightGBM read or write where nothing of it is, or walk a tree for ever, perhaps only for some rows.
Here every count is that of what follows, every feature and child exists, and a child comes behind its parent, so that
every walk ends.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

_TREE = re.compile(r"^Tree=", re.MULTILINE)
_END = "end of trees"
_MOST_TREES = 1_000_000
_INNER = ("split_feature", "threshold", "decision_type", "left_child", "right_child")
_OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
_OF_NODES = ("split_gain", "internal_value", "internal_weight", "internal_count")
_OF_TREE = ("num_leaves", "num_cat", "is_linear", "shrinkage")
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
_NUMBER = re.compile(r"[0-9]{1,12}")
_OF_HEAD: Mapping[str, re.Pattern[str]] = {
    "version": re.compile("v4"),
    "num_class": _NUMBER,
    "num_tree_per_iteration": _NUMBER,
    "label_index": re.compile("0"),
    "max_feature_idx": _NUMBER,
    "objective": re.compile(r"[a-z][a-z0-9_]*( [a-z_]+:[-+.0-9e]+)*"),
    "feature_names": re.compile(r"[A-Za-z0-9_]+( [A-Za-z0-9_]+)*"),
    "feature_infos": re.compile(rf"(none|\[{_FLOAT}:{_FLOAT}\])( (none|\[{_FLOAT}:{_FLOAT}\]))*"),
    "tree_sizes": re.compile(r"[0-9]{1,12}( [0-9]{1,12})*"),
}
_DECISIONS = (0, 2, 4, 6, 8, 10)  # what is missing, and where it goes; odd ones are of categories


def problem_of_trees(path: Path) -> str:
    """Say what is wrong with a text of LightGBM; nothing if it can be read and walked."""
    try:
        text = path.read_bytes().decode("ascii")
        # What may follow are parameters, whose damage ends the process now and then. No prediction needs them.
        end = len(text.rstrip("\n")) - len(_END)
        _need(text[:end].endswith("\n") and text.startswith(_END, end), f"it does not end with {_END!r}")
        starts = [found.start() for found in _TREE.finditer(text, 0, end)]
        _need(0 < len(starts) <= _MOST_TREES, f"it has {len(starts)} trees")
        features = _check_head(text[: starts[0]], [*starts, end])
        for number, (start, stop) in enumerate(itertools.pairwise([*starts, end])):
            lines = _lines(text[start:stop], {"Tree", *_INNER, *_OF_LEAVES, *_OF_NODES, *_OF_TREE})
            _need(lines["Tree"] == str(number), f"tree {number} is called {lines['Tree'][:20]}")
            _check_tree(lines, features, number)
    except (ValueError, KeyError, OverflowError) as error:
        return f"it has no sound trees: {error}"
    return ""


def _check_head(text: str, places: list[int]) -> int:
    """Check what stands before the trees, which begin and end at some places; return the number of features."""
    _need(text.startswith("tree\n"), "it does not begin with 'tree'")
    head = _lines(text[5:], _OF_HEAD.keys())
    for name, value in head.items():
        _need(bool(_OF_HEAD[name].fullmatch(value)), f"{name} is {value[:40]!r}")
    scores, trees, features = (
        int(head["num_tree_per_iteration"]),
        len(places) - 1,
        int(head["max_feature_idx"]) + 1,
    )
    _need(0 < scores <= 1000 and int(head["num_class"]) in (1, scores), "its classes and trees do not agree")
    _need(trees % scores == 0, f"it has {trees} trees for {scores} scores")
    _need(0 < features <= 1_000_000, f"it has {features} features")
    for name in ("feature_names", "feature_infos"):
        _need(len(head[name].split(" ")) == features, f"{name} has not {features} entries")
    if "tree_sizes" in head:
        sizes = [int(size) for size in head["tree_sizes"].split(" ")]
        _need(
            list(itertools.accumulate(sizes, initial=places[0])) == places,
            "tree_sizes are not those of its trees",
        )
    return features


def _check_tree(lines: Mapping[str, str], features: int, number: int) -> None:
    leaves = int(_numbers(lines, "num_leaves", 1)[0])
    at = f"tree {number}:"
    _need(lines["num_cat"] == "0" and lines.get("is_linear", "0") == "0", f"{at} it has categories or lines")
    _need(bool(_FLOATS.fullmatch(lines.get("shrinkage", "1"))), f"{at} it shrinks by no number")
    values = _numbers(lines, "leaf_value", leaves)
    _need(bool(np.isfinite(values).all()), f"{at} a leaf has no finite value")
    for name in _OF_LEAVES[1:]:
        if lines.get(name):
            _numbers(lines, name, leaves)
    if leaves == 1:
        return
    inner = leaves - 1
    feature, threshold, decision, *children = (_numbers(lines, name, inner) for name in _INNER)
    for name in _OF_NODES:
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


def _lines(text: str, known: Collection[str]) -> dict[str, str]:
    """Return the values of a part's lines by their names."""
    pairs = [line.partition("=") for line in text.split("\n") if line]
    named = {name: value for name, _, value in pairs}
    _need(len(named) == len(pairs), "a line is there twice")
    _need(named.keys() <= set(known), f"it has the line {next(iter(named.keys() - set(known)), '')[:40]!r}")
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
