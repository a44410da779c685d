"""Cross-section ranks and correlations, row by row, all rows at once.

Rank correlations need the ranks among the names that have *both* values, which differ for every pair of arrays. To
sort each array only once:

1. `SortedRows` sorts every row of an array and notes which neighbours are equal;
2. `ranks(among)` counts, along that order, the names that take part: their running count is their rank, and equal
   values share the mean of their ranks.

Rows are worked on some dozens at a time: whole arrays would pass through memory a dozen times for every pair.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

_PIECE = 64


class SortedRows:
    """An array of shape (T, N) with the order of each of its rows; NaN stands last."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.there = ~np.isnan(values)
        rows, columns = values.shape
        order = np.argsort(values, axis=1) + np.arange(rows)[:, None] * columns
        self._cell = order.ravel()  # which cell stands at a sorted position
        self._position = np.empty_like(self._cell)  # at which sorted position a cell stands
        self._position[self._cell] = np.arange(values.size)

    @cached_property
    def _ties(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sorted positions in runs of equal values, and the first and last position of each one's run."""
        rows, columns = self.values.shape
        ordered = self.values.ravel()[self._cell].reshape(rows, columns)
        same = np.zeros((rows, columns + 1), dtype=bool)  # same[:, i]: position i equals the one before it
        same[:, 1:columns] = ordered[:, 1:] == ordered[:, :-1]
        tied = np.flatnonzero(same[:, :-1] | same[:, 1:])
        starts = ~same[:, :-1].ravel()[tied]
        run = np.cumsum(starts) - 1
        first = tied[starts]
        length = np.bincount(run, minlength=len(first))
        return tied, first[run], (first + length - 1)[run]

    def ranks(self, among: np.ndarray, first: int = 0) -> np.ndarray:
        """Return ranks 1 .. n among the chosen names of each row, ties sharing their mean; 0 elsewhere.

        Parameters
        ----------
        among : array of bool, shape (R, N)
            Names that take part; those whose value is NaN never do.
        first : int
            The row of the array that the first row of `among` speaks of.

        Examples
        --------
        >>> SortedRows(np.array([[5.0, 1.0, 5.0, np.nan]])).ranks(np.ones((1, 4), dtype=bool)).tolist()
        [[2.5, 1.0, 2.5, 0.0]]
        """
        start = first * among.shape[1]
        part = slice(start, start + among.size)
        among = among & self.there[first : first + len(among)]
        taking = among.astype(np.float64).ravel()[self._cell[part] - start]
        count = np.cumsum(taking.reshape(among.shape), axis=1).ravel()
        tied, head, tail = self._ties
        some = slice(*np.searchsorted(tied, (part.start, part.stop)))
        low, high = head[some] - start, tail[some] - start
        count[tied[some] - start] = (count[low] - taking[low] + 1 + count[high]) / 2
        return np.where(among, count[self._position[part] - start].reshape(among.shape), 0.0)


def rank_correlation(one: SortedRows, two: SortedRows, among: np.ndarray, least: int) -> np.ndarray:
    """Return Spearman's correlation of each row over the names that have both values; shape (T,).

    Rows with fewer than `least` such names, or in which all values of one side are equal, are NaN.
    """
    out = np.empty(len(among))
    for first in range(0, len(among), _PIECE):
        rows = slice(first, first + _PIECE)
        both = one.there[rows] & two.there[rows] & among[rows]
        out[rows] = _correlation_of_ranks(
            one.ranks(both, first), two.ranks(both, first), both.sum(axis=1), least
        )
    return out


def _correlation_of_ranks(x: np.ndarray, y: np.ndarray, count: np.ndarray, least: int) -> np.ndarray:
    # Ranks are halves of whole numbers and zero outside, so these sums are exact and need no centring first.
    squared_mean = count * ((count + 1) / 2) ** 2
    joint, own_x, own_y = (np.einsum("tn,tn->t", a, b) - squared_mean for a, b in ((x, y), (x, x), (y, y)))
    return _quotient(joint, own_x, own_y, count, least)


def row_correlation(one: np.ndarray, two: np.ndarray, among: np.ndarray, least: int) -> np.ndarray:
    """Return Pearson's correlation of each row over the chosen names; shape (T,). NaN as in `rank_correlation`.

    Examples
    --------
    >>> x = np.array([[1.0, 2.0, 3.0]])
    >>> row_correlation(x, -x, np.ones((1, 3), dtype=bool), least=3).tolist()
    [-1.0]
    """
    count = among.sum(axis=1)
    x, y = _centred(one, among, count), _centred(two, among, count)
    joint = np.einsum("tn,tn->t", x, y)
    own_x, own_y = np.einsum("tn,tn->t", x, x), np.einsum("tn,tn->t", y, y)
    return _quotient(joint, own_x, own_y, count, least)


def _quotient(
    joint: np.ndarray, own_x: np.ndarray, own_y: np.ndarray, count: np.ndarray, least: int
) -> np.ndarray:
    out = np.full(len(count), np.nan)
    scale = np.sqrt(own_x * own_y)
    np.divide(joint, scale, out=out, where=(count >= least) & (scale > 0))
    return np.asarray(np.clip(out, -1.0, 1.0))


def _centred(values: np.ndarray, among: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return deviations from each row's mean over the chosen names, 0 elsewhere."""
    chosen = np.where(among, values, 0.0)
    mean = chosen.sum(axis=1) / np.maximum(count, 1)
    return np.where(among, chosen - mean[:, None], 0.0)
