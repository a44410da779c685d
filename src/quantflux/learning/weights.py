"""How much each cell counts while a model learns.

Weights compare the cells that they are made for; nothing but their proportions means anything. Of a whole data set, the
decayed ones of an old fold are all small: they are to be brought to a mean of 1 before a model sees them, whose own
penalties would outweigh them. Several of them multiply, in this order: first what compares the cells of a day
(`balanced`), then `within_days`, then what compares days (`decayed`), whose work `within_days` would undo.
"""

from __future__ import annotations

import numpy as np

from quantflux.core.errors import InvalidRequest

_LEAST = np.finfo(np.float32).tiny
"""The smallest weight: below it a float32 loses digits, and soon all of them."""


def decayed(row: np.ndarray, half_life_rows: float) -> np.ndarray:
    """Return weights that halve with age, counted back from the newest of the rows given, which has 1.

    Parameters
    ----------
    row : array of int, shape (K,)
    half_life_rows : float
        After how many rows a weight is halved; positive.

    Returns
    -------
    array of float32, shape (K,)
        Positive: what is older than 126 half-lives counts as that old.

    Raises
    ------
    InvalidRequest
        If the half-life is not positive.

    Examples
    --------
    >>> decayed(np.array([0, 10, 20]), 10).tolist()
    [0.25, 0.5, 1.0]
    """
    if not half_life_rows > 0:
        raise InvalidRequest(f"a half-life must be more than 0 days, was {half_life_rows}")
    age = np.max(row, initial=0) - row
    return np.asarray(np.maximum(np.exp2(-age / half_life_rows), _LEAST), dtype=np.float32)


def balanced(classes: np.ndarray) -> np.ndarray:
    """Return weights that give each class that occurs the same total; their mean is 1.

    Parameters
    ----------
    classes : array, shape (K,)
        The class of each cell.

    Returns
    -------
    array of float32, shape (K,)

    Examples
    --------
    >>> balanced(np.array([0, 0, 0, 0, 2])).tolist()
    [0.625, 0.625, 0.625, 0.625, 2.5]
    """
    return _levelled(np.ones(len(classes)), np.asarray(classes))


def within_days(weight: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Return the weights scaled so that each day has the same total, however many names it has; their mean is 1.

    Parameters
    ----------
    weight : array, shape (K,)
        Positive.
    row : array of int, shape (K,)
        The day of each cell.

    Returns
    -------
    array of float32, shape (K,)

    Examples
    --------
    >>> within_days(np.array([1.0, 3.0, 5.0]), np.array([7, 7, 8])).tolist()
    [0.375, 1.125, 1.5]
    """
    return _levelled(np.asarray(weight, dtype=np.float64), np.asarray(row))


def _levelled(weight: np.ndarray, group: np.ndarray) -> np.ndarray:
    groups, place = np.unique(group, return_inverse=True)
    totals = np.bincount(place, weights=weight, minlength=len(groups))
    equal = len(weight) / max(len(groups), 1)
    return np.asarray(weight * (equal / totals)[place], dtype=np.float32)
