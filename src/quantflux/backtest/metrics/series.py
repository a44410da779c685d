"""Series of values and of returns. Returns are fractions by the day; a year has 244 trading days."""

from __future__ import annotations

import math

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.factors.evaluation import TRADING_DAYS

_NOISE = 1e-9
"""A deviation this small beside the mean is what rounding leaves of a constant."""


def daily_returns(equity: np.ndarray) -> np.ndarray:
    """Return each day's return on the day before, shape (T - 1,).

    Parameters
    ----------
    equity : array of float64, shape (T,)
        What the account was worth at each close, yuan.

    Raises
    ------
    InvalidRequest
        If a value is missing, or one but the last is not above zero: nothing can be earned on nothing.

    Examples
    --------
    >>> daily_returns(np.array([100.0, 110.0, 99.0])).round(6).tolist()
    [0.1, -0.1]
    """
    found = np.asarray(equity, dtype=np.float64)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise InvalidRequest(
            f"values of an account must be finite numbers in one row, had shape {found.shape}"
        )
    if (found[:-1] <= 0).any():
        row = int(np.argmax(found[:-1] <= 0))
        raise InvalidRequest(
            f"an account must be worth more than nothing to have returns; row {row} is {found[row]:g} yuan"
        )
    return np.asarray(found[1:] / found[:-1] - 1)


def checked(returns: np.ndarray) -> np.ndarray:
    """Return a series of returns, shape (R,), as float64; `InvalidRequest` if it has a gap or another shape."""
    found = np.asarray(returns, dtype=np.float64)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise InvalidRequest(
            f"returns must be finite numbers in one row, had shape {found.shape} with "
            f"{int((~np.isfinite(found)).sum())} that are not; leave days without a return out"
        )
    return found


def checked_pair(returns: np.ndarray, benchmark: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two series of returns of the same days; `InvalidRequest` if they differ in length."""
    mine, other = checked(returns), checked(benchmark)
    if len(mine) != len(other):
        raise InvalidRequest(
            f"returns and those of the benchmark must be of the same days, had {len(mine)} and {len(other)}"
        )
    return mine, other


def total_return(returns: np.ndarray) -> float:
    """Return what the returns compound to.

    Examples
    --------
    >>> round(total_return(np.array([0.1, 0.1])), 6)
    0.21
    """
    return float(np.prod(1 + checked(returns)) - 1)


def annual_return(returns: np.ndarray) -> float:
    """Return the constant return a year that compounds to the same: geometric; NaN without returns.

    Examples
    --------
    >>> round(annual_return(np.full(488, 1.21 ** (1 / 488) - 1)), 6)  # 21 % in two years
    0.1
    """
    found = checked(returns)
    return float((1 + total_return(found)) ** (TRADING_DAYS / len(found)) - 1) if len(found) else math.nan


def deviation(values: np.ndarray) -> float:
    """Return the sample's standard deviation; 0 for what is constant up to rounding, NaN for fewer than two."""
    if len(values) < 2:
        return math.nan
    found = float(values.std(ddof=1))
    return found if found > _NOISE * abs(float(values.mean())) else 0.0


def volatility(returns: np.ndarray) -> float:
    """Return the standard deviation of the returns, times the root of 244; NaN for fewer than two."""
    return deviation(checked(returns)) * math.sqrt(TRADING_DAYS)
