"""What a series of daily returns amounts to."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from quantflux.factors.evaluation.significance import newey_west_t

TRADING_DAYS = 244
"""Trading days in a year at the Chinese exchanges, on average."""


@dataclass(frozen=True, slots=True)
class Record:
    """A series of daily returns in numbers; NaN where too few are known.

    Attributes
    ----------
    annual : float
        Mean times 244.
    volatility : float
        Standard deviation times the root of 244.
    sharpe : float
        Their ratio.
    t_value : float
        Of the mean, with Newey and West's allowance for autocorrelation.
    max_drawdown : float
        Largest loss from a former peak of the compounded series, as a positive fraction.
    """

    annual: float
    volatility: float
    sharpe: float
    t_value: float
    max_drawdown: float


def record_of(returns: np.ndarray) -> Record:
    """Return the record of daily returns, shape (T,); NaN is left out.

    Examples
    --------
    >>> record = record_of(np.array([0.1, float("nan"), -0.5, 0.2]))
    >>> round(record.annual / 244, 6), round(record.max_drawdown, 6)
    (-0.066667, 0.5)
    """
    known = returns[~np.isnan(returns)]
    if len(known) < 3:
        return Record(math.nan, math.nan, math.nan, math.nan, math.nan)
    mean, deviation = float(known.mean()), float(known.std(ddof=1))
    value = np.cumprod(1 + known)
    peak = np.maximum.accumulate(np.maximum(value, 1.0))
    return Record(
        annual=mean * TRADING_DAYS,
        volatility=deviation * math.sqrt(TRADING_DAYS),
        sharpe=mean / deviation * math.sqrt(TRADING_DAYS) if deviation > 0 else math.nan,
        t_value=newey_west_t(known),
        max_drawdown=float(np.max(1 - value / peak)),
    )
