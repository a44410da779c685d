"""Trailing windows over rows of (T, N) arrays, in plain NumPy.

Row t of a result uses rows t-window+1 .. t and nothing else, so a longer history before it or a future after it
changes no bit. Each kernel walks over the window's rows, never over symbols: `window` additions of whole arrays, on
pieces of a few hundred rows that stay in the processor's cache. NaN is skipped; a window with fewer than `least`
numbers gives NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from quantflux.core.errors import InvalidRequest

_PIECE = 256


def lagged(values: np.ndarray, rows: int) -> np.ndarray:
    """Return the values of `rows` rows before; the first rows are NaN.

    Examples
    --------
    >>> lagged(np.array([[1.0], [2.0], [3.0]]), 1).ravel().tolist()
    [nan, 1.0, 2.0]
    """
    if rows < 0:
        raise InvalidRequest(f"a lag must be 0 or more rows, was {rows}: a factor may not look ahead")
    moved = np.full_like(values, np.nan)
    moved[rows:] = values[: max(len(values) - rows, 0)]
    return moved


def daily_returns(close: np.ndarray) -> np.ndarray:
    """Return close over the previous row's close minus 1; NaN where either is missing."""
    return np.asarray(close / lagged(close, 1) - 1)


def window_mean(values: np.ndarray, window: int, least: int) -> np.ndarray:
    """Return the mean of each trailing window.

    Examples
    --------
    >>> window_mean(np.array([[1.0], [3.0], [np.nan], [7.0]]), window=2, least=1).ravel().tolist()
    [1.0, 2.0, 3.0, 7.0]
    """
    return _in_pieces(_mean, window, least, values)


def window_std(values: np.ndarray, window: int, least: int) -> np.ndarray:
    """Return the sample standard deviation (ddof=1) of each trailing window; `least` is at least 2.

    Examples
    --------
    >>> window_std(np.array([[1.0], [3.0], [5.0]]), window=3, least=3).ravel().tolist()
    [nan, nan, 2.0]
    """
    return _in_pieces(_std, window, max(least, 2), values)


def window_correlation(one: np.ndarray, two: np.ndarray, window: int, least: int) -> np.ndarray:
    """Return the Pearson correlation of each trailing window over rows where both are numbers.

    NaN where either did not move by more than rounding, since nothing can be said of its direction.
    """
    paired = ~(np.isnan(one) | np.isnan(two))
    return _in_pieces(
        _correlation, window, max(least, 2), np.where(paired, one, np.nan), np.where(paired, two, np.nan)
    )


def _in_pieces(kernel: Callable[..., np.ndarray], window: int, least: int, *inputs: np.ndarray) -> np.ndarray:
    """Run a kernel on pieces of rows, each with the window-1 rows before it."""
    if not 1 <= least <= window:
        raise InvalidRequest(f"a window of {window} rows cannot ask for at least {least} numbers")
    out = np.empty_like(inputs[0])
    for start in range(0, len(out), _PIECE):
        stop = min(start + _PIECE, len(out))
        parts = (_with_history(values, start, stop, window) for values in inputs)
        out[start:stop] = kernel(*parts, window, least)
    return out


def _with_history(values: np.ndarray, start: int, stop: int, window: int) -> np.ndarray:
    first = start - window + 1
    if first >= 0:
        return values[first:stop]
    return np.concatenate([np.full((-first, values.shape[1]), np.nan), values[:stop]])


def _shifts(values: np.ndarray, window: int) -> Iterator[np.ndarray]:
    """Yield the window's rows, oldest first, each aligned with the rows of the result."""
    rows = len(values) - window + 1
    return (values[offset : offset + rows] for offset in range(window))


def _sum(values: np.ndarray, window: int) -> np.ndarray:
    shifts = _shifts(values, window)
    total = next(shifts).astype(np.float64)
    for shifted in shifts:
        total += shifted
    return total


def _moments(values: np.ndarray, window: int, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the count of each window; NaN mean where there are too few."""
    there = ~np.isnan(values)
    count = _sum(there, window)
    total = _sum(np.where(there, values, 0.0), window)
    mean = np.full_like(total, np.nan)
    np.divide(total, count, out=mean, where=count >= least)
    return mean, count


def _mean(values: np.ndarray, window: int, least: int) -> np.ndarray:
    return _moments(values, window, least)[0]


def _squares(values: np.ndarray, mean: np.ndarray, window: int) -> np.ndarray:
    """Return the sum of squared deviations from each window's mean."""
    total = np.zeros_like(mean)
    for shifted in _shifts(values, window):
        gap = shifted - mean
        total += np.where(np.isnan(gap), 0.0, gap * gap)
    return total


def _std(values: np.ndarray, window: int, least: int) -> np.ndarray:
    mean, count = _moments(values, window, least)
    squares = _squares(values, mean, window)
    variance = np.full_like(mean, np.nan)
    np.divide(squares, count - 1, out=variance, where=count >= least)
    return np.asarray(np.sqrt(variance))


def _correlation(one: np.ndarray, two: np.ndarray, window: int, least: int) -> np.ndarray:
    mean_one, count = _moments(one, window, least)
    mean_two, _ = _moments(two, window, least)
    joint = np.zeros_like(mean_one)
    for x, y in zip(_shifts(one, window), _shifts(two, window), strict=True):
        product = (x - mean_one) * (y - mean_two)
        joint += np.where(np.isnan(product), 0.0, product)
    squares_one, squares_two = _squares(one, mean_one, window), _squares(two, mean_two, window)
    # Rounding leaves about 1e-16 of the level in each deviation: below that a window stood still.
    moved = (squares_one > count * (1e-12 * mean_one) ** 2) & (squares_two > count * (1e-12 * mean_two) ** 2)
    out = np.full_like(joint, np.nan)
    scale = np.sqrt(squares_one) * np.sqrt(squares_two)
    np.divide(joint, scale, out=out, where=moved & (count >= least) & (scale > 0))
    return np.asarray(np.clip(out, -1.0, 1.0))
