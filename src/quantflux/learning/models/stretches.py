"""Gathers the features of a sample some cells at a time, so that a market's features never stand in memory at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.learning.models.contract import Scaling
from quantflux.learning.samples import Sample

STRETCH_BYTES = 32 * 2**20

_DAYS_DRAWN = 128


def rows_at_once(features: int) -> int:
    """Return how many cells with so many features of float32 fill a stretch."""
    return max(1024, STRETCH_BYTES // (4 * max(features, 1)))


def stretches(sample: Sample, scaler: Scaling, rows: int | None = None) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield where each stretch lies in the sample, and its features, scaled: float32, shape (k, F)."""
    step = rows or rows_at_once(len(sample.names))
    for first in range(0, len(sample), step):
        part = slice(first, min(first + step, len(sample)))
        yield part, gathered(sample, scaler, part)


def gathered(sample: Sample, scaler: Scaling, part: slice) -> np.ndarray:
    """Return the features of a part of a sample, scaled: float32, shape (k, F), rows behind each other."""
    return np.ascontiguousarray(scaler.apply(sample.features(part)), dtype=np.float32)


def matrix(sample: Sample, scaler: Scaling) -> np.ndarray:
    """Return all features of a sample, scaled: float32, shape (K, F)."""
    whole = np.empty((len(sample), len(sample.names)), dtype=np.float32)
    for part, features in stretches(sample, scaler):
        whole[part] = features
    return whole


def drawn(sample: Sample, most: int, seed: int | None = None) -> Sample:
    """Return at most so many cells of a sample: of the same seed, the same ones.

    They are taken at even distances on days at even distances, or at random on random days if a seed is given. There
    are at least 128 days if the sample has so many, but not all of them: that would cost a pass over everything that
    is stored.
    """
    if len(sample) <= most:
        return sample
    random = None if seed is None else np.random.default_rng(seed)
    day, size = np.unique(sample.row, return_counts=True)
    days = min(max(_DAYS_DRAWN, -(-most // int(size.mean()))), len(day))
    chosen = np.zeros(len(day), dtype=bool)
    chosen[_picked(len(day), days, random)] = True
    places = sample.places[np.repeat(chosen, size)]
    if len(places) > most:
        places = places[_picked(len(places), most, random)]
    return Sample(sample.dataset, places)


def _picked(of: int, count: int, random: np.random.Generator | None) -> np.ndarray:
    """Return so many different places below `of`, in order."""
    if random is None:
        return np.linspace(0, of - 1, count).round().astype(np.int64)
    return np.sort(random.choice(of, count, replace=False))


def something(train: Sample, kind: str) -> None:
    """Refuse a train sample without cells or features.

    Raises
    ------
    InvalidRequest
    """
    if not len(train) or not train.names:
        raise InvalidRequest(
            f"{kind} has nothing to learn from: the train sample has {len(train)} cells with {len(train.names)} "
            "features; both must be at least 1"
        )
