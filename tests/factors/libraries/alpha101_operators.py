"""The operators of the 101 alphas with pandas and NumPy, by the definitions of the paper and our rules for gaps.

Frames have one row a day and one column a symbol. Every window is laid out in full, so that sums are sums and nothing
is carried along. A window with a missing value is missing unless `least` says how many numbers suffice; a comparison
with a missing value is missing, division by zero is missing, the correlation of what does not vary is missing.
`ts_argmax` counts from the oldest row, which is 1.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

Frame = pd.DataFrame


def finite(x: Frame) -> Frame:
    return x.where(np.isfinite(x))


def rounded(x: np.ndarray) -> np.ndarray:
    """Return what was computed with rounding errors; a test rounds it here, so that equals are equal."""
    return x


def windows(x: Frame, d: int) -> np.ndarray:
    """Return the window of every cell, the oldest row first, shape (T, N, d)."""
    padded = np.vstack([np.full((d - 1, x.shape[1]), np.nan), x.to_numpy(dtype=float)])
    return np.lib.stride_tricks.sliding_window_view(padded, d, axis=0)


def framed(values: np.ndarray, like: Frame) -> Frame:
    return pd.DataFrame(values, like.index, like.columns)


def delay(x: Frame, d: int) -> Frame:
    return x.shift(d)


def delta(x: Frame, d: int) -> Frame:
    return x - x.shift(d)


def total(x: Frame, d: int) -> Frame:
    return framed(windows(x, d).sum(axis=-1), x)


def mean(x: Frame, d: int) -> Frame:
    return total(x, d) / d


def product(x: Frame, d: int) -> Frame:
    return framed(windows(x, d).prod(axis=-1), x)


def joint_deviation(x: Frame, y: Frame, d: int) -> np.ndarray:
    one, two = (rows - rows.mean(axis=-1, keepdims=True) for rows in (windows(x, d), windows(y, d)))
    return (one * two).sum(axis=-1) / (d - 1)


def covariance(x: Frame, y: Frame, d: int) -> Frame:
    return framed(rounded(joint_deviation(x, y, d)), x)


def stddev(x: Frame, d: int) -> Frame:
    return framed(np.sqrt(joint_deviation(x, x, d)), x)


def correlation(x: Frame, y: Frame, d: int) -> Frame:
    both = x.notna() & y.notna()
    x, y = x.where(both), y.where(both)
    moved = (ts_max(x, d) > ts_min(x, d)) & (ts_max(y, d) > ts_min(y, d))
    spread = np.sqrt(joint_deviation(x, x, d)) * np.sqrt(joint_deviation(y, y, d))
    return framed(rounded(joint_deviation(x, y, d) / spread), x).where(moved)


def ts_max(x: Frame, d: int) -> Frame:
    return framed(windows(x, d).max(axis=-1), x)


def ts_min(x: Frame, d: int) -> Frame:
    return framed(windows(x, d).min(axis=-1), x)


def ts_argmax(x: Frame, d: int, least: int | None = None) -> Frame:
    rows = windows(x, d)
    known = (~np.isnan(rows)).sum(axis=-1)
    place = np.where(np.isnan(rows), -np.inf, rows).argmax(axis=-1) + 1.0
    if least is not None:  # at the start the window is shorter, and its oldest row is the first number's
        first = x.notna().to_numpy().argmax(axis=0)
        place -= np.maximum(d - 1 - (np.arange(len(rows))[:, None] - first), 0)
    return framed(np.where(known >= (least or d), place, np.nan), x)


def ts_argmin(x: Frame, d: int) -> Frame:
    return ts_argmax(-x, d)


def ts_rank(x: Frame, d: int, least: int | None = None) -> Frame:
    rows = windows(x, d)
    known = (~np.isnan(rows)).sum(axis=-1)
    newest = rows[..., -1:]
    place = (rows < newest).sum(axis=-1) + ((rows == newest).sum(axis=-1) + 1) / 2
    enough = (known >= (least or d)) & ~np.isnan(newest[..., 0])
    return framed(np.where(enough, place / known, np.nan), x)


def decay_linear(x: Frame, d: int, least: int | None = None) -> Frame:
    rows = windows(x, d)
    weights = np.where(np.isnan(rows), 0.0, np.arange(1.0, d + 1))
    terms = np.nan_to_num(rows) * weights / weights.sum(axis=-1, keepdims=True)
    known = (~np.isnan(rows)).sum(axis=-1)
    result = rounded(terms.sum(axis=-1))
    return framed(np.where(known >= (least or d), result, np.nan), x)


def rank(x: Frame) -> Frame:
    return x.rank(axis=1, pct=True)


def scale(x: Frame) -> Frame:
    size = x.abs().sum(axis=1)
    return x.div(size.where(size > 0), axis=0)


def over(x: Frame | float, y: Frame) -> Frame:
    return finite(x / y)


def power(x: Frame, y: Frame | float) -> Frame:
    return finite(x**y).where(x.notna() & pd.notna(y))  # NumPy says that 1 ** missing is 1


def less(x: Frame | float, y: Frame | float) -> Frame:
    """Return 1 where x < y, 0 where not, missing where either is."""
    known = pd.notna(x) & pd.notna(y)
    return (x < y).astype(float).where(known)


def choose(condition: Frame, x: Frame | float, y: Frame | float) -> Frame:
    one = x if isinstance(x, pd.DataFrame) else condition * 0 + x
    two = y if isinstance(y, pd.DataFrame) else condition * 0 + y
    return one.where(condition == 1, two).where(condition.notna())


def larger(x: Frame, y: Frame) -> Frame:
    return np.maximum(x, y)


def smaller(x: Frame, y: Frame) -> Frame:
    return np.minimum(x, y)


def log(x: Frame) -> Frame:
    return np.log(x.where(x > 0))
