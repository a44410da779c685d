"""Picks the best names of each decision, row after row, with a buffer for those that were picked before."""

from __future__ import annotations

import numpy as np

from quantflux.expressions.kernels.contract import jit


@jit
def pick_best(
    score: np.ndarray,
    rows: np.ndarray,
    top: int,
    share: float,
    buffer: int,
    least: int,
    columns: np.ndarray,
    counts: np.ndarray,
) -> int:
    """Fill `columns` with the names picked on each row, and `counts` with how many there are; return their sum.

    `top` names are picked, or where that is 0 a `share` of those with a score. A row with fewer than `least` scores
    has the count -1 and changes nothing for the buffer of the next.
    """
    total = 0
    width = score.shape[1]
    was_picked = np.zeros(width, np.bool_)
    known, place = np.empty(width), np.empty(width, np.int64)
    for k in range(len(rows)):
        count = 0
        for column in range(width):
            value = score[rows[k], column]
            if not np.isnan(value):
                known[count] = -value
                place[count] = column
                count += 1
        if count < least or count == 0:
            counts[k] = -1
            continue
        wanted = min(top if top > 0 else max(int(np.round(count * share)), 1), count)
        best = _first(known[:count], place[:count], min(wanted + buffer, count))
        counts[k] = wanted
        _pick(best, wanted, was_picked, columns[total : total + wanted])
        was_picked[:] = False
        for column in columns[total : total + wanted]:
            was_picked[column] = True
        total += wanted
    return total


@jit
def _first(keys: np.ndarray, place: np.ndarray, count: int) -> np.ndarray:
    """Return the places of the smallest keys in their order; equal keys keep the order of places."""
    bound = np.partition(keys, count - 1)[count - 1]
    ties = count - np.count_nonzero(keys < bound)
    chosen, key = np.empty(count, np.int64), np.empty(count)
    found = 0
    for i in range(len(keys)):
        if keys[i] < bound or (keys[i] == bound and ties > 0):
            if keys[i] == bound:
                ties -= 1
            chosen[found], key[found] = place[i], keys[i]
            found += 1
    return chosen[np.argsort(key, kind="mergesort")]


@jit
def _pick(best: np.ndarray, wanted: int, was_picked: np.ndarray, out: np.ndarray) -> None:
    """Pick those of the best that were picked before, then the best of the others."""
    found = 0
    if len(best) > wanted:
        for column in best:
            if was_picked[column] and found < wanted:
                out[found] = column
                found += 1
    for i in range(len(best)):
        if found < wanted and not (len(best) > wanted and was_picked[best[i]]):
            out[found] = best[i]
            found += 1
