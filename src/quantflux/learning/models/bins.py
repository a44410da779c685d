"""Lays features into LightGBM's bins without ever holding them as numbers all at once.

1. Bin bounds come from up to 50,000 cells that the seed draws from a train sample (`_for_bounds`).
2. The sample's cells are gathered a stretch at a time and kept as bin numbers, one byte a value (`_Stretches`).
3. Where folds share bins, the cells of the data set are laid into the bins of the first fold's train sample, once,
   from its first day on, and each fold takes its cells out of them (`SharedBins`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import lightgbm
import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.learning.models.contract import Scaling
from quantflux.learning.models.stretches import drawn, gathered, matrix, rows_at_once
from quantflux.learning.samples import Dataset, Sample

BOUNDS_FROM = 50_000
"""Cells that bin bounds are taken from: 200 a bin. Taking them costs 16 bytes a value for a moment."""

# Values of up to three cells, or one of 5,000, say nothing yet: LightGBM has no bin for fewer than three, and bins from
# the first few values of a feature would be coarse for all later folds.
_RARE, _ONE_OF = 3, 5_000


def binned(
    train: Sample,
    valid: Sample | None,
    scaler: Scaling,
    parameters: Mapping[str, Any],
    check: Callable[[], None],
) -> tuple[lightgbm.Dataset, lightgbm.Dataset | None]:
    """Return a train sample, and a valid one, in the bins of the train sample.

    Parameters
    ----------
    train, valid : Sample
    scaler : Scaling
    parameters : mapping
        Of LightGBM.
    check : callable
        Called between stretches; may raise.
    """
    bounds = _in_own_bins(_for_bounds(train, scaler, parameters), parameters)
    laid = _laid(train, scaler, bounds, parameters, check)
    return laid, None if valid is None else _laid(valid, scaler, bounds, parameters, check)


@dataclass
class SharedBins:
    """Cells of a data set, from a first one on, in the bins of the first train sample that was asked for.

    They serve as long as the data set is the same one, its features are scaled in the same way, no earlier cell is
    asked for, and no feature that had a single value in the first train sample has more in the one asked for.
    """

    _whole: lightgbm.Dataset | None = field(default=None, repr=False)
    _of: tuple[Dataset, dict[str, Any]] | None = field(default=None, repr=False)
    _first: int = field(default=0, repr=False)
    _flat: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)

    def binned(
        self,
        train: Sample,
        valid: Sample | None,
        scaler: Scaling,
        parameters: Mapping[str, Any],
        check: Callable[[], None],
    ) -> tuple[lightgbm.Dataset, lightgbm.Dataset | None]:
        """Return a train sample, and a valid one, in shared bins; the arguments are those of the function above."""
        first = int(min(sample.places[0] for sample in (train, valid) if sample is not None and len(sample)))
        whole = self._serving(train, first, scaler, parameters)
        if whole is None:
            self._whole = self._of = None  # the old one must not stand beside the new one
            later = Sample(train.dataset, np.arange(first, len(train.dataset)))
            features = _for_bounds(train, scaler, parameters)
            bounds, self._flat = _in_own_bins(features, parameters), _flat(features)
            del features  # it must not stand beside the bins, either
            self._whole = whole = _laid(later, scaler, bounds, parameters, check)
            self._of, self._first = (train.dataset, scaler.to_dict()), first
        return self._taken(whole, train), None if valid is None else self._taken(whole, valid)

    def _serving(
        self, train: Sample, first: int, scaler: Scaling, parameters: Mapping[str, Any]
    ) -> lightgbm.Dataset | None:
        """Return the bins that are there if they serve a train sample and a first cell."""
        if self._whole is None or self._of is None or first < self._first:
            return None
        if self._of[0] is not train.dataset or self._of[1] != scaler.to_dict():
            return None
        return None if self._begins(train, scaler, parameters) else self._whole

    def _begins(self, train: Sample, scaler: Scaling, parameters: Mapping[str, Any]) -> bool:
        """Say whether a feature varies that did not when bins were laid: from a single bin nothing can be learnt."""
        if not len(self._flat):
            return False
        features = _for_bounds(train, scaler, parameters)[:, self._flat]
        return len(_flat(features)) < len(self._flat)

    def _taken(self, whole: lightgbm.Dataset, sample: Sample) -> lightgbm.Dataset:
        return whole.subset((sample.places - self._first).tolist()).construct()


def _for_bounds(train: Sample, scaler: Scaling, parameters: Mapping[str, Any]) -> np.ndarray:
    """Return the features of the cells that bin bounds are taken from."""
    features = matrix(drawn(train, BOUNDS_FROM, parameters["seed"]), scaler)
    if not _varies(features):
        raise InvalidRequest(
            f"lightgbm has nothing to learn from: each of the {features.shape[1]} features has one single value in "
            "the train sample, or is missing everywhere"
        )
    return features


def _in_own_bins(features: np.ndarray, parameters: Mapping[str, Any]) -> lightgbm.Dataset:
    asked = dict(parameters) | {"bin_construct_sample_cnt": BOUNDS_FROM}
    no_label = np.zeros(len(features), dtype=np.float32)  # none has a say in bins, but LightGBM wants one
    return lightgbm.Dataset(features, label=no_label, params=asked).construct()


def _varies(features: np.ndarray) -> bool:
    """Say whether any feature has two values; a missing one is a value."""
    first = features[0]
    same = (features == first) | (np.isnan(features) & np.isnan(first))
    return not bool(same.all())


def _flat(features: np.ndarray) -> np.ndarray:
    """Return the places of the features that have one value beside missing ones and a few too rare for a bin.

    LightGBM's numbers of bins do not say so: a feature that is missing everywhere has two, like one with two values.
    """
    return np.array([place for place, values in enumerate(features.T) if _is_flat(values)], dtype=np.int64)


def _is_flat(values: np.ndarray) -> bool:
    known = values[~np.isnan(values)]
    rare = max(_RARE, len(values) // _ONE_OF)
    if len(known) <= 2 * rare:
        return True
    low, high = rare, len(known) - 1 - rare
    ends = np.partition(known, (low, high))
    return bool(ends[low] == ends[high])


def _laid(
    sample: Sample,
    scaler: Scaling,
    bounds: lightgbm.Dataset,
    parameters: Mapping[str, Any],
    check: Callable[[], None],
) -> lightgbm.Dataset:
    asked = dict(parameters) | {"bin_construct_sample_cnt": BOUNDS_FROM}
    cells = _Stretches(sample, scaler, check)
    return lightgbm.Dataset(cells, label=sample.label, reference=bounds, params=asked).construct()


class _Stretches(lightgbm.Sequence):
    """A sample as LightGBM reads it: one stretch after the other."""

    def __init__(self, sample: Sample, scaler: Scaling, check: Callable[[], None]) -> None:
        self.batch_size = rows_at_once(len(sample.names))
        self._sample, self._scaler, self._check = sample, scaler, check

    def __len__(self) -> int:
        return len(self._sample)

    def __getitem__(self, part: int | slice | list[int]) -> np.ndarray:
        # LightGBM asks for single cells only to take bin bounds from them, which are given here.
        if not isinstance(part, slice):
            raise TypeError(f"a stretch of cells is a slice, not {type(part).__name__}")
        self._check()
        return gathered(self._sample, self._scaler, part)
