"""Hands results out of the engine, as float32 or float64; NaN where float32 cannot hold the number."""

from __future__ import annotations

from typing import Any

import numpy as np

from quantflux.expressions.kernels.contract import jit


@jit
def _store_single(x: Any, hx: int, out: Any, first_row: int, first_column: int, rows: int) -> None:
    for i in range(rows):
        a, o = x[hx + i], out[first_row + i, first_column : first_column + x.shape[1]]
        for j in range(x.shape[1]):
            v = np.float32(a[j])
            o[j] = v + (v - v)


@jit
def _store_double(x: Any, hx: int, out: Any, first_row: int, first_column: int, rows: int) -> None:
    for i in range(rows):
        a, o = x[hx + i], out[first_row + i, first_column : first_column + x.shape[1]]
        for j in range(x.shape[1]):
            o[j] = a[j]


def store(x: np.ndarray, hx: int, out: np.ndarray, first_row: int, first_column: int, rows: int) -> None:
    """Copy rows hx .. hx+rows-1 of x to `out`, whose rows and columns begin at the given ones."""
    copy = _store_single if out.dtype == np.float32 else _store_double
    copy(x, hx, out, first_row, first_column, rows)
