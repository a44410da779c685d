"""Turns labels into the grades that rankings learn from."""

from __future__ import annotations

import numpy as np


def grades_in_day(label: np.ndarray, row: np.ndarray, grades: int) -> np.ndarray:
    """Return the grade of each cell among those of its day: equally many of each, the largest labels the highest.

    Parameters
    ----------
    label : array of float, shape (K,)
        Equal labels of a day have equal grades.
    row : array of int, shape (K,)
        Its day, not decreasing.
    grades : int

    Returns
    -------
    array of int32, shape (K,)
        0 .. grades - 1.

    Examples
    --------
    >>> grades_in_day(np.array([0.3, 0.1, 0.2, 0.4, 9.0, 8.0]), np.array([0, 0, 0, 0, 1, 1]), 2).tolist()
    [1, 0, 0, 1, 1, 0]
    """
    order = np.lexsort((label, row))
    days, sorted_label = row[order], label[order]
    _, first, size = np.unique(days, return_index=True, return_counts=True)
    start, many = np.repeat(first, size), np.repeat(size, size)
    place = np.arange(len(label))
    fresh = np.ones(len(label), dtype=bool)
    fresh[1:] = (days[1:] != days[:-1]) | (sorted_label[1:] != sorted_label[:-1])
    lowest = np.maximum.accumulate(np.where(fresh, place, 0)) - start
    found = np.empty(len(label), dtype=np.int32)
    found[order] = lowest * grades // many
    return found
