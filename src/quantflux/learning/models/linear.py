"""Linear regression with a penalty: ridge, lasso and elastic net.

Features and label are counted in their weighted standard deviations, z and y. Coefficients b minimise

    1/2 mean of (y - z b)^2 + alpha * (l1_ratio * sum |b| + (1 - l1_ratio) / 2 * sum b^2)

which is scikit-learn's elastic net; ridge is l1_ratio 0 and lasso 1. One pass adds up the products of features and
label (`_products`), and only these are needed afterwards, so memory does not grow with the sample.

Without an `alpha`, as many penalties as `n_alphas` says are tried on the valid sample, from the strongest down, and
the best one is kept. A missing value counts as the mean.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from quantflux.expressions.kernels.contract import jit
from quantflux.learning.models.contract import Progress, Report, Request, Scaling
from quantflux.learning.models.fitted import Fitted, named, numbers, read_head, read_json, shares
from quantflux.learning.models.moments import Standard, label_units, standard_of
from quantflux.learning.models.parameters import Number, Parameter, Whole
from quantflux.learning.models.stretches import something, stretches
from quantflux.learning.models.watching import Watch
from quantflux.learning.samples import Sample

TASKS = ("regression",)

_PATH: Mapping[str, Parameter] = {
    "alpha": Number(None, 0.0),
    "n_alphas": Whole(30, 1, 1000),
    "early_stopping_rounds": Whole(10, 0),
}
_ITERATIONS: Mapping[str, Parameter] = {"max_iter": Whole(2000, 1), "tol": Number(1e-7, 0.0, 1.0)}
OF_KINDS: Mapping[str, Mapping[str, Parameter]] = {
    "ridge": _PATH,
    "lasso": {**_PATH, **_ITERATIONS},
    "elastic_net": {**_PATH, **_ITERATIONS, "l1_ratio": Number(0.5, 0.01, 1.0)},
}

# Without a valid sample. Coefficients of independent features become a tenth smaller by such a ridge; features whose
# correlation with the label is below 0.002 are left out by such a lasso or elastic net.
_ALPHA_ALONE = {"ridge": 0.1, "lasso": 0.002, "elastic_net": 0.004}
_RIDGE_FROM, _RANGE = 100.0, 1e-4  # strongest ridge, and the weakest penalty as a part of the strongest
_JSON = "model.json"


class LinearLearner:
    """Fits linear regressions: see `contract.Learner`.

    Parameters
    ----------
    request : Request
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        fixed = {"ridge": 0.0, "lasso": 1.0}
        self._l1_ratio = fixed.get(request.kind, request.parameters.get("l1_ratio", 0.0))

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
    ) -> LinearPredictor:
        """Learn from a sample: see `contract.Learner`. A round is a penalty that is tried."""
        something(train, self.request.kind)
        tries = self.request.parameters["n_alphas"] if self._tries(valid) else 1
        watch = Watch(tries, self.request.parameters["early_stopping_rounds"], progress, cancelled, report)
        watch.begin()
        standard = standard_of(train, scaler, watch.check)
        units = label_units(train)
        learnt = _products(train, scaler, standard, units, watch.check)
        checked = None if valid is None else _products(valid, scaler, standard, units, watch.check)
        chosen = self._best(learnt, checked, watch)
        head = named(self.request, len(train.names), watch.best or 1)
        return LinearPredictor(units[0], chosen * units[1], standard, **head)

    def _tries(self, valid: Sample | None) -> bool:
        return valid is not None and self.request.parameters["alpha"] is None

    def _best(self, learnt: _Products, checked: _Products | None, watch: Watch) -> np.ndarray:
        """Return coefficients with the penalty that is asked for, or the best of many."""
        coefficients = np.zeros(len(learnt.with_label))
        chosen = coefficients
        for number, alpha in enumerate(self._alphas(learnt, watch.rounds), start=1):
            coefficients = self._solved(learnt, alpha, coefficients)
            score = None if checked is None else -checked.mean_squared_error(coefficients)
            last = watch.after(number, score)
            if score is None or watch.best == number:
                chosen = coefficients
            if last:
                break
        return chosen

    def _alphas(self, learnt: _Products, count: int) -> np.ndarray:
        given = self.request.parameters["alpha"]
        if given is not None:
            return np.array([given])
        if count == 1:
            return np.array([_ALPHA_ALONE[self.request.kind]])
        # The weakest penalty that leaves no feature in.
        strongest = _RIDGE_FROM
        if self._l1_ratio:
            strongest = max(float(np.abs(learnt.with_label).max()), 1e-12) / self._l1_ratio
        return np.asarray(strongest * np.geomspace(1.0, _RANGE, count))

    def _solved(self, learnt: _Products, alpha: float, start: np.ndarray) -> np.ndarray:
        if not self._l1_ratio:
            # The pseudo-inverse, for features that are the same, or never vary, with no penalty to part them.
            penalised = learnt.of_features + alpha * np.eye(len(start))
            return np.asarray(np.linalg.lstsq(penalised, learnt.with_label, rcond=1e-12)[0])
        found = start.copy()
        chosen = self.request.parameters
        lasso, ridge = alpha * self._l1_ratio, alpha * (1 - self._l1_ratio)
        _descend(
            learnt.of_features, learnt.with_label, lasso, ridge, chosen["max_iter"], chosen["tol"], found
        )
        return found


