"""Carrying values over gaps in arrays of shape (T, N)."""

from __future__ import annotations

import numpy as np


def carried_forward(values: np.ndarray) -> np.ndarray:
    """Return `values` with each gap filled by the last number above it; what comes before the first stays NaN.

    Row t depends on rows up to t only.

    Examples
    --------
    >>> carried_forward(np.array([[np.nan], [1.0], [np.nan]])).ravel().tolist()
    [nan, 1.0, 1.0]
    """
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, rows), axis=0)
    return np.take_along_axis(values, last, axis=0)
