"""What trading cost, and how much was traded."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

import numpy as np

from quantflux.backtest.run import Run
from quantflux.factors.evaluation import TRADING_DAYS


@dataclass(frozen=True, slots=True)
class Costs:
    """Yuan paid.

    Attributes
    ----------
    commission, stamp_duty, transfer_fee : float
    slippage : float
        What prices moved against the trader, impact included: part of the prices, not of the fees.
    dividend_tax : float
    """

    commission: float
    stamp_duty: float
    transfer_fee: float
    slippage: float
    dividend_tax: float

    @property
    def total(self) -> float:
        """All of it."""
        return math.fsum(astuple(self))


def costs_of(run: Run) -> Costs:
    """Return what a run paid altogether."""
    log = run.log
    paid = (log.commission, log.stamp_duty, log.transfer_fee, log.slippage, run.dividend_tax)
    return Costs(*(float(yuan.sum()) for yuan in paid))


def yearly_costs(run: Run) -> dict[np.datetime64, Costs]:
    """Return what a run paid in each calendar year from its first decision on."""
    log = run.log
    years, year_of = np.unique(run.times.astype("datetime64[Y]"), return_inverse=True)
    sums = [
        np.bincount(year_of[log.row], weights=yuan, minlength=len(years))
        for yuan in (log.commission, log.stamp_duty, log.transfer_fee, log.slippage)
    ]
    sums.append(np.bincount(year_of, weights=run.dividend_tax, minlength=len(years)))
    begun = int(year_of[run.first]) if len(run.times) else 0
    return {years[y]: Costs(*(float(yuan[y]) for yuan in sums)) for y in range(begun, len(years))}


def yearly_rate(amount: float, equity: np.ndarray) -> float:
    """Return an amount of yuan as a fraction a year of what an account was worth on average.

    Parameters
    ----------
    amount : float
    equity : array of float64, shape (T,)
        At the close of each day, the first row being the start; NaN is returned for a start alone.
    """
    years = (len(equity) - 1) / TRADING_DAYS
    return amount / float(equity.mean()) / years if years > 0 else math.nan


def turnover(run: Run, equity: np.ndarray) -> float:
    """Return bought plus sold, halved, over the mean value of the account, by the year; see `yearly_rate`."""
    return yearly_rate(float(run.log.amount.sum()) / 2, equity)
