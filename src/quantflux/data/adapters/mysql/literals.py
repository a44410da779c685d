"""Whole Arrow columns become SQL literals, exactly: what the server would change on storing is refused or rounded.

A DECIMAL(p, s) column whose unit is 10**shift of ours keeps a value x exactly if some decimal with s places, times
10**shift, parses to x. With u = round(x * 10**(s - shift)) that is checked without any decimal arithmetic: below
2**53 the double division u / 10**(s - shift) is correctly rounded, so it equals x just when u names x. Larger
values go through `decimal.Decimal`, one by one.

A FLOAT column keeps x exactly if x is the shortest decimal that names the nearest 32-bit number (see `wire.py`).

Literals are made of digits, signs, dots, quotes around dates and hexadecimal text: nothing a value holds can end one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.clock import SHANGHAI
from quantflux.core.errors import InvalidData, InvalidRequest, Unsupported
from quantflux.data.adapters.mysql.layout import Storage, Stored
from quantflux.data.adapters.mysql.wire import hexadecimal

Rounding = Literal["refuse", "v1"]

_EXACT = 2.0**53
_CONTEXT = Context(prec=60)
_NULL = "NULL"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a field goes: its dataset and name (for messages), the stored column, the shift between their units.

    `given` maps a row to its place in the caller's table, for messages.
    """

    dataset: str
    field: str
    stored: Stored
    shift: int = 0
    rounding: Rounding = "refuse"
    given: Callable[[int], int] = int

    @property
    def kind(self) -> str:
        """The column's type in SQL words."""
        s = self.stored
        return (
            f"DECIMAL({s.precision},{s.scale})" if s.storage is Storage.DECIMAL else s.storage.value.upper()
        )


def literals(values: pa.ChunkedArray, target: Target) -> pa.Array:
    """Return a column's literals as an Arrow string array.

    Raises
    ------
    InvalidData
        Naming the first row whose value the column cannot hold.
    """
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    storage = target.stored.storage
    if not target.stored.nullable:
        array = _without_nulls(array, target)
    if storage is Storage.TEXT:
        texts = _compact_days(array) if pa.types.is_date(array.type) else array
        return _hexadecimal(texts, target)
    if storage in (Storage.DATE, Storage.DATETIME):
        return _quoted_time(array)
    if storage is Storage.INTEGER:
        return _integers(array, target).cast(pa.string()).fill_null(_NULL)
    if storage is not Storage.DOUBLE:  # which holds any double as it is
        array = _decimals(array, target) if storage is Storage.DECIMAL else _singles(array, target)
    return array.cast(pa.string()).fill_null(_NULL)


def rows_of(columns: list[pa.Array]) -> pa.Array:
    """Return one string "(a,b,c)" per row."""
    head, *rest = columns
    last = rest.pop() if rest else None
    opened = pc.binary_join_element_wise("(", head, "")
    if last is None:
        return pc.binary_join_element_wise(opened, ")", "")
    return pc.binary_join_element_wise(opened, *rest, pc.binary_join_element_wise(last, ")", ""), ",")


def _without_nulls(array: pa.Array, target: Target) -> pa.Array:
    if not array.null_count:
        return array
    if target.rounding == "v1" and pa.types.is_floating(array.type):
        return array.fill_null(0.0)  # v1's models default to 0
    raise _refusal(target, array, pc.is_null(array), "v1's column cannot be empty", "must have a value")


def _refusal(target: Target, array: pa.Array, bad: pa.Array, why: str, rule: str) -> InvalidData:
    rows = np.flatnonzero(bad.to_numpy(zero_copy_only=False))
    first = int(rows[0])
    row = target.given(first)
    hint = (
        "" if target.rounding == "v1" else '; open the store with rounding="v1" to store what v1 would have'
    )
    message = f"{target.dataset}.{target.field}: {why}: {array[first].as_py()!r} in row {row} ({len(rows)} rows in all)"
    return InvalidData(
        message + hint, dataset=target.dataset, column=target.field, rule=rule, row=row, count=len(rows)
    )


def _integers(array: pa.Array, target: Target) -> pa.Array:
    """Return whole stored units: lots for shares."""
    if pa.types.is_floating(array.type):
        raise Unsupported(f"column {target.stored.name} holds integers, {target.field} is a float")
    if target.shift:
        unit = 10**target.shift
        numbers = array.fill_null(0).to_numpy()
        units, rest = np.divmod(numbers, unit)
        if target.rounding == "refuse" and rest.any():
            why = f"{target.kind} holds multiples of {unit} only"
            raise _refusal(target, array, pa.array(rest != 0), why, "representable")
        units = units + (2 * rest >= unit)  # v1's loader let the server round halves up
        array = pa.array(units, mask=array.is_null().to_numpy(zero_copy_only=False))
    limit = 2 ** (target.stored.precision - 1)  # int64 itself cannot exceed a BIGINT
    outside = pc.or_(pc.greater(array, limit - 1), pc.less(array, -limit)).fill_null(False)
    if pc.any(outside).as_py():
        raise _refusal(target, array, outside, f"outside the range of {target.kind}", "range")
    return array


