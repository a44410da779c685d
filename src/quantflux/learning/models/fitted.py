"""What the fitted models of all families share: blocks of rows, missing cells, classes, and the file that names them.

Each family gives the scores of a block and what each feature adds to them; how a prediction follows is here.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from quantflux.core.errors import InvalidRequest, StoreCorrupt, Unsupported
from quantflux.learning.models.contract import TASKS, Request
from quantflux.learning.models.link import expected_class, softmax, through_softmax

HEAD = "predictor.json"

_PREDICTED_AT_ONCE = 65_536
_EXPLAINED_AT_ONCE = 8_192  # what features add has a number for each class and feature


class Fitted(ABC):
    """A fitted model: `contract.Predictor`, with two methods left to the family.

    Parameters
    ----------
    kind, task : str
    features, classes, rounds : int
    threads : int
        That predicting may take.
    """

    softmax_scores: ClassVar[bool] = True
    """Whether scores of classes become probabilities by softmax; else they are probabilities."""

    def __init__(self, kind: str, task: str, features: int, classes: int, rounds: int, threads: int) -> None:
        self.kind, self.task = kind, task
        self.features, self.classes, self.rounds, self.threads = features, classes, rounds, threads

    @abstractmethod
    def _scores(self, block: np.ndarray) -> np.ndarray:
        """Return scores, float64: shape (k,), or (k, C) for classes."""

    @abstractmethod
    def _added(self, block: np.ndarray) -> np.ndarray:
        """Return what features add to the prediction, and last what is predicted of nothing: float64, (k, F + 1)."""

    @abstractmethod
    def importance(self) -> np.ndarray:
        """Return the share of each feature in what was learnt, shape (F,): sums to 1, or 0 if none is used."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the model's files into a folder that exists."""

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predict the label of each row, shape (K,): see `contract.Predictor`."""
        found = np.full(len(features), np.nan)
        for rows, block in self._blocks(features, _PREDICTED_AT_ONCE):
            scores = self._scores(block)
            found[rows] = expected_class(self._likely(scores)) if self.classes else scores
        return found

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return the probability of each class, shape (K, C); `Unsupported` if the task is another one."""
        if not self.classes:
            raise Unsupported(
                f"this {self.kind} learnt {self.task}; probabilities are those of classification"
            )
        found = np.full((len(features), self.classes), np.nan)
        for rows, block in self._blocks(features, _PREDICTED_AT_ONCE):
            found[rows] = self._likely(self._scores(block))
        return found

    def contributions(self, features: np.ndarray) -> np.ndarray:
        """Return what each feature adds to the prediction, shape (K, F + 1): see `contract.Predictor`."""
        found = np.full((len(features), self.features + 1), np.nan)
        for rows, block in self._blocks(features, _EXPLAINED_AT_ONCE):
            found[rows] = self._added(block)
        return found

    def _linked(self, added: np.ndarray) -> np.ndarray:
        """Return what features add to the prediction if they add so much to scores, (k, C, F + 1) for classes."""
        if not self.classes:
            return added
        return through_softmax(added) if self.softmax_scores else expected_class(np.moveaxis(added, 1, -1))

    def _likely(self, scores: np.ndarray) -> np.ndarray:
        return softmax(scores) if self.softmax_scores else scores

    def _blocks(self, features: np.ndarray, most: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield rows that have any feature, and those features."""
        if features.ndim != 2 or features.shape[1] != self.features:
            raise InvalidRequest(
                f"features have the shape {features.shape}; this {self.kind} was fitted on {self.features} features, "
                f"valid is (rows, {self.features})"
            )
        for first in range(0, len(features), most):
            block = np.ascontiguousarray(features[first : first + most], dtype=np.float32)
            there = ~np.isnan(block).all(axis=1)
            if there.any():
                yield first + np.flatnonzero(there), block if there.all() else block[there]

    def _save_head(self, folder: Path, more: Mapping[str, Any] | None = None) -> None:
        named = ("kind", "task", "features", "classes", "rounds")
        values = {name: getattr(self, name) for name in named} | dict(more or {})
        (folder / HEAD).write_text(json.dumps(values, allow_nan=False) + "\n", encoding="utf-8")

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, threads: int) -> Self:
        """Read what `save` wrote; `StoreCorrupt` names the file that is damaged."""


def named(request: Request, features: int, rounds: int) -> dict[str, Any]:
    """Return what `Fitted` is made of."""
    return {
        "kind": request.kind,
        "task": request.task,
        "features": features,
        "classes": request.classes,
        "rounds": rounds,
        "threads": request.threads,
    }


def read_head(folder: Path, threads: int) -> dict[str, Any]:
    """Read what `Fitted` is made of; raises what `read_json` does."""
    path = folder / HEAD
    values = read_json(path)
    if not isinstance(values.get("kind"), str) or values.get("task") not in TASKS:
        raise StoreCorrupt(f"{path} does not name a kind and a task of {', '.join(TASKS)}", str(path))
    for name, low in (("features", 1), ("classes", 0), ("rounds", 0)):
        value = values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise StoreCorrupt(f"{path}: {name} is {value!r}; valid is a whole number from {low}", str(path))
    if (values["task"] == "classification") != (values["classes"] > 1):
        raise StoreCorrupt(f"{path}: {values['task']} with {values['classes']} classes", str(path))
    return {name: values[name] for name in ("kind", "task", "features", "classes", "rounds")} | {
        "threads": threads
    }


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file with an object at its top; `StoreCorrupt` if it is none."""
    try:
        values = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise StoreCorrupt(f"{path} is not JSON: {error}", str(path)) from None
    if not isinstance(values, dict):
        raise StoreCorrupt(f"{path} holds no JSON object", str(path))
    return values


def read_text(path: Path) -> str:
    """Read a text file of a model; `StoreCorrupt` if it cannot be."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreCorrupt(f"{path} cannot be read: {error}", str(path)) from error


def numbers(values: Any, shape: tuple[int, ...], path: Path) -> np.ndarray:
    """Return numbers of a JSON file as an array; `StoreCorrupt` if they are not finite or of another shape."""
    try:
        found = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.full(1, np.nan)
    if found.shape != shape or not np.isfinite(found).all():
        raise StoreCorrupt(
            f"{path}: wants finite numbers of shape {shape}, found {str(values)[:60]}", str(path)
        )
    return found


def shares(amounts: np.ndarray) -> np.ndarray:
    """Return amounts of at least 0 as parts of their sum; all 0 if that is 0."""
    total = float(amounts.sum())
    return np.asarray(amounts / total) if total > 0 else np.zeros(len(amounts))
