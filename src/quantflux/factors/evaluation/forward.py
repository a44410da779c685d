"""What a name earns after a signal: as one can earn it, and as it looks on paper.

A signal is known at the close of day t. The tradable way, it is bought at the open of day t+1, if the name trades
then and does not open at its upper limit, and sold `horizon` days later at the open of day t+1+horizon. A name that is
suspended or opens at its lower limit on that day stays where it is until the first open at which it can be sold; one
that never can be, because it is delisted, is worth its last price.

On paper everything can be had at any close: from the close of day t, at which the signal itself is only just known, to
the close `horizon` days later.
"""

from __future__ import annotations

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.factors.universe import Market


def forward_returns(market: Market, horizon: int) -> np.ndarray:
    """Return the return from the next open to the first open, `horizon` days or more after it, that lets one out.

    The outcome of a name that is stuck at the end of the data is its last price so far: more data may revise it.

    Returns
    -------
    array of float64, shape (T, N)
        Fractions; NaN where the name cannot be bought at the next open, and in the last horizon + 1 rows.
    """
    _check(horizon)
    entry = np.where(market.buyable, market.at_open, np.nan)
    return _ahead(entry, market.proceeds, first=1, horizon=horizon)


def paper_returns(market: Market, horizon: int) -> np.ndarray:
    """Return the return from this close to the close `horizon` days later, the last one of a suspended name.

    Returns
    -------
    array of float64, shape (T, N)
        Fractions; NaN where there was no trade on the day itself, and in the last `horizon` rows.
    """
    _check(horizon)
    return _ahead(market.panel["close"], market.at_close, first=0, horizon=horizon)


def _check(horizon: int) -> None:
    if horizon < 1:
        raise InvalidRequest(f"a horizon must be at least 1 day, was {horizon}")


def _ahead(entry: np.ndarray, value: np.ndarray, first: int, horizon: int) -> np.ndarray:
    out = np.full(value.shape, np.nan)
    rows = max(len(value) - first - horizon, 0)
    np.divide(value[first + horizon :], entry[first : first + rows], out=out[:rows])
    out[:rows] -= 1
    return out
