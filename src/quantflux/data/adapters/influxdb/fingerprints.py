"""A 64-bit number for every row, the same whenever and wherever it is computed.

A row's hash is the sum (mod 2^64) over its value columns of a mixed 64-bit form of the value, salted with the column's
name; a null adds nothing. So a field appended to a schema, null in all older rows, leaves their hashes as they were.
Polars' and Python's own hashes change between versions and processes, which a record kept for years must not.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.data.schema import Dataset, TimeKind

MINUTES_A_DAY = 1_440
SEPARATOR = "\x1f"
ABSENT = 0
"""No row has this hash: it stands for "may not be there"."""


def fingerprints(data: Dataset, rows: pa.Table) -> pl.DataFrame:
    """Return the place and the hash of every row, in the order given.

    Parameters
    ----------
    data : Dataset
    rows : pyarrow.Table
        In `data.schema`.

    Returns
    -------
    DataFrame
        series (the key without the time), tick (days or minutes since 1970, UTC) and hash.
    """
    names = ["symbol", *data.extra_keys]
    series = pl.DataFrame(rows.select(names)).select(
        pl.concat_str([pl.col(n).cast(pl.String) for n in names], separator=SEPARATOR)
    )
    return pl.DataFrame(
        {"series": series.to_series(), "tick": _ticks(data, rows), "hash": row_hashes(data, rows)}
    )


def row_hashes(data: Dataset, rows: pa.Table) -> np.ndarray:
    """Return the hash of every row's values, never `ABSENT`, as uint64."""
    total = np.zeros(rows.num_rows, np.uint64)
    for name in data.value_names:
        column = rows.column(name).combine_chunks()
        mixed = _mixed(_bits(column) ^ _digest(name))
        if column.null_count:
            mixed[pc.is_null(column).to_numpy(zero_copy_only=False)] = 0
        total += mixed
    total[total == ABSENT] = 1
    return total


def days_of(data: Dataset, ticks: pl.Expr) -> pl.Expr:
    """Return the day of a tick. All minutes of a Shanghai session lie in the same UTC day."""
    days = ticks if data.kind is TimeKind.DAY else ticks // MINUTES_A_DAY
    return days.cast(pl.Int32).cast(pl.Date)


def _ticks(data: Dataset, rows: pa.Table) -> np.ndarray:
    times = rows.column(data.time)
    if data.kind is TimeKind.DAY:
        return np.asarray(times.cast(pa.int32()).to_numpy()).astype(np.int64)
    return np.asarray(times.cast(pa.int64()).to_numpy()) // 60_000_000


def _bits(column: pa.Array) -> np.ndarray:
    """Return values as 64 bits each; what stands for a null does not matter."""
    if pa.types.is_floating(column.type):
        floats = pc.fill_null(column, 0.0).to_numpy(zero_copy_only=False) + 0.0  # -0.0 is 0.0
        return np.asarray(floats).view(np.uint64)
    if pa.types.is_string(column.type):
        coded = column.dictionary_encode()
        digests = np.array([_digest(text) for text in coded.dictionary.to_pylist()] or [_digest("")])
        return np.asarray(digests[pc.fill_null(coded.indices, 0).to_numpy(zero_copy_only=False)])
    if pa.types.is_date(column.type):
        column = column.cast(pa.int32())
    integers = pc.fill_null(column.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    return np.asarray(integers).view(np.uint64)


@cache
def _digest(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little"))


def _mixed(bits: np.ndarray) -> np.ndarray:
    """Scatter each number over all 64 bits, in place: the finaliser of Steele et al., "SplitMix" (OOPSLA 2014)."""
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits
