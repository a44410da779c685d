"""What a holding earns after a signal, entered the way one can enter: at the next open.

A signal is known at the close of day t. It is bought at the open of day t+1, if the name trades then and does not
open at its upper limit, and valued `horizon` days later at the open of day t+1+horizon. On days without trade the
last close is its value, so a suspended or delisted name keeps its place with its last price and nobody escapes the
average by vanishing. That such a name, or one that opens at its lower limit, cannot be sold is the backtest's matter.
"""

from __future__ import annotations

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.factors.universe import Market


def forward_returns(market: Market, horizon: int) -> np.ndarray:
    """Return the return from the next open to the open `horizon` days after it.

    Returns
    -------
    array of float64, shape (T, N)
        Fractions; NaN where the name cannot be bought at the next open, and in the last horizon + 1 rows.
    """
    _check(horizon)
    entry = np.where(market.buyable, market.at_open, np.nan)
    return _ahead(entry, market.at_open, first=1, horizon=horizon)


def paper_returns(market: Market, horizon: int) -> np.ndarray:
    """Return the return from this close to the close `horizon` days later: what a careless study would use.

    Buys at a price that is only known when the signal is, limits and suspensions or not.
    """
    _check(horizon)
    return _ahead(market.panel["close"], market.at_close, first=0, horizon=horizon)


def holding_returns(market: Market) -> np.ndarray:
    """Return the return of a name held from the open of day t-1 to the open of day t, shape (T, N)."""
    out = np.full(market.at_open.shape, np.nan)
    out[1:] = market.at_open[1:] / market.at_open[:-1] - 1
    return out


def _check(horizon: int) -> None:
    if horizon < 1:
        raise InvalidRequest(f"a horizon must be at least 1 day, was {horizon}")


def _ahead(entry: np.ndarray, value: np.ndarray, first: int, horizon: int) -> np.ndarray:
    out = np.full(value.shape, np.nan)
    rows = max(len(value) - first - horizon, 0)
    out[:rows] = value[first + horizon :] / entry[first : first + rows] - 1
    return out
