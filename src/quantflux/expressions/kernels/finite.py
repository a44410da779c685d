"""Takes infinite numbers out: what overflows, and what should never have been in the data, is missing."""

from __future__ import annotations

from typing import Any

import numpy as np

from quantflux.expressions.kernels.contract import jit


@jit
def _drop_infinite(x: Any, first: int, last: int) -> None:
    for i in range(first, last):
        row = x[i]
        for j in range(row.size):
            row[j] = row[j] + (row[j] - row[j])  # NaN if it is infinite, without a branch


def drop_infinite(x: np.ndarray, first: int, last: int) -> None:
    """Put NaN for infinite numbers in rows first .. last-1 of x.

    Examples
    --------
    >>> x = np.array([[1.0, np.inf, np.nan, -np.inf]])
    >>> drop_infinite(x, 0, 1)
    >>> x.tolist()
    [[1.0, nan, nan, nan]]
    """
    _drop_infinite(x, first, last)
