"""Carrying values over gaps in arrays of shape (T, N)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np


def carried_forward(values: np.ndarray) -> np.ndarray:
    """Return `values` with each gap filled by the last number above it; what comes before the first stays NaN.

    Row t depends on rows up to t only.

    Examples
    --------
    >>> carried_forward(np.array([[np.nan], [1.0], [np.nan]])).ravel().tolist()
    [nan, 1.0, 1.0]
    """
    out = np.array(values)
    for above, row in pairwise(out):  # views: each row is filled from a full one
        np.copyto(row, above, where=np.isnan(row))
    return out
