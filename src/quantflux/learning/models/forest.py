"""Random forests: trees of scikit-learn, kept and walked as a model of LightGBM.

1. Each tree draws cells with replacement, gathers those alone, and grows on them (`_grown`): a forest over a market
   takes the memory of a few draws. Trees grow side by side; each has a seed of its own.
2. A tree of classes is one that fits the indicator of each class: the mean squared error of indicators is Gini's
   impurity, so it is the usual tree.
3. The trees are written as LightGBM's text (`forest_text`): nothing in it runs when it is read, and LightGBM walks
   and explains trees fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
from lightgbm import Booster
from sklearn.tree import DecisionTreeRegressor

from quantflux.learning.models.contract import Progress, Report, Request, Scaling
from quantflux.learning.models.fitted import named
from quantflux.learning.models.forest_text import forest_text
from quantflux.learning.models.lightgbm import LightgbmPredictor
from quantflux.learning.models.parameters import Number, Parameter, Whole
from quantflux.learning.models.stretches import drawn, matrix, something
from quantflux.learning.models.watching import Watch
from quantflux.learning.samples import Sample

TASKS = ("regression", "classification")

PARAMETERS: Mapping[str, Parameter] = {
    "n_estimators": Whole(200, 1, 10_000),
    "max_depth": Whole(10, 1, 100),
    "min_samples_split": Whole(2, 2),
    "min_samples_leaf": Whole(50, 1),
    "max_features": Number(0.33, 1e-6, 1.0),
    "max_samples": Whole(50_000, 1),
}
"""Those of scikit-learn by its names; `max_samples` is a number of cells, and all if there are fewer."""

_SCORED_ON = 50_000  # cells of the valid sample, where somebody wants to know how a forest comes along


class ForestLearner:
    """Fits random forests: see `contract.Learner`.

    Parameters
    ----------
    request : Request
    """

    def __init__(self, request: Request) -> None:
        self.request = request

    def fit(
        self,
        train: Sample,
        valid: Sample | None,
        *,
        scaler: Scaling,
        share: bool = False,
        progress: Progress,
        cancelled: Callable[[], bool],
        report: Report | None = None,
    ) -> ForestPredictor:
        """Learn from a sample: see `contract.Learner`. A round is a tree; more trees are never worse, so all grow."""
        something(train, self.request.kind)
        count = self.request.parameters["n_estimators"]
        watch = Watch(count, 0, progress, cancelled, report)
        watch.begin()
        score = _Score(drawn(valid, _SCORED_ON), scaler, self.request.classes) if valid and report else None
        trees: list[DecisionTreeRegressor] = []
        with ThreadPoolExecutor(self.request.threads) as pool:
            for first in range(0, count, self.request.threads):
                numbers = range(first, min(first + self.request.threads, count))
                for tree in pool.map(lambda number: self._grown(train, scaler, number), numbers):
                    trees.append(tree)
                    watch.after(len(trees), score.with_tree(tree) if score else None)
        # Once through LightGBM, which writes where each tree begins: that makes reading quick.
        text = Booster(
            model_str=forest_text([tree.tree_ for tree in trees], len(train.names))
        ).model_to_string()
        return ForestPredictor(text, **named(self.request, len(train.names), count))

    def _grown(self, train: Sample, scaler: Scaling, number: int) -> DecisionTreeRegressor:
        chosen = self.request.parameters
        random = np.random.default_rng([self.request.seed, number])
        draws = random.integers(len(train), size=min(chosen["max_samples"], len(train)))
        places, times = np.unique(draws, return_counts=True)
        cells = Sample(train.dataset, train.places[places])
        tree = DecisionTreeRegressor(
            max_depth=chosen["max_depth"],
            min_samples_split=chosen["min_samples_split"],
            min_samples_leaf=chosen["min_samples_leaf"],
            max_features=chosen["max_features"],
            random_state=int(random.integers(2**31)),
        )
        wanted = _wanted(cells.label, self.request.classes)
        return tree.fit(matrix(cells, scaler), wanted, sample_weight=cells.weight * times)


class ForestPredictor(LightgbmPredictor):
    """A forest that LightGBM walks. Scores of classes are their probabilities already."""

    softmax_scores: ClassVar[bool] = False


class _Score:
    """How a growing forest does on the valid sample."""

    def __init__(self, valid: Sample, scaler: Scaling, classes: int) -> None:
        self._features, self._weight = matrix(valid, scaler), valid.weight
        self._wanted = _wanted(valid.label, classes)
        self._sum, self._trees = np.zeros_like(self._wanted), 0

    def with_tree(self, tree: DecisionTreeRegressor) -> float:
        """Return minus the mean squared error, of one more tree."""
        self._sum += tree.predict(self._features).reshape(self._sum.shape)
        self._trees += 1
        error = ((self._sum / self._trees - self._wanted) ** 2).mean(axis=1)
        return -float(np.average(error, weights=self._weight))


def _wanted(label: np.ndarray, classes: int) -> np.ndarray:
    """Return what trees fit, shape (K, 1), or (K, C) for classes."""
    if classes:
        return np.asarray(label[:, None] == np.arange(classes), dtype=np.float64)
    return np.asarray(label[:, None], dtype=np.float64)
