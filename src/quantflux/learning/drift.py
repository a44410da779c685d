"""Whether features, or predictions, still look as they did where a model learnt.

The population stability index compares the shares of values between the deciles of the training, and the share that is
missing, with those of today: the sum of (now - then) x log(now / then). It is 0 where nothing changed; by the custom of
credit scoring 0.1 is worth a look and 0.25 a change. Of few values it is large by chance alone, so that a figure which
chance explains counts as stable.

References
----------
Yurdakul, Naranjo (2020), "Statistical Properties of the Population Stability Index", Journal of Risk Model Validation
14(4): without drift the index is near a chi-squared variable over the number of values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import chdtri

from quantflux.core.errors import InvalidRequest
from quantflux.learning.registry.reference import Reference

LOOK, CHANGE = 0.1, 0.25
"""Bands of the index."""

_LEAST_SHARE = 1e-4
"""What an empty part counts as at least, and half a value where values are few: without it the index would be endless,
whatever the size of the rest."""

_LUCK = 0.01
"""How often an index without drift is above what chance is said to explain, if the values are independent."""


class Change(StrEnum):
    """What an index amounts to."""

    STABLE = "stable"
    MOVED = "moved"
    CHANGED = "changed"


@dataclass(frozen=True, eq=False)
class Drift:
    """One feature then and now.

    Attributes
    ----------
    name : str
    index : float
        Population stability index.
    chance : float
        What it stays below in 99 of 100 cases without drift. Values of one name on several days, and of names that
        move together, are worth fewer than their number: then chance does more than this.
    change : Change
    then, now : array of float64, shape (11,)
        Share of each part from the lowest up, the last that of missing values.
    """

    name: str
    index: float
    chance: float
    change: Change
    then: np.ndarray
    now: np.ndarray

    @property
    def missing(self) -> tuple[float, float]:
        """Share of missing values then and now."""
        return float(self.then[-1]), float(self.now[-1])


def drift_of(reference: Reference, names: Sequence[str], features: np.ndarray) -> tuple[Drift, ...]:
    """Compare features with those of the training.

    Parameters
    ----------
    reference : Reference
    names : sequence of str, length F
    features : array of float, shape (K, F)
        Before scaling, as the reference was taken. What is not finite is missing.

    Returns
    -------
    tuple of Drift
        In the order of the names.

    Raises
    ------
    InvalidRequest
        If there is no cell, or there are other than F names and columns.

    Examples
    --------
    >>> then = np.arange(1000.0)[:, None]
    >>> drift, = drift_of(Reference.of(then), ["momentum"], then[500:])
    >>> drift.change, round(drift.index, 2)
    (<Change.CHANGED: 'changed'>, 2.63)
    """
    known = len(reference.missing)
    if features.ndim != 2 or not len(features) or features.shape[1] != known or len(names) != known:
        raise InvalidRequest(
            f"the reference has {known} features; needed are as many names, and a row of features or more, had "
            f"{len(names)} names and shape {features.shape}"
        )
    return tuple(_drift(reference, place, str(name), features[:, place]) for place, name in enumerate(names))


def reference_of_predictions(predictions: np.ndarray) -> Reference:
    """Return how predictions look, of any shape, NaN being none; `drift_of_predictions` compares others with them.

    Raises
    ------
    InvalidRequest
        If there is none.
    """
    return Reference.of(_known(predictions)[:, None])


def drift_of_predictions(reference: Reference, predictions: np.ndarray) -> Drift:
    """Compare predictions of any shape with those of `reference_of_predictions`; a missing one is left out.

    Raises
    ------
    InvalidRequest
        If there is none.
    """
    return drift_of(reference, ["prediction"], _known(predictions)[:, None])[0]


def stability_index(then: np.ndarray, now: np.ndarray, least: float = _LEAST_SHARE) -> float:
    """Return the population stability index of shares; an empty part counts as `least`.

    Examples
    --------
    >>> round(stability_index(np.array([0.5, 0.5]), np.array([0.75, 0.25])), 6)  # 0.25 log 1.5 + 0.25 log 2
    0.274653
    """
    before, after = np.maximum(then, least), np.maximum(now, least)
    return float(np.sum((after - before) * np.log(after / before)))


def _drift(reference: Reference, place: int, name: str, values: np.ndarray) -> Drift:
    then = _shares(np.nan_to_num(reference.shares[place]), float(reference.missing[place]))
    known = values[np.isfinite(values)].astype(np.float64)
    # Parts begin with their decile, as the reference counts them; what lies beyond the extremes is in the outer parts.
    part = np.searchsorted(reference.deciles[place, 1:-1], known, side="right")
    counts = np.bincount(part, minlength=10)
    missing = 1 - len(known) / len(values)
    now = _shares(counts / max(len(known), 1), missing)
    index = stability_index(then, now, max(_LEAST_SHARE, 0.5 / len(values)))
    parts = max(int(np.count_nonzero((then > 0) | (now > 0))), 2)
    chance = float(chdtri(parts - 1, _LUCK)) / len(values)
    change = Change.STABLE
    if index >= LOOK and index > chance:
        change = Change.CHANGED if index >= CHANGE else Change.MOVED
    return Drift(name, index, chance, change, then, now)


def _shares(known: np.ndarray, missing: float) -> np.ndarray:
    return np.append(known * (1 - missing), missing)


def _known(predictions: np.ndarray) -> np.ndarray:
    found = predictions[np.isfinite(predictions)]
    if not len(found):
        raise InvalidRequest(f"there is no prediction among {predictions.size} values to compare")
    return np.asarray(found, dtype=np.float64)
