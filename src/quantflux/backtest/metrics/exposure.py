"""How an account was invested: how much, in how many names, in which industries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.backtest.run import Run
from quantflux.factors.universe import Industries


@dataclass(frozen=True)
class Exposure:
    """Parts of the account's value after each of some rows, R in number.

    Attributes
    ----------
    invested, cash : array of float64, shape (R,)
        Add up to 1.
    names : array of int64, shape (R,)
        Held.
    largest : array of float64, shape (R,)
        Weight of the largest name.
    effective : array of float64, shape (R,)
        1 over the sum of squared parts of what is invested: the number of equal positions that would be as
        concentrated; 0 where nothing is held.
    industries : array of float64, shape (R, G + 1), or None
        Weight of each industry; the last column is of names without one.
    industry_names : tuple of str
    """

    invested: np.ndarray
    cash: np.ndarray
    names: np.ndarray
    largest: np.ndarray
    effective: np.ndarray
    industries: np.ndarray | None = None
    industry_names: tuple[str, ...] = ()


def exposure(run: Run, rows: np.ndarray, industries: Industries | None = None) -> Exposure:
    """Return how a run was invested after some rows.

    Parameters
    ----------
    run : Run
    rows : array of int, shape (R,)
    industries : Industries, optional
        On the symbols of the run, or on its rows and symbols.
    """
    held, equity = run.holdings, run.equity[rows]
    sizes = held.counts[rows]
    entry = np.repeat(held.offsets[rows] - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
    place = np.repeat(np.arange(len(rows)), sizes)
    weight = held.value[entry] / equity[place]
    invested = np.bincount(place, weights=weight, minlength=len(rows))
    largest = np.zeros(len(rows))
    np.maximum.at(largest, place, weight)
    square = np.bincount(place, weights=weight**2, minlength=len(rows))
    effective = np.divide(invested**2, square, out=np.zeros(len(rows)), where=square > 0)
    within = None
    if industries is not None:
        groups = len(industries.names)
        codes = industries.laid_on((len(run.times), len(run.symbols)))[rows[place], held.columns[entry]]
        codes = np.where((codes >= 0) & (codes < groups), codes, groups)
        flat = np.bincount(place * (groups + 1) + codes, weights=weight, minlength=len(rows) * (groups + 1))
        within = flat.reshape(len(rows), groups + 1)
    return Exposure(
        invested=invested,
        cash=run.cash[rows] / equity,
        names=sizes,
        largest=largest,
        effective=effective,
        industries=within,
        industry_names=() if industries is None else industries.names,
    )
