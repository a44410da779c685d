"""How the features of a model looked where it learnt, which later days are compared with, and rows to check it by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.learning.samples import Sample

CANARIES = 16
"""Rows whose predictions are kept beside a model."""

_TENTHS = np.linspace(0.0, 1.0, 11)


@dataclass(frozen=True, eq=False)
class Reference:
    """Distribution of each feature over the cells that a model learnt from.

    Attributes
    ----------
    deciles : array of float64, shape (F, 11)
        The least value, the nine deciles and the greatest; NaN for a feature that was never known.
    shares : array of float64, shape (F, 10)
        Fraction of the known values from one decile up to, but without, the next; the last part has its upper end.
        A tenth each unless values repeat. NaN for a feature that was never known.
    missing : array of float64, shape (F,)
        Fraction of the cells without a value.

    Examples
    --------
    >>> told = Reference.of(np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [np.nan, 1.0]]))
    >>> told.deciles[0, [0, 5, 10]].tolist(), told.missing.tolist()
    ([0.0, 1.0, 2.0], [0.25, 0.0])
    """

    deciles: np.ndarray
    shares: np.ndarray
    missing: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Reference:
        """Describe features of shape (K, F), K at least 1."""
        cells, count = features.shape
        deciles, shares = np.full((count, 11), np.nan), np.full((count, 10), np.nan)
        missing = np.zeros(count)
        for place in range(count):
            values = np.asarray(features[:, place], dtype=np.float64)
            known = np.sort(values[np.isfinite(values)])
            missing[place] = 1.0 - len(known) / cells
            if len(known):
                deciles[place] = edges = np.quantile(known, _TENTHS)
                below = np.searchsorted(known, edges)
                below[-1] = len(known)
                shares[place] = np.diff(below) / len(known)
        return cls(deciles, shares, missing)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it; `from_dict` takes it back, to the bit."""
        return {
            "deciles": [_numbers(row) for row in self.deciles],
            "shares": [_numbers(row) for row in self.shares],
            "missing": _numbers(self.missing),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Reference:
        """Return what `to_dict` told.

        Raises
        ------
        ValueError, TypeError, KeyError
            If it is something else.
        """
        missing = np.array(values["missing"], dtype=np.float64)
        deciles = np.array(values["deciles"], dtype=np.float64).reshape(len(missing), 11)
        return cls(deciles, np.array(values["shares"], dtype=np.float64).reshape(len(missing), 10), missing)


def reference_of(sample: Sample, cells: int = 50_000) -> Reference:
    """Describe the features of a sample by at most so many of its cells, drawn evenly along it."""
    return Reference.of(_drawn(sample, cells))


def canaries_of(sample: Sample) -> np.ndarray:
    """Return the features of some cells of a sample, to check a model by: float32, shape (at most 16, F).

    Those come first that have the most values. Cells without any are left out.

    Raises
    ------
    InvalidRequest
        If no cell has a value.
    """
    rows = _drawn(sample, 64 * CANARIES)
    known = np.isfinite(rows).sum(axis=1)
    best = np.argsort(-known, kind="stable")
    chosen = np.sort(best[: min(CANARIES, np.count_nonzero(known))])
    if not len(chosen):
        raise InvalidRequest(
            f"none of {len(rows)} cells of the sample has a value of any of its {len(sample.names)} features; "
            "a model needs cells that have some"
        )
    return rows[chosen]


def _drawn(sample: Sample, cells: int) -> np.ndarray:
    if not len(sample):
        raise InvalidRequest("the sample has no cell; a model is described by the cells it learnt from")
    places = np.unique(np.linspace(0, len(sample) - 1, min(cells, len(sample))).astype(np.int64))
    return sample.dataset.features.gather(sample.row[places], sample.column[places])


def _numbers(row: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in row]
