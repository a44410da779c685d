"""Makes the values of a factor comparable among the names of each day."""

from __future__ import annotations

import numpy as np

from quantflux.expressions.kernels.row_ranks import ROW_WINSORIZE_MAD
from quantflux.expressions.kernels.rows import ROW_ZSCORE, run_rows


def zscores(values: np.ndarray, chosen: np.ndarray, winsorise: float = 5.0) -> np.ndarray:
    """Return winsorised z-scores among the chosen names of each row.

    Parameters
    ----------
    values : array of float64, shape (T, N)
        NaN and infinite ones are unknown.
    chosen : array of bool, shape (T, N)
    winsorise : float
        Values are moved to so many robust deviations (1.4826 x median absolute deviation) from the row's median if
        they lie beyond. 0 leaves them; so does a row in which more than half of the values are equal, whose deviation
        is 0.

    Returns
    -------
    array of float64, shape (T, N)
        Mean 0 and sample standard deviation (ddof 1) 1 over the known values of a row; 0 where all of them are equal.
        NaN where the name is not chosen or its value is unknown.

    Examples
    --------
    >>> x = np.array([[1.0, 2.0, 3.0, 1000.0, np.nan]])
    >>> everyone = np.ones((1, 5), dtype=bool)
    >>> zscores(x, everyone, winsorise=0).round(2).tolist()
    [[-0.5, -0.5, -0.5, 1.5, nan]]
    >>> zscores(x, everyone, winsorise=2).round(2).tolist()
    [[-0.97, -0.45, 0.07, 1.36, nan]]
    """
    known = np.isfinite(values) & chosen
    among = np.ascontiguousarray(np.where(known, values, np.nan), dtype=np.float64)
    if winsorise > 0:
        moved = run_rows(ROW_WINSORIZE_MAD, among, parameters=(float(winsorise),))
        collapsed = _all_equal(moved) & ~_all_equal(among)
        among = np.where(collapsed[:, None], among, moved)
    made = run_rows(ROW_ZSCORE, among)
    return np.where(known & np.isnan(made), 0.0, made)


def _all_equal(values: np.ndarray) -> np.ndarray:
    """Return which rows have no two different numbers, shape (T,)."""
    low = np.where(np.isnan(values), np.inf, values).min(axis=1, initial=np.inf)
    high = np.where(np.isnan(values), -np.inf, values).max(axis=1, initial=-np.inf)
    return np.asarray(low >= high)
