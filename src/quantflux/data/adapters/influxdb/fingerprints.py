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

MINUTES_A_DAY, MINUTE_US = 1_440, 60_000_000
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
    times = _times(data, rows)
    hashes = row_hashes(data, rows)
    if data.kind is TimeKind.MINUTE:
        # Damage can move a bar within its minute; no bar that we write has seconds.
        hashes += _mixed((times % MINUTE_US).view(np.uint64))
        times //= MINUTE_US
    return pl.DataFrame({"series": series.to_series(), "tick": times, "hash": hashes})


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
    """Return the Shanghai day of a tick."""
    if data.kind is TimeKind.DAY:
        return ticks.cast(pl.Int32).cast(pl.Date)
    return (ticks * MINUTE_US).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone("Asia/Shanghai").dt.date()


def _times(data: Dataset, rows: pa.Table) -> np.ndarray:
    """Return days or microseconds since 1970, in an array of its own."""
    integers = rows.column(data.time).cast(pa.int32() if data.kind is TimeKind.DAY else pa.int64())
    return np.array(integers.to_numpy(), np.int64)


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
