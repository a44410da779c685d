"""Kernels of the elementwise operators: no past, no state.

Each gives NaN where an operand is NaN, and where the result is not finite: `v + (v - v)` is v for a finite v and NaN
for an infinite one, without a branch. Logarithms and powers are left to NumPy, whose loops over vectors are faster
than a compiled loop of scalar calls; `FINITE` then mends what they return.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from quantflux.expressions.kernels.contract import Kernel, jit

ADD, SUBTRACT, MULTIPLY, DIVIDE, LARGER, SMALLER = 0, 1, 2, 3, 4, 5
GREATER, GREATER_EQUAL, EQUAL, UNEQUAL, AND, OR, MASK = 6, 7, 8, 9, 10, 11, 12

NEGATIVE, ABSOLUTE, SIGN, NOT, FLOOR, FINITE, COPY = 0, 1, 2, 3, 4, 5, 6


@jit
def _binary(
    x: Any, hx: int, y: Any, hy: int, out: Any, ho: int, state: Any, rows: int, t: int, what: int
) -> None:
    width = out.shape[1]
    for i in range(rows):
        a, b, o = x[hx + i], y[hy + i], out[ho + i]
        if what == ADD:
            for j in range(width):
                v = a[j] + b[j]
                o[j] = v + (v - v)
        elif what == SUBTRACT:
            for j in range(width):
                v = a[j] - b[j]
                o[j] = v + (v - v)
        elif what == MULTIPLY:
            for j in range(width):
                v = a[j] * b[j]
                o[j] = v + (v - v)
        elif what == DIVIDE:
            for j in range(width):
                v = a[j] / b[j]
                o[j] = v + (v - v)
        elif what == LARGER:
            for j in range(width):
                v = a[j] if a[j] > b[j] else b[j]
                o[j] = v + (a[j] - a[j])  # the comparison lets a NaN in b through, not one in a
        elif what == SMALLER:
            for j in range(width):
                v = a[j] if a[j] < b[j] else b[j]
                o[j] = v + (a[j] - a[j])
        elif what == MASK:
            for j in range(width):
                o[j] = a[j] if b[j] == b[j] else np.nan
        else:
            _compare(a, b, o, what)


@jit
def _compare(a: Any, b: Any, o: Any, what: int) -> None:
    width = len(o)
    if what == GREATER:
        for j in range(width):
            o[j] = (1.0 if a[j] > b[j] else 0.0) + (a[j] - a[j]) + (b[j] - b[j])
    elif what == GREATER_EQUAL:
        for j in range(width):
            o[j] = (1.0 if a[j] >= b[j] else 0.0) + (a[j] - a[j]) + (b[j] - b[j])
    elif what == EQUAL:
        for j in range(width):
            o[j] = (1.0 if a[j] == b[j] else 0.0) + (a[j] - a[j]) + (b[j] - b[j])
    elif what == UNEQUAL:
        for j in range(width):
            o[j] = (1.0 if a[j] != b[j] else 0.0) + (a[j] - a[j]) + (b[j] - b[j])
    elif what == AND:
        for j in range(width):
            o[j] = (1.0 if (a[j] != 0.0) & (b[j] != 0.0) else 0.0) + (a[j] - a[j]) + (b[j] - b[j])
    elif what == OR:
        for j in range(width):
            o[j] = (1.0 if (a[j] != 0.0) | (b[j] != 0.0) else 0.0) + (a[j] - a[j]) + (b[j] - b[j])


@jit
def _unary(x: Any, hx: int, out: Any, ho: int, state: Any, rows: int, t: int, what: int) -> None:
    width = out.shape[1]
    for i in range(rows):
        a, o = x[hx + i], out[ho + i]
        if what == NEGATIVE:
            for j in range(width):
                o[j] = -a[j]
        elif what == ABSOLUTE:
            for j in range(width):
                o[j] = abs(a[j])
        elif what == SIGN:
            for j in range(width):
                o[j] = (1.0 if a[j] > 0.0 else 0.0) - (1.0 if a[j] < 0.0 else 0.0) + (a[j] - a[j])
        elif what == NOT:
            for j in range(width):
                o[j] = (1.0 if a[j] == 0.0 else 0.0) + (a[j] - a[j])
        elif what == FLOOR:
            for j in range(width):
                o[j] = np.floor(a[j])  # math.floor would go through an integer, which has no NaN
        elif what == FINITE:
            for j in range(width):
                o[j] = a[j] + (a[j] - a[j])
        else:
            for j in range(width):
                o[j] = a[j]


@jit
def _where(
    c: Any, hc: int, x: Any, hx: int, y: Any, hy: int, out: Any, ho: int, state: Any, rows: int, t: int
) -> None:
    width = out.shape[1]
    for i in range(rows):
        k, a, b, o = c[hc + i], x[hx + i], y[hy + i], out[ho + i]
        for j in range(width):
            o[j] = (a[j] if k[j] != 0.0 else b[j]) + (k[j] - k[j])


@jit
def _clip(x: Any, hx: int, out: Any, ho: int, state: Any, rows: int, t: int, low: float, high: float) -> None:
    width = out.shape[1]
    for i in range(rows):
        a, o = x[hx + i], out[ho + i]
        for j in range(width):
            v = a[j]
            v = low if v < low else v
            o[j] = high if v > high else v


BINARY = Kernel("binary", _binary, 2, 1, (int,), cost=lambda what: 0.6)
UNARY = Kernel("unary", _unary, 1, 1, (int,), cost=lambda what: 0.4)
WHERE = Kernel("where", _where, 3, 1, cost=lambda: 0.8)
CLIP = Kernel("clip", _clip, 1, 1, (float, float), cost=lambda low, high: 0.4)