def _singles(array: pa.Array, target: Target) -> pa.Array:
    """Return values that a 32-bit column gives back as they are, or the nearest under v1's rounding."""
    with np.errstate(over="ignore"):
        single = array.fill_null(0.0).to_numpy().astype(np.float32)
    mask = array.is_null().to_numpy(zero_copy_only=False)
    if not np.isfinite(single).all():
        raise _refusal(target, array, pa.array(~np.isfinite(single)), "too large for FLOAT", "range")
    named = pa.array(single, mask=mask).cast(pa.string()).cast(pa.float64())
    changed = pc.not_equal(named, array).fill_null(False)
    if target.rounding == "refuse" and pc.any(changed).as_py():
        raise _refusal(
            target, array, changed, "FLOAT keeps about seven digits and would change", "representable"
        )
    return named


def _decimals(array: pa.Array, target: Target) -> pa.Array:
    """Return the column's decimals in its own unit, as decimal128."""
    places = target.stored.scale - target.shift
    if pa.types.is_integer(array.type):
        array = array.cast(pa.float64())
    numbers = array.fill_null(0.0).to_numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        units = np.rint(numbers * 10.0**places if places >= 0 else numbers / 10.0**-places)
        back = units / 10.0**places if places >= 0 else units * 10.0**-places
        # Where units x 10**n is not exact the comparison could be fooled, so those go the slow way too.
        easy = (
            (np.abs(units) < _EXACT)
            & (np.abs(back) < _EXACT)
            & (back == numbers)
            & ~((numbers == 0) & np.signbit(numbers))
        )
    fast = pa.array(np.where(easy, units, 0).astype(np.int64)).cast(pa.decimal128(38, 0))
    result = pa.Array.from_buffers(pa.decimal128(38, target.stored.scale), len(fast), fast.buffers())
    if not easy.all():
        hard = np.flatnonzero(~easy)
        exact = [_one_decimal(float(numbers[row]), target) for row in hard]
        lost = np.zeros(len(numbers), dtype=bool)
        lost[hard] = [changed for _, changed in exact]
        if target.rounding == "refuse" and lost.any():
            unit = f" x {10**target.shift}" if target.shift else ""
            why = f"{target.kind}{unit} would change it"
            raise _refusal(target, array, pa.array(lost), why, "representable")
        result = pc.replace_with_mask(result, pa.array(~easy), pa.array([d for d, _ in exact], result.type))
    edge = pa.scalar(Decimal(10) ** (target.stored.precision - target.stored.scale), result.type)
    outside = pc.greater_equal(pc.abs(result), edge)
    if pc.any(outside).as_py():
        raise _refusal(target, array, outside, f"outside the range of {target.kind}", "range")
    return pc.if_else(array.is_null(), pa.scalar(None, result.type), result)


def _one_decimal(value: float, target: Target) -> tuple[Decimal, bool]:
    """Return the stored decimal nearest to a value's shortest spelling, and whether that changes the value.

    Halves go away from zero, as the server rounds.
    """
    exact = Decimal(repr(value))
    step = Decimal(1).scaleb(-target.stored.scale)
    stored = exact.scaleb(-target.shift, _CONTEXT)
    if abs(stored) >= Decimal(10) ** 20:
        return Decimal(10) ** 20, False  # out of any column's range: found by the caller's check
    rounded = stored.quantize(step, ROUND_HALF_UP, _CONTEXT)
    lost = float(rounded.scaleb(target.shift, _CONTEXT)) != value
    return rounded, lost or (value == 0)  # a zero comes here only with a sign, which no decimal keeps


def _quoted_time(array: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(array.type):
        wall = pc.local_timestamp(array.cast(pa.timestamp("us", SHANGHAI.key))).cast(pa.timestamp("s"))
        text = pc.strftime(wall, format="%Y-%m-%d %H:%M:%S")
    elif pa.types.is_date(array.type):
        text = array.cast(pa.string())
    else:
        raise InvalidRequest(f"a time column cannot hold {array.type}")
    return pc.binary_join_element_wise("'", text, "'", "").fill_null(_NULL)


def _compact_days(array: pa.Array) -> pa.Array:
    return pc.replace_substring(array.cast(pa.string()), "-", "")


def _hexadecimal(array: pa.Array, target: Target) -> pa.Array:
    encoded = array.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    long = pa.array([len(text) > target.stored.precision for text in texts], pa.bool_())
    if pc.any(long).as_py():
        bad = long.take(encoded.indices).fill_null(False)
        raise _refusal(target, array, bad, f"longer than {target.stored.precision} characters", "length")
    spelled = pa.array([hexadecimal(text) for text in texts], pa.string())
    return spelled.take(encoded.indices).fill_null(_NULL)
