"""Neural networks of some hidden layers, fitted by scikit-learn.

1. Features are standardised by the train sample and cut off at five deviations; a missing one counts as the mean.
   The label of a regression is standardised too.
2. An epoch takes the train sample stretch by stretch, in an order that changes, and each stretch in random batches.
   After an epoch the valid sample says whether it helped; the best epoch's weights are kept.
3. The weights are kept as JSON, and a few matrix products predict.
4. What features add is found by DeepLIFT's rescale rule (Shrikumar, Greenside and Kundaje 2017) against a cell whose
   features are all at their mean: layer by layer, a change of output is shared out by the changes of inputs. It adds
   up exactly, which Shapley values by sampling would not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import threadpool_limits

from quantflux.core.errors import StoreCorrupt
from quantflux.learning.models.contract import Progress, Report, Request, Scaling
from quantflux.learning.models.fitted import Fitted, named, numbers, read_head, read_json, shares
from quantflux.learning.models.layers import ACTIVATIONS, Layers
from quantflux.learning.models.link import softmax
from quantflux.learning.models.moments import Standard, label_units, standard_of
from quantflux.learning.models.parameters import Choice, Number, Parameter, Sizes, Whole
from quantflux.learning.models.stretches import drawn, gathered, matrix, rows_at_once, something
from quantflux.learning.models.watching import Watch
from quantflux.learning.samples import Sample

TASKS = ("regression", "classification")

PARAMETERS: Mapping[str, Parameter] = {
    "hidden_layer_sizes": Sizes((64, 32)),
    "activation": Choice("relu", ACTIVATIONS),
    "alpha": Number(1e-4, 0.0),
    "learning_rate_init": Number(1e-3, 1e-9, 1.0),
    "batch_size": Whole(2048, 1),
    "max_iter": Whole(50, 1, 100_000),
    "early_stopping_rounds": Whole(5, 0),
}
"""Those of scikit-learn by its names; an epoch is a round."""

ALIASES: Mapping[str, str] = {"n_iter_no_change": "early_stopping_rounds", "n_estimators": "max_iter"}

_BOUND = 5.0  # deviations: one wild value must not drown all others
_SCORED_ON, _WEIGHED_ON = (
    100_000,
    2_000,
)  # cells of the valid sample, and of the train sample for the importance
_JSON = "model.json"


class MlpLearner:
    """Fits networks: see `contract.Learner`.

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
    ) -> MlpPredictor:
        """Learn from a sample: see `contract.Learner`. A round is an epoch."""
        something(train, self.request.kind)
        chosen = self.request.parameters
        watch = Watch(chosen["max_iter"], chosen["early_stopping_rounds"], progress, cancelled, report)
        watch.begin()
        with threadpool_limits(limits=self.request.threads, user_api="blas"):
            fitting = _Fitting(self.request, train, scaler, standard_of(train, scaler, watch.check))
            score = None if valid is None else _Score(fitting, drawn(valid, _SCORED_ON))
            for epoch in range(1, chosen["max_iter"] + 1):
                fitting.epoch(watch.check)
                layers = fitting.layers()
                last = watch.after(epoch, None if score is None else score.of(layers))
                if watch.best in (0, epoch):
                    kept = layers
                if last:
                    break
            head = named(self.request, len(train.names), watch.best or chosen["max_iter"])
            cells = matrix(drawn(train, _WEIGHED_ON), scaler)
            return MlpPredictor(kept, fitting.standard, fitting.label, **head).weighed_on(cells)


