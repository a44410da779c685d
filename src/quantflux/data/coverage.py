"""Which symbols a dataset has, from when to when, in how many rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from quantflux.data.panels import Block, Layout

SCHEMA = pa.schema(
    [("symbol", pa.string()), ("first", pa.date32()), ("last", pa.date32()), ("rows", pa.int64())]
)
"""A row for each symbol, sorted: first and last day with a row, and the number of rows."""


def coverage_of_blocks(blocks: Sequence[Block]) -> pa.Table:
    """Return the coverage of panels, given as blocks in any number."""
    return _merged([_of_block(block) for block in blocks])


def coverage_of_batches(batches: Iterable[pa.RecordBatch], layout: Layout) -> pa.Table:
    """Return the coverage of rows as a store streams them."""
    return _merged([_of_batch(batch, layout) for batch in batches if batch.num_rows])


def _of_block(block: Block) -> pa.Table:
    present = block.present
    rows = present.sum(axis=2, dtype=np.int64) if present.ndim == 3 else present
    counts = rows.sum(axis=0, dtype=np.int64)
    have = np.flatnonzero(counts)
    days = rows[:, have] > 0
    first = block.days[np.argmax(days, axis=0)]
    last = block.days[len(days) - 1 - np.argmax(days[::-1], axis=0)]
    return _table(pa.array(block.symbols, pa.string()).take(pa.array(have)), first, last, counts[have])


def _of_batch(batch: pa.RecordBatch, layout: Layout) -> pa.Table:
    days = pa.table({"symbol": batch.column("symbol"), "day": layout.days_of(batch)})
    found = days.group_by("symbol").aggregate([("day", "min"), ("day", "max"), ("day", "count")])
    return _table(found["symbol"], found["day_min"], found["day_max"], found["day_count"])


def _table(symbols: pa.Array, first: object, last: object, rows: object) -> pa.Table:
    return pa.table({"symbol": symbols, "first": first, "last": last, "rows": rows}).cast(SCHEMA)


def _merged(parts: Sequence[pa.Table]) -> pa.Table:
    every = pa.concat_tables([SCHEMA.empty_table(), *parts])
    merged = every.group_by("symbol").aggregate([("first", "min"), ("last", "max"), ("rows", "sum")])
    return merged.rename_columns(SCHEMA.names).cast(SCHEMA).sort_by("symbol")
