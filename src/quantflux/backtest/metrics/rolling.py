"""Figures over a trailing window of returns: NaN until the window is full, then row t tells of t - window + 1 .. t."""

from __future__ import annotations

import math

import numpy as np

from quantflux.backtest.metrics.series import checked, checked_pair
from quantflux.core.errors import InvalidRequest
from quantflux.factors.evaluation import TRADING_DAYS


def rolling_volatility(returns: np.ndarray, window: int) -> np.ndarray:
    """Return the volatility a year of each window of returns, shape (R,)."""
    windows = _windows(checked(returns), window)
    return _padded(windows.std(axis=1, ddof=1) * math.sqrt(TRADING_DAYS), len(returns))


def rolling_sharpe(returns: np.ndarray, window: int) -> np.ndarray:
    """Return the Sharpe ratio of each window of returns, shape (R,); NaN also where nothing moved."""
    windows = _windows(checked(returns), window)
    mean, spread = windows.mean(axis=1), windows.std(axis=1, ddof=1)
    ratio = np.full(len(mean), np.nan)
    np.divide(mean, spread, out=ratio, where=spread > 0)
    return _padded(ratio * math.sqrt(TRADING_DAYS), len(returns))


def rolling_beta(returns: np.ndarray, benchmark: np.ndarray, window: int) -> np.ndarray:
    """Return the beta to the benchmark of each window of returns, shape (R,); NaN also where that did not move."""
    mine, other = (_windows(values, window) for values in checked_pair(returns, benchmark))
    gaps = other - other.mean(axis=1, keepdims=True)
    square = (gaps * gaps).sum(axis=1)
    beta = np.full(len(square), np.nan)
    np.divide((gaps * mine).sum(axis=1), square, out=beta, where=square > 0)
    return _padded(beta, len(returns))


def _windows(values: np.ndarray, window: int) -> np.ndarray:
    if window < 2:
        raise InvalidRequest(f"a window must have at least 2 returns, was {window}")
    if len(values) < window:
        return np.zeros((0, window))
    return np.asarray(np.lib.stride_tricks.sliding_window_view(values, window))


def _padded(values: np.ndarray, count: int) -> np.ndarray:
    return np.concatenate([np.full(count - len(values), np.nan), values])