class LinearPredictor(Fitted):
    """A constant and a coefficient a feature.

    Parameters
    ----------
    constant : float
        What is predicted where all features are at their mean.
    coefficients : array of float64, shape (F,)
        Per standard deviation of the feature.
    standard : Standard
    **head
        What `Fitted` is made of.
    """

    def __init__(self, constant: float, coefficients: np.ndarray, standard: Standard, **head: Any) -> None:
        super().__init__(**head)
        self.constant, self.coefficients, self.standard = constant, coefficients, standard

    def _scores(self, block: np.ndarray) -> np.ndarray:
        # Not a matrix product: that would round by how many rows there are.
        return np.asarray((self.standard.apply(block) * self.coefficients).sum(axis=1) + self.constant)

    def _added(self, block: np.ndarray) -> np.ndarray:
        added = self.standard.apply(block) * self.coefficients
        return np.column_stack([added, np.full(len(block), self.constant)])

    def importance(self) -> np.ndarray:
        """Return the share of each feature in the sum of absolute coefficients, shape (F,)."""
        return shares(np.abs(self.coefficients))

    def save(self, folder: Path) -> None:
        """Write `predictor.json` and the numbers, exactly, as JSON."""
        self._save_head(folder)
        values = {
            "constant": self.constant,
            "coefficients": self.coefficients.tolist(),
            "mean": self.standard.mean.tolist(),
            "deviation": self.standard.deviation.tolist(),
        }
        (folder / _JSON).write_text(json.dumps(values, allow_nan=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, threads: int) -> Self:
        """Read what `save` wrote; `StoreCorrupt` names the file that is damaged."""
        head, path = read_head(folder, threads), folder / _JSON
        values = read_json(path)
        constant = numbers(values.get("constant"), (), path)
        of_features = [
            numbers(values.get(name), (head["features"],), path)
            for name in ("coefficients", "mean", "deviation")
        ]
        return cls(float(constant), of_features[0], Standard(of_features[1], of_features[2]), **head)


@dataclass(frozen=True, eq=False)
class _Products:
    """Weighted means of products over a sample: of features, of features and label, of the label with itself."""

    of_features: np.ndarray
    with_label: np.ndarray
    of_label: float

    def mean_squared_error(self, coefficients: np.ndarray) -> float:
        """Return the error of a fit, in variances of the train sample's label."""
        explained = coefficients @ self.of_features @ coefficients
        return float(self.of_label - 2 * self.with_label @ coefficients + explained)


def _products(
    sample: Sample,
    scaler: Scaling,
    standard: Standard,
    units: tuple[float, float],
    check: Callable[[], None],
) -> _Products:
    features = len(sample.names)
    total = float(sample.weight.sum(dtype=np.float64))
    of_features, with_label, of_label = np.zeros((features, features)), np.zeros(features), 0.0
    for part, values in stretches(sample, scaler):
        check()
        moved = standard.apply(values)
        label = (sample.label[part] - units[0]) / (units[1] or 1.0)
        weighted = moved * (sample.weight[part, None] / total)
        of_features += weighted.T @ moved
        with_label += label @ weighted
        of_label += float(np.sum(label**2 * (sample.weight[part] / total)))
    return _Products(of_features, with_label, of_label)


@jit
def _descend(
    products: np.ndarray,
    with_label: np.ndarray,
    lasso: float,
    ridge: float,
    most: int,
    tolerance: float,
    found: np.ndarray,
) -> None:
    """Move one coefficient after the other to where the objective is least, until none moves any more."""
    gradient = with_label - products @ found
    for _ in range(most):
        furthest = 0.0
        for place in range(len(found)):
            own = products[place, place]
            if own == 0.0:
                continue
            before = found[place]
            pull = gradient[place] + own * before
            after = np.sign(pull) * max(abs(pull) - lasso, 0.0) / (own + ridge)
            if after != before:
                gradient -= products[:, place] * (after - before)
                found[place] = after
                furthest = max(furthest, abs(after - before))
        if furthest <= tolerance:
            break
