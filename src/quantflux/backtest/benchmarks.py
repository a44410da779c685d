"""The market itself as an account: all names in equal weights, or weighted by their market value.

Benchmarks trade at the same prices and meet the same limits and suspensions as a strategy, but pay nothing and know no
lots: what a strategy earns beyond them is its choice, less its costs.
"""

from __future__ import annotations

import numpy as np

from quantflux.backtest.decisions import Decisions, Kind
from quantflux.backtest.execution import Execution, Fill, Rule
from quantflux.backtest.run import Run
from quantflux.backtest.simulator import simulate
from quantflux.backtest.venue import Venue
from quantflux.core.errors import InvalidRequest

_BARRIERS = frozenset({Rule.SUSPENSION, Rule.LIMITS})


def equal_weighted(
    venue: Venue,
    chosen: np.ndarray,
    rows: np.ndarray,
    *,
    fill: Fill = Fill.OPEN,
    capital: float = 10_000_000.0,
) -> Run:
    """Return an account that holds the same of every chosen name.

    Parameters
    ----------
    venue : Venue
    chosen : array of bool, shape (T, N)
    rows : array of int
        At whose close the weights are set anew, increasing; rows without a chosen name are passed over.
    fill : Fill
    capital : float
        Yuan.

    Raises
    ------
    InvalidRequest
        If no row has a chosen name.
    """
    return _weighted(venue, chosen[rows].astype(np.float64), rows, fill, capital)


def cap_weighted(
    venue: Venue,
    chosen: np.ndarray,
    rows: np.ndarray,
    *,
    fill: Fill = Fill.OPEN,
    capital: float = 10_000_000.0,
) -> Run:
    """Return an account that holds chosen names by their market value; see `equal_weighted`.

    Raises
    ------
    InvalidRequest
        If the venue knows no market values, or no row has a chosen name with one.
    """
    if venue.capitalisation is None:
        raise InvalidRequest("the venue knows no market values; use an equal-weighted benchmark")
    size = np.nan_to_num(venue.capitalisation[venue.day[rows]])
    return _weighted(venue, np.where(chosen[rows], size, 0.0), rows, fill, capital)


def _weighted(venue: Venue, size: np.ndarray, rows: np.ndarray, fill: Fill, capital: float) -> Run:
    total = size.sum(axis=1)
    size, rows, total = size[total > 0], np.asarray(rows)[total > 0], total[total > 0]
    place, column = np.nonzero(size)
    weights = size[place, column] / total[place]
    decisions = Decisions.of(rows, Kind.REPLACE, np.bincount(place, minlength=len(rows)), column, weights)
    return simulate(venue, decisions, Execution(fill=fill, rules=_BARRIERS), capital)