class MlpPredictor(Fitted):
    """A network of layers.

    Parameters
    ----------
    layers : Layers
    standard : Standard
        Of the features.
    label : tuple of float
        What the outputs of a regression are moved by, after they were multiplied by the second number.
    weighed : array of float64, shape (F,), optional
        Mean of what each feature adds, whichever way.
    **head
        What `Fitted` is made of.
    """

    def __init__(
        self,
        layers: Layers,
        standard: Standard,
        label: tuple[float, float],
        weighed: np.ndarray | None = None,
        **head: Any,
    ) -> None:
        super().__init__(**head)
        self.layers, self.standard, self.label = layers, standard, label
        self._weighed = np.zeros(self.features) if weighed is None else weighed

    def weighed_on(self, features: np.ndarray) -> Self:
        """Return the same network, with its importance measured on some cells."""
        added = np.abs(self.contributions(features)[:, :-1])
        known = added[~np.isnan(added).any(axis=1)]
        self._weighed = known.mean(axis=0) if len(known) else np.zeros(self.features)
        return self

    def _scores(self, block: np.ndarray) -> np.ndarray:
        with threadpool_limits(limits=self.threads, user_api="blas"):
            found = self.layers.outputs(_inputs(self.standard, block))
        return found if self.classes else found[:, 0] * self.label[1] + self.label[0]

    def _added(self, block: np.ndarray) -> np.ndarray:
        with threadpool_limits(limits=self.threads, user_api="blas"):
            found = self.layers.added(_inputs(self.standard, block))
        if self.classes:
            return self._linked(found)
        added = found[:, 0] * self.label[1]
        added[:, -1] += self.label[0]
        return np.asarray(added)

    def importance(self) -> np.ndarray:
        """Return the share of each feature in what all add to predictions of the train sample, shape (F,)."""
        return shares(self._weighed)

    def save(self, folder: Path) -> None:
        """Write `predictor.json` and the numbers, exactly, as JSON."""
        self._save_head(folder)
        values = {
            "activation": self.layers.activation,
            "weights": [weight.tolist() for weight in self.layers.weights],
            "biases": [bias.tolist() for bias in self.layers.biases],
            "mean": self.standard.mean.tolist(),
            "deviation": self.standard.deviation.tolist(),
            "label": list(self.label),
            "weighed": self._weighed.tolist(),
        }
        (folder / _JSON).write_text(json.dumps(values, allow_nan=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, threads: int) -> Self:
        """Read what `save` wrote; `StoreCorrupt` names the file that is damaged."""
        head, path = read_head(folder, threads), folder / _JSON
        values = read_json(path)
        features = (head["features"],)
        mean, deviation, weighed = (
            numbers(values.get(name), features, path) for name in ("mean", "deviation", "weighed")
        )
        label = numbers(values.get("label"), (2,), path)
        layers = _read_layers(values, head["features"], max(head["classes"], 1), path)
        return cls(layers, Standard(mean, deviation), (float(label[0]), float(label[1])), weighed, **head)


class _Fitting:
    """A network of scikit-learn while it learns."""

    def __init__(self, request: Request, train: Sample, scaler: Scaling, standard: Standard) -> None:
        self.request, self.standard, self.scaler = request, standard, scaler
        self._train = train
        chosen = request.parameters
        self._random = np.random.default_rng([request.seed, 1])
        self._parts = _even_parts(len(train), max(rows_at_once(len(train.names)), chosen["batch_size"]))
        self._network = (MLPClassifier if request.classes else MLPRegressor)(
            hidden_layer_sizes=tuple(chosen["hidden_layer_sizes"]),
            activation=chosen["activation"],
            alpha=chosen["alpha"],
            learning_rate_init=chosen["learning_rate_init"],
            batch_size=min(chosen["batch_size"], *(part.stop - part.start for part in self._parts)),
            # A number would be seeded with anew at every call, and shuffle each epoch in the same way.
            random_state=np.random.RandomState(request.seed),
        )
        self.label = (0.0, 1.0) if request.classes else label_units(train)

    def epoch(self, check: Callable[[], None]) -> None:
        """Learn from each cell once more."""
        more = {"classes": np.arange(self.request.classes)} if self.request.classes else {}
        for place in self._random.permutation(len(self._parts)):
            check()
            part = self._parts[place]
            inputs = self.inputs(gathered(self._train, self.scaler, part))
            wanted = self.wanted(self._train.label[part])
            self._network.partial_fit(inputs, wanted, sample_weight=self._train.weight[part], **more)

    def layers(self) -> Layers:
        """Return what is learnt by now."""
        weights = [weight.astype(np.float64) for weight in self._network.coefs_]
        biases = [bias.astype(np.float64) for bias in self._network.intercepts_]
        if self.request.classes == 2:
            # One output decides between two classes: the score of the second, where that of the first is 0.
            weights[-1] = np.hstack([np.zeros_like(weights[-1]), weights[-1]])
            biases[-1] = np.concatenate([[0.0], biases[-1]])
        return Layers(tuple(weights), tuple(biases), self.request.parameters["activation"])

    def inputs(self, features: np.ndarray) -> np.ndarray:
        """Return what goes into the network, float32."""
        return _inputs(self.standard, features).astype(np.float32)

    def wanted(self, label: np.ndarray) -> np.ndarray:
        """Return what shall come out."""
        if self.request.classes:
            return label.astype(np.int64)
        return ((label - self.label[0]) / (self.label[1] or 1.0)).astype(np.float32)


class _Score:
    """How a network does on the valid sample."""

    def __init__(self, fitting: _Fitting, valid: Sample) -> None:
        self._classes, self._weight = fitting.request.classes, valid.weight
        self._inputs = fitting.inputs(matrix(valid, fitting.scaler))
        self._wanted = fitting.wanted(valid.label)

    def of(self, layers: Layers) -> float:
        """Return minus the mean squared error of standardised labels, or minus the cross-entropy of classes."""
        found = layers.outputs(self._inputs)
        if not self._classes:
            return -float(np.average((found[:, 0] - self._wanted) ** 2, weights=self._weight))
        likely = softmax(found)[np.arange(len(found)), self._wanted]
        return float(np.average(np.log(np.maximum(likely, 1e-15)), weights=self._weight))


def _inputs(standard: Standard, features: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(standard.apply(features), -_BOUND, _BOUND))


def _even_parts(cells: int, most: int) -> list[slice]:
    """Return parts of a sample of nearly the same size, none of which is larger than `most`."""
    edges = np.linspace(0, cells, -(-cells // most) + 1).astype(np.int64)
    return [slice(int(first), int(stop)) for first, stop in pairwise(edges)]


def _read_layers(values: Mapping[str, Any], features: int, outputs: int, path: Path) -> Layers:
    """Check that layers fit each other, and return them."""
    activation: Any
    weights: Any
    biases: Any
    activation, weights, biases = (values.get(name) for name in ("activation", "weights", "biases"))
    lists = (
        isinstance(weights, list) and isinstance(biases, list) and all(isinstance(b, list) for b in biases)
    )
    if not lists or len(weights) != len(biases) or len(weights) < 2 or activation not in ACTIVATIONS:
        raise StoreCorrupt(f"{path} holds no layers of a network", str(path))
    sizes = [features, *(len(bias) for bias in biases)]
    if sizes[-1] != outputs:
        raise StoreCorrupt(f"{path} has {sizes[-1]} outputs; {outputs} were kept", str(path))
    return Layers(
        tuple(numbers(weight, shape, path) for weight, shape in zip(weights, pairwise(sizes), strict=True)),
        tuple(numbers(bias, (size,), path) for bias, size in zip(biases, sizes[1:], strict=True)),
        activation,
    )
