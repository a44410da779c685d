"""Units that vendors use, and how they become ours: yuan, shares, ratios and percent.

Each source declares the unit of each of its columns once and converts at its edge; inside there are no lots and
no thousands.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.errors import InvalidRequest

_SIZES: Mapping[str, Mapping[str, Fraction]] = {
    "money": {
        "yuan": Fraction(1),
        "thousand_yuan": Fraction(1_000),
        "ten_thousand_yuan": Fraction(10_000),
        "million_yuan": Fraction(1_000_000),
        "hundred_million_yuan": Fraction(100_000_000),
    },
    "quantity": {
        "shares": Fraction(1),
        "lots": Fraction(100),
        "thousand_shares": Fraction(1_000),
        "ten_thousand_shares": Fraction(10_000),
        "million_shares": Fraction(1_000_000),
        "hundred_million_shares": Fraction(100_000_000),
    },
    "proportion": {
        "ratio": Fraction(1),
        "percent": Fraction(1, 100),
        "permille": Fraction(1, 1_000),
        "basis_points": Fraction(1, 10_000),
    },
}
"""The size of each unit in the first of its kind. A lot is 100 shares, as vendors count volume on every board."""

UNIT_FACTORS: Mapping[tuple[str, str], Fraction] = MappingProxyType(
    {(one, other): sizes[one] / sizes[other] for sizes in _SIZES.values() for one in sizes for other in sizes}
)
"""What one unit of the first is in units of the second: `("lots", "shares")` is 100. Powers of ten, all of them."""


def unit_factor(from_unit: str, to_unit: str) -> Fraction:
    """Return what one `from_unit` is in `to_unit`; `InvalidRequest` lists the units it can become.

    Examples
    --------
    >>> unit_factor("percent", "ratio")
    Fraction(1, 100)
    """
    factor = UNIT_FACTORS.get((from_unit, to_unit))
    if factor is not None:
        return factor
    targets = [other for one, other in UNIT_FACTORS if one == from_unit]
    if not targets:
        known = ", ".join(dict.fromkeys(one for one, _ in UNIT_FACTORS))
        raise InvalidRequest(f"no unit is called {from_unit!r}; known: {known}")
    raise InvalidRequest(f"{from_unit} cannot become {to_unit!r}; it can become: {', '.join(targets)}")


@overload
def convert(values: np.ndarray, from_unit: str, to_unit: str) -> np.ndarray: ...
@overload
def convert(values: float, from_unit: str, to_unit: str) -> float: ...
@overload
def convert(values: pa.Array, from_unit: str, to_unit: str) -> Any: ...
def convert(values: Any, from_unit: str, to_unit: str) -> Any:
    """Return values in another unit of the same kind.

    Whole numbers stay whole and exact where the factor is whole (lots to shares); otherwise the result is
    float64, divided rather than multiplied by an inexact reciprocal, so 1 % is 0.01 to the last bit.

    Parameters
    ----------
    values : number, numpy array, Arrow array or chunked array
        NaN and null stay what they are.

    Raises
    ------
    InvalidRequest
        If the units do not measure the same, or a whole number would overflow.

    Examples
    --------
    >>> convert(np.array([3, 12]), "lots", "shares").tolist(), convert(7, "percent", "ratio")
    ([300, 1200], 0.07)
    >>> convert(1.0, "lots", "yuan")
    Traceback (most recent call last):
    quantflux.core.errors.InvalidRequest: lots cannot become 'yuan'; it can become: shares, lots, ...
    """
    factor = unit_factor(from_unit, to_unit)
    if factor == 1:
        return values
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return _convert_arrow(values, factor)
    if isinstance(values, np.ndarray):
        return _convert_numpy(values, factor)
    return values / factor.denominator if factor.denominator > 1 else values * factor.numerator


def _convert_arrow(values: pa.Array, factor: Fraction) -> pa.Array:
    if factor.denominator > 1:
        return pc.divide(values.cast(pa.float64(), safe=False), float(factor.denominator))
    if not pa.types.is_integer(values.type):
        return pc.multiply(values.cast(pa.float64()), float(factor.numerator))
    try:
        return pc.multiply_checked(values.cast(pa.int64()), factor.numerator)
    except pa.ArrowInvalid as error:
        raise InvalidRequest(f"a whole number times {factor} does not fit 64 bits: {error}") from error


def _convert_numpy(values: np.ndarray, factor: Fraction) -> np.ndarray:
    if factor.denominator > 1:
        return np.asarray(values / np.float64(factor.denominator))
    if values.dtype.kind not in "iu":
        return np.asarray(values * np.float64(factor.numerator))
    limit = np.iinfo(np.int64).max // factor.numerator
    if values.size and max(-int(values.min()), int(values.max())) > limit:
        raise InvalidRequest(
            f"a whole number times {factor} does not fit 64 bits; the largest that does is {limit}"
        )
    return values.astype(np.int64) * factor.numerator
