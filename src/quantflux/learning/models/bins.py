"""Lays features into LightGBM's bins without ever holding them as numbers all at once.

1. Bin bounds come from up to 50,000 cells that the seed draws from a train sample (`_bounds`).
2. The sample's cells are gathered a stretch at a time and kept as bin numbers, one byte a value (`_Stretches`).
3. Where folds share bins, all cells of the data set are laid into the bins of the first fold's train sample, once,
   and each fold takes its cells out of them (`SharedBins`).
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
    bounds = _bounds(train, scaler, parameters)
    laid = _laid(train, scaler, bounds, parameters, check)
    return laid, None if valid is None else _laid(valid, scaler, bounds, parameters, check)


@dataclass
class SharedBins:
    """All cells of a data set in the bins of the first train sample that was asked for.

    They serve as long as the data set is the same one and its features are scaled in the same way.
    """

    _whole: lightgbm.Dataset | None = field(default=None, repr=False)
    _of: tuple[Dataset, dict[str, Any]] | None = field(default=None, repr=False)

    def binned(
        self,
        train: Sample,
        valid: Sample | None,
        scaler: Scaling,
        parameters: Mapping[str, Any],
        check: Callable[[], None],
    ) -> tuple[lightgbm.Dataset, lightgbm.Dataset | None]:
        """Return a train sample, and a valid one, in shared bins; the arguments are those of the function above."""
        dataset, scaling = train.dataset, scaler.to_dict()
        if self._whole is None or self._of is None or self._of[0] is not dataset or self._of[1] != scaling:
            self._whole = self._of = None  # the old one must not stand beside the new one
            everything = Sample(dataset, np.arange(len(dataset)))
            bounds = _bounds(train, scaler, parameters)
            self._whole = _laid(everything, scaler, bounds, parameters, check)
            self._of = dataset, scaling
        return _taken(self._whole, train), None if valid is None else _taken(self._whole, valid)


def _bounds(train: Sample, scaler: Scaling, parameters: Mapping[str, Any]) -> lightgbm.Dataset:
    cells = drawn(train, BOUNDS_FROM, parameters["seed"])
    features = matrix(cells, scaler)
    if not _varies(features):
        raise InvalidRequest(
            f"lightgbm has nothing to learn from: each of the {features.shape[1]} features has one single value in "
            "the train sample, or is missing everywhere"
        )
    asked = dict(parameters) | {"bin_construct_sample_cnt": BOUNDS_FROM}
    return lightgbm.Dataset(features, label=cells.label, params=asked).construct()


def _varies(features: np.ndarray) -> bool:
    """Say whether any feature has two values; a missing one is a value."""
    first = features[0]
    same = (features == first) | (np.isnan(features) & np.isnan(first))
    return not bool(same.all())


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


def _taken(whole: lightgbm.Dataset, sample: Sample) -> lightgbm.Dataset:
    return whole.subset(sample.places.tolist()).construct()


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
