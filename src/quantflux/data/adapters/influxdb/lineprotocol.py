"""Writes Arrow tables as InfluxDB line protocol, a column at a time.

1. Each column becomes a column of text fragments (`,close=10.5`), empty where the value is null.
2. The fragments of a row are joined; every row ends with a newline.
3. Arrow keeps a column of text as one block of bytes with offsets, so any run of rows is a slice of that block: the
   body of a request, without a copy. Batches, and the halves of a refused batch, are such slices.

Floats are written in the shortest form that reads back to the same 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from quantflux.core.errors import InvalidData
from quantflux.data.adapters.influxdb.layout import instants, is_text, masks, tag_names, value_fields
from quantflux.data.schema import Dataset, Field, FieldType

_TAG_SPECIALS = r"([,= ])"
_STRING_SPECIALS = r'(["\\])'
_TIME = "__time"


@dataclass(frozen=True)
class Lines:
    """Rows as line protocol: row i is bytes `offsets[i]` to `offsets[i + 1]` of `block`."""

    block: memoryview
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def body(self, start: int, stop: int) -> memoryview:
        """Return rows `start` to `stop` (exclusive) as the body of a request."""
        return self.block[self.offsets[start] : self.offsets[stop]]

    def batches(self, max_lines: int, max_bytes: int) -> Iterator[tuple[int, int]]:
        """Yield (start, stop) of batches within both limits; a longer line travels alone."""
        start = 0
        while start < len(self):
            fits = int(np.searchsorted(self.offsets, self.offsets[start] + max_bytes, side="right")) - 1
            stop = min(max(fits, start + 1), start + max_lines, len(self))
            yield start, stop
            start = stop


def encode(data: Dataset, table: pa.Table) -> Lines:
    """Return conformed rows as line protocol.

    Parameters
    ----------
    data : Dataset
    table : pyarrow.Table
        As `conform.conform` returns it.

    Raises
    ------
    InvalidData
        If an extra key is empty or ends with a backslash: a tag cannot hold that.
    """
    for name in data.extra_keys:
        _check_tag(data, name, table.column(name))
    times = instants(data, table.column(data.time))
    frame = pl.DataFrame(table.drop_columns([data.time]).append_column(_TIME, times))
    parts = [*_tags(data), *_fields(data), pl.lit(" "), pl.col(_TIME).cast(pl.String), pl.lit("\n")]
    rows = frame.select(pl.concat_str(parts).alias("line")).to_series().rechunk()
    column = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, block = column.buffers()
    width = len(column) + 1 + column.offset
    places = np.frombuffer(offsets, dtype=np.int64, count=width)[column.offset :]
    return Lines(memoryview(block) if block is not None else memoryview(b""), places)


def _check_tag(data: Dataset, name: str, values: pa.ChunkedArray) -> None:
    if not pa.types.is_string(values.type):
        return
    for value in values.unique().to_pylist():
        if not value or value.endswith("\\"):
            raise InvalidData(
                f"{data.name}.{name}: InfluxDB keeps this key as a tag, which can neither be empty nor end with a"
                f" backslash; found {value!r}",
                dataset=data.name,
                column=name,
                rule="must be a tag value",
            )


def _tags(data: Dataset) -> Iterator[pl.Expr]:
    yield pl.lit(data.name)
    for name in tag_names(data):
        yield pl.lit(f",{name}=")
        if name == "exchange":
            yield pl.col("symbol").str.slice(7)
        else:
            yield pl.col(name).cast(pl.String).str.replace_all(_TAG_SPECIALS, r"\$1")


def _fields(data: Dataset) -> Iterator[pl.Expr]:
    """Yield the field fragments. A field that is always there comes first, so that all others begin with a comma."""
    lead = " "
    for mask in masks(data):
        bits = [pl.col(f).is_null().cast(pl.Int64) * (1 << i) for i, f in enumerate(mask.fields)]
        yield pl.lit(f"{lead}{mask.name}=")
        yield pl.sum_horizontal(bits).cast(pl.String)
        yield pl.lit("i")
        lead = ","
    for field in value_fields(data):
        yield _fragment(field, lead)
        lead = ","


def _fragment(field: Field, lead: str) -> pl.Expr:
    column = pl.col(field.name)
    text = column.cast(pl.String)
    parts = [pl.lit(f"{lead}{field.name}="), text]
    if is_text(field):
        parts = [pl.lit(f'{lead}{field.name}="'), text.str.replace_all(_STRING_SPECIALS, r"\$1"), pl.lit('"')]
    elif field.type is FieldType.INTEGER:
        parts.append(pl.lit("i"))
    return pl.concat_str(parts, ignore_nulls=False).fill_null("")
