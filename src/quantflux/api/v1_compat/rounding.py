"""Numbers as v1 told them: rounded, null where there is none, in the units of its tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

LOT = 100
"""Shares in the unit of v1's volumes."""

THOUSAND, TEN_THOUSAND = 1_000, 10_000
"""Yuan in the units of v1's amounts: of bars, and of money flow and market values."""


def number(value: float | np.floating[Any], digits: int | None = None) -> float | None:
    """Return a plain number, None for what is none.

    Examples
    --------
    >>> number(np.float32(0.5)), number(float("nan")), number(1 / 3, 4)
    (0.5, None, 0.3333)
    """
    if not math.isfinite(value):
        return None
    return float(value) if digits is None else round(float(value), digits) + 0.0


def whole(value: float | np.floating[Any]) -> int | None:
    """Return a whole number, None for what is none.

    Examples
    --------
    >>> whole(123.6), whole(float("nan"))
    (124, None)
    """
    return round(float(value)) if math.isfinite(value) else None


def numbers(values: np.ndarray, digits: int | None = None) -> list[float | None]:
    """Return a column of plain numbers."""
    return [number(value, digits) for value in values.tolist()]


def days(times: np.ndarray) -> list[str]:
    """Return days as ISO text.

    Examples
    --------
    >>> days(np.array(["2024-01-02"], dtype="datetime64[D]"))
    ['2024-01-02']
    """
    return [str(day) for day in times.astype("datetime64[D]")]


def rows(columns: dict[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return columns as one mapping a row.

    Examples
    --------
    >>> rows({"a": [1, 2], "b": "xy"})
    [{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'y'}]
    """
    return [dict(zip(columns, each, strict=True)) for each in zip(*columns.values(), strict=True)]
