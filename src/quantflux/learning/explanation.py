"""What a model looks at: Shapley values of its predictions, over many cells and for one name.

The contributions of a prediction add up to it, beginning with what the model says of a cell that it knows nothing of
(Lundberg and Lee (2017), "A Unified Approach to Interpreting Model Predictions", NeurIPS 30). They say what the model
does, not what moves prices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.factors.ranking import SortedRows, rank_correlation
from quantflux.learning.models.contract import Predictor, Scaling
from quantflux.learning.models.known import any_known
from quantflux.learning.samples import Sample

_CELLS = 2_000
_LEAST = 10
"""Cells with a value, below which no direction is told."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a model looks at over many cells.

    Attributes
    ----------
    names : tuple of str, length F
    base : float
        What the model says of a cell that it knows nothing of.
    strength : array of float64, shape (F,)
        Mean absolute contribution, in the unit of the predictions.
    direction : array of float64, shape (F,)
        Rank correlation of a feature's value with its contribution: 1 if more of it always raises the prediction, -1 if
        it always lowers it, near 0 where it depends; NaN if the feature or its contribution never varies.
    cells : int
        That were explained.
    """

    names: tuple[str, ...]
    base: float
    strength: np.ndarray
    direction: np.ndarray
    cells: int

    @property
    def shares(self) -> np.ndarray:
        """Part of each feature in all contributions, shape (F,): sums to 1, or 0 if the model looks at nothing."""
        total = float(self.strength.sum())
        return self.strength / total if total > 0 else np.zeros_like(self.strength)

    def strongest(self, count: int) -> list[int]:
        """Return the places of the features that contribute most, the strongest first."""
        return [int(place) for place in np.argsort(-self.strength, kind="stable")[:count]]


@dataclass(frozen=True, slots=True)
class Part:
    """What one feature adds to one prediction.

    Attributes
    ----------
    feature : str
    value : float
        Before scaling; NaN if it is missing.
    contribution : float
    """

    feature: str
    value: float
    contribution: float


@dataclass(frozen=True)
class Explained:
    """Why one prediction is what it is.

    Attributes
    ----------
    symbol : str
    prediction, base : float
        The base and all contributions add up to the prediction.
    parts : tuple of Part
        Of every feature, what adds or takes most first.
    """

    symbol: str
    prediction: float
    base: float
    parts: tuple[Part, ...]


def explain(predictor: Predictor, scaler: Scaling, sample: Sample, *, cells: int = _CELLS) -> Explanation:
    """Explain a model by some cells of a sample.

    Parameters
    ----------
    predictor : Predictor
    scaler : Scaling
        That of the predictor.
    sample : Sample
    cells : int
        At most so many are explained: one of each of as many stretches of the sample, drawn by a fixed seed, so that
        all of its days, and no names more than others, are among them. Those without any feature are left out.

    Raises
    ------
    InvalidRequest
        If the sample is empty, or no cell was asked for.
    """
    if cells < 1 or not len(sample):
        raise InvalidRequest(
            f"explaining needs a cell or more, the sample has {len(sample)} and {cells} were asked for"
        )
    places = spread_over(len(sample), cells)
    features = sample.dataset.features.gather(sample.row[places], sample.column[places])
    parts = _contributions(predictor, scaler, features)
    if (known := any_known(features)).any():  # a cell without any feature has no prediction
        features, parts = features[known], parts[known]
    added = parts[:, :-1]
    values = np.where(np.isfinite(features), features, np.nan).astype(np.float64)
    direction = rank_correlation(
        SortedRows(np.ascontiguousarray(values.T)),
        SortedRows(np.ascontiguousarray(added.T)),
        np.isfinite(values.T),
        _LEAST,
    )
    return Explanation(
        names=tuple(sample.names),
        base=float(np.mean(parts[:, -1])),
        strength=np.abs(added).mean(axis=0),
        direction=direction,
        cells=len(parts),
    )


def explained(
    predictor: Predictor,
    scaler: Scaling,
    features: np.ndarray,
    names: Sequence[str],
    symbols: Sequence[str],
) -> list[Explained]:
    """Explain the predictions of some names on a day.

    Parameters
    ----------
    predictor : Predictor
    scaler : Scaling
        That of the predictor.
    features : array of float32, shape (K, F)
        Before scaling. A name without any feature has no prediction, and NaN throughout.
    names : sequence of str, length F
    symbols : sequence of str, length K

    Raises
    ------
    InvalidRequest
        If there are other than F names and K symbols.
    """
    if features.shape != (len(symbols), len(names)):
        raise InvalidRequest(
            f"needed are a row of features of each of {len(symbols)} symbols and a column of each of {len(names)} "
            f"names, had shape {features.shape}"
        )
    parts = _contributions(predictor, scaler, features)
    parts[~any_known(features)] = math.nan
    made = []
    for symbol, values, row in zip(symbols, features.tolist(), parts, strict=True):
        order = np.argsort(-np.abs(row[:-1]), kind="stable").tolist()
        each = tuple(Part(str(names[i]), values[i], float(row[i])) for i in order)
        made.append(Explained(str(symbol), float(row.sum()), float(row[-1]), each))
    return made


def spread_over(count: int, most: int) -> np.ndarray:
    """Return at most so many places of 0 .. count-1, increasing: one of each of as many stretches of one length.

    Which one is drawn, by a fixed seed: at equal steps a sample sorted by day and name could hold the same few names on
    every day.

    Examples
    --------
    >>> spread_over(4, 10).tolist(), len(spread_over(1000, 10))
    ([0, 1, 2, 3], 10)
    """
    if count <= most:
        return np.arange(count)
    edges = np.arange(most + 1) * count // most
    return np.asarray(edges[:-1] + (np.random.default_rng(0).random(most) * np.diff(edges)).astype(np.int64))


def _contributions(predictor: Predictor, scaler: Scaling, features: np.ndarray) -> np.ndarray:
    parts = np.array(predictor.contributions(scaler.apply(features)), dtype=np.float64)
    if parts.shape != (len(features), features.shape[1] + 1):
        raise InvalidRequest(
            f"the model takes {parts.shape[1] - 1} features, was given {features.shape[1]} to explain"
        )
    return parts
