"""Histories of returns, and the rule by which gaps in them are treated: no return is made up.

Moments of two assets are taken over the days on which both have a return. What comes of different days for different
pairs may fail to be a covariance; `definite.py` mends that, and the model's notes say so. An asset whose history is
too short is refused, by name, rather than given the risk of another or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quantflux.core.errors import InvalidRequest

LEAST_DAYS = 60
"""Days that every pair of assets must share unless said otherwise: about a quarter."""


@dataclass(frozen=True, eq=False)
class History:
    """Returns with their gaps set to zero, and where the gaps are.

    Attributes
    ----------
    symbols : tuple of str, length N
    known : array of bool, shape (T, N)
    values : array of float64, shape (T, N)
        0 where not known: it is always used beside `known`.
    notes : tuple of str
    """

    symbols: tuple[str, ...]
    known: np.ndarray
    values: np.ndarray
    notes: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every asset has a return on every day."""
        return bool(self.known.all())

    def centred(self, weights: np.ndarray) -> np.ndarray:
        """Return the values less each asset's weighted mean over its own days, 0 in gaps; weights of shape (T,)."""
        means = (weights @ self.values) / (weights @ self.known)
        return np.where(self.known, self.values - means, 0.0)


def history_of(returns: np.ndarray, symbols: Sequence[str], least: int = LEAST_DAYS) -> History:
    """Return a checked history.

    Parameters
    ----------
    returns : array of shape (T, N)
        Simple daily returns, fractions; NaN where there is none.
    symbols : sequence of str, length N
    least : int
        Days that every two assets must have in common, at least 2.

    Raises
    ------
    InvalidRequest
        If shapes differ, a return is infinite, or assets have too few days or never move; the message names them.
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(symbols) or not len(symbols):
        raise InvalidRequest(
            f"returns must have shape (days, {len(symbols)} symbols), at least one; had {values.shape}"
        )
    if least < 2:
        raise InvalidRequest(f"least must be 2 days or more, was {least}")
    if np.isinf(values).any():
        raise InvalidRequest(
            f"returns must be finite or NaN; of {_first(np.isinf(values), symbols)} some are not"
        )
    known = ~np.isnan(values)
    _check_days(known, symbols, least)
    still = np.nanmax(values, axis=0) == np.nanmin(values, axis=0)
    if still.any():
        raise InvalidRequest(
            f"the return of {_first(still[None], symbols)} never changes, which is no measure of its risk; leave it out"
        )
    gaps = int(np.count_nonzero(~known))
    notes = (
        f"{gaps / known.size:.2%} of the returns are missing; pairs are measured on the days they share",
    )
    return History(tuple(symbols), known, np.where(known, values, 0.0), notes if gaps else ())


def enough_history(returns: np.ndarray, least: int = LEAST_DAYS) -> np.ndarray:
    """Return which assets the estimators take together, shape (N,): every pair shares at least so many days.

    Of assets that do not, those go first that share too few days with the most others, and among these the one with
    the shorter history.

    Examples
    --------
    >>> enough_history(np.array([[0.1, np.nan], [0.2, np.nan], [0.1, 0.3]]), least=2).tolist()
    [True, False]
    """
    known = ~np.isnan(returns)
    days = np.count_nonzero(known, axis=0)
    kept = np.flatnonzero(days >= least)
    short = _counts(known[:, kept]) < least
    while len(clashes := np.count_nonzero(short, axis=1)) and clashes.max():
        worst = np.lexsort((days[kept], -clashes))[0]
        kept, short = np.delete(kept, worst), np.delete(np.delete(short, worst, 0), worst, 1)
    return np.isin(np.arange(len(days)), kept)


def _check_days(known: np.ndarray, symbols: Sequence[str], least: int) -> None:
    own = known.sum(axis=0)
    if (own < least).any():
        raise InvalidRequest(
            f"{_first((own < least)[None], symbols)} have fewer than {least} daily returns, the fewest {own.min()} of "
            f"{len(known)} days; leave them out, give a longer history, or use the factor model, which needs none"
        )
    if known.all():
        return
    shared = _counts(known)
    i, j = np.unravel_index(int(shared.argmin()), shared.shape)
    if shared[i, j] < least:
        raise InvalidRequest(
            f"{symbols[int(i)]} and {symbols[int(j)]} share {int(shared[i, j])} days with a return, needed are {least} "
            f"({np.count_nonzero(np.triu(shared < least))} such pairs); leave names out or give a longer history"
        )


def _counts(known: np.ndarray) -> np.ndarray:
    """Return on how many days each pair is known, shape (N, N); exact below 2**24 days."""
    flags = known.astype(np.float32)
    return np.asarray(flags.T @ flags)


def _first(flags: np.ndarray, symbols: Sequence[str], most: int = 5) -> str:
    """Name the first few symbols whose column holds a flag."""
    places = np.flatnonzero(flags.any(axis=0))
    more = f" and {len(places) - most} more" if len(places) > most else ""
    return ", ".join(symbols[int(i)] for i in places[:most]) + more
