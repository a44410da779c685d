"""Numbers a name: one for all or one each, checked against the names of a problem."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from quantflux.core.errors import InvalidRequest


def finite_number(what: str, value: float) -> float:
    """Return a finite number, or refuse it."""
    if not math.isfinite(value):
        raise InvalidRequest(f"{what} must be a finite number, was {value}")
    return float(value)


def vector(what: str, values: np.ndarray, symbols: Sequence[str]) -> np.ndarray:
    """Return one finite float64 for each name, or say which names have none."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (len(symbols),):
        raise InvalidRequest(f"{what} must have shape ({len(symbols)},), one a name; had {array.shape}")
    _refuse(what, ~np.isfinite(array), array, symbols, "finite")
    return array


def spread(what: str, values: float | np.ndarray, symbols: Sequence[str]) -> np.ndarray:
    """Return one finite float64 for each name, from one number for all or one each."""
    if np.ndim(values) == 0:
        return np.full(len(symbols), finite_number(what, float(values)))
    return vector(what, np.asarray(values), symbols)


def spread_limits(
    what: str, lower: float | np.ndarray, upper: float | np.ndarray, symbols: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper limits for each name; they may be infinite, not NaN, and lower is at most upper."""
    low, high = (np.asarray(side, dtype=np.float64) for side in (lower, upper))
    for side in (low, high):
        if side.shape not in {(), (len(symbols),)}:
            raise InvalidRequest(f"limits of {what} must be one or {len(symbols)} numbers, had {side.shape}")
    low, high = (np.broadcast_to(side, (len(symbols),)).copy() for side in (low, high))
    _refuse(f"limits of {what}", np.isnan(low) | np.isnan(high), low, symbols, "numbers")
    _refuse(f"lower limits of {what}", low > high, low, symbols, "at most the upper ones")
    return low, high


def _refuse(what: str, wrong: np.ndarray, values: np.ndarray, symbols: Sequence[str], valid: str) -> None:
    if wrong.any():
        at = np.flatnonzero(wrong)
        names = ", ".join(f"{symbols[i]} ({values[i]:g})" for i in at[:5])
        more = f" and {len(at) - 5} more" if len(at) > 5 else ""
        raise InvalidRequest(f"{what} must be {valid}; not so for {names}{more}")


def positive(what: str, value: float) -> float:
    """Return a finite number above 0, or refuse it."""
    if not 0 < value < math.inf:
        raise InvalidRequest(f"{what} must be a number above 0, was {value}")
    return float(value)
