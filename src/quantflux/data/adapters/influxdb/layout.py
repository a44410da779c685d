"""How a dataset lies in InfluxDB: one measurement, its tags, its fields, its times.

* The measurement has the dataset's name. Tags are `symbol`, `exchange` (the part of the symbol after the dot) and
  the dataset's extra keys; nothing else is ever a tag, so a row has exactly one series.
* A daily row stands at 00:00 UTC of its day. The day is then a whole multiple of 86,400 s and does not depend on a
  time zone (Shanghai kept summer time until 1991). A minute bar stands at the instant of its close.
* Floats are floats, integers are integers, dates are ISO text, because that is what a person or another tool reads.
* InfluxDB has no null, and rewriting a point merges its fields with the old ones: a value that became null would
  stay. So a dataset with optional fields always writes one integer more, `nulls`, whose bit i is set where the
  i-th field of the dataset is null (63 to an integer; wider datasets go on with `nulls_2` ...). Reading masks by it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.clock import trading_date
from quantflux.data.schema import Dataset, Field, FieldType, TimeKind

DAY_NS = 86_400_000_000_000
MASK_BITS = 63
"""An InfluxDB integer is a signed 64-bit number; the sign bit stays out of it."""

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Mask:
    """One integer field that says which of `fields` are null: bit i for `fields[i]`."""

    name: str
    fields: tuple[str, ...]


def quote(name: str) -> str:
    """Return an identifier of a schema as InfluxQL writes it; refuse anything else.

    Examples
    --------
    >>> quote("close")
    '"close"'
    """
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"{name!r} is not an identifier of a dataset")
    return f'"{name}"'


def value_fields(data: Dataset) -> tuple[Field, ...]:
    """Return the fields that are InfluxDB fields, not tags."""
    return tuple(f for f in data.fields if f.name not in data.extra_keys)


@cache
def masks(data: Dataset) -> tuple[Mask, ...]:
    """Return the null masks of a dataset: none if all its fields are required.

    Examples
    --------
    >>> from quantflux.data.schema import DAILY
    >>> [mask.name for mask in masks(DAILY)]
    ['nulls']
    """
    fields = value_fields(data)
    if all(f.required for f in fields):
        return ()
    names = [f.name for f in fields]
    groups = [tuple(names[i : i + MASK_BITS]) for i in range(0, len(names), MASK_BITS)]
    return tuple(Mask("nulls" if i == 0 else f"nulls_{i + 1}", group) for i, group in enumerate(groups))


def masks_for(data: Dataset, columns: Sequence[str]) -> tuple[Mask, ...]:
    """Return the masks that a read of `columns` needs.

    A read of required fields alone needs none. A read without any required field needs at least one, because
    InfluxDB leaves out a point that has none of the fields asked for, and a mask is always there.
    """
    required = {f.name for f in data.fields if f.required}
    if required.issuperset(columns) and columns:
        return ()
    optional = set(columns) - required
    needed = tuple(m for m in masks(data) if optional.intersection(m.fields))
    return needed or masks(data)[:1]


def tag_names(data: Dataset) -> tuple[str, ...]:
    """Return the tags in the order InfluxDB likes them."""
    return tuple(sorted(("exchange", "symbol", *data.extra_keys)))


def instants(data: Dataset, times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a time column as nanoseconds since 1970, UTC."""
    if data.kind is TimeKind.DAY:
        return pc.multiply(times.cast(pa.int32()).cast(pa.int64()), DAY_NS)
    return pc.multiply(times.cast(pa.int64()), 1000)


def day_at(data: Dataset, nanoseconds: int) -> date:
    """Return the day of a row from its time in InfluxDB."""
    if data.kind is TimeKind.DAY:
        return date(1970, 1, 1) + timedelta(days=nanoseconds // DAY_NS)
    return trading_date(datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC))


def is_text(field: Field) -> bool:
    """Whether a field travels as a quoted string."""
    return field.type in (FieldType.TEXT, FieldType.DATE)
