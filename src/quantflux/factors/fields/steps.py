"""Values that hold from one day until they change, laid out over days and symbols."""

from __future__ import annotations

import numpy as np

_ROWS = 64


class Steps:
    """Where values change.

    Parameters
    ----------
    shape : (int, int)
        Days T and symbols N.
    rows, columns : int arrays of shape (K,)
        The changes, sorted by column and then by row, each pair once.

    Examples
    --------
    >>> steps = Steps((4, 2), rows=np.array([1, 3, 0]), columns=np.array([0, 0, 1]))
    >>> steps.spread(np.array([5.0, 6.0, 7.0])).tolist()
    [[nan, 7.0], [5.0, 7.0], [5.0, 7.0], [6.0, 7.0]]
    """

    def __init__(self, shape: tuple[int, int], rows: np.ndarray, columns: np.ndarray) -> None:
        # The number of the last change so far, 0 before the first: numbers grow down each column.
        self._change = np.zeros(shape, dtype=np.int32)
        self._change[rows, columns] = np.arange(1, len(rows) + 1, dtype=np.int32)
        np.maximum.accumulate(self._change, axis=0, out=self._change)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return the value in force on each day, shape (T, N); NaN before a symbol's first change.

        Parameters
        ----------
        values : float64 array of shape (K,)
            What holds from each change on; NaN holds like any other value.
        """
        spread = np.empty(self._change.shape)
        known = np.append(np.nan, values)
        for first in range(0, len(spread), _ROWS):  # `take` widens its indices: a few rows at a time
            rows = slice(first, first + _ROWS)
            np.take(known, self._change[rows], out=spread[rows], mode="clip")
        return spread
