"""Builds one segment from the store.

1. `_axes`: read the segment's rows once, noting which symbols and days occur, and keep the batches as long as they
   are few.
2. Reserve the file, full of NaN, and scatter the kept batches into it (`Layout.scatter`); if they were too many to
   keep, read the rows a second time. So memory is bounded by `KEPT_BYTES` and a batch, whatever the segment's size.
3. Write the description, then rename the finished folder to its name.

The caller holds the dataset's lock and checks afterwards that nobody wrote to the segment meanwhile.
"""

from __future__ import annotations

import logging
import shutil
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.data.contract import MarketStore, Query
from quantflux.data.panels.layout import Layout, NotExactError
from quantflux.data.panels.manifest import Entry, State
from quantflux.data.panels.segment import META, SegmentMeta, create_values

KEPT_BYTES = 256 * 2**20
"""Batches of a segment are kept in memory up to this size; a year of 3,000 symbols takes about 60 MB."""

_log = logging.getLogger(__name__)


class SegmentMovedError(Exception):
    """Rows appeared while the segment was being read."""


@dataclass
class _Axes:
    symbols: pa.Array
    days: npt.NDArray[np.int32]
    kept: list[pa.RecordBatch] | None


def build_segment(store: MarketStore, layout: Layout, key: str, root: Path) -> Entry:
    """Build the segment of `key` under `root` and return its manifest entry.

    Raises
    ------
    OSError
        If the disk is full or may not be written. Nothing is left behind.
    SegmentMovedError
        If another writer added rows while they were being read.
    """
    span = layout.span_of(key)
    query = Query(layout.dataset, None, span.first, span.last, layout.numeric)
    axes = _axes(store.iter_batches(query), layout)
    if len(axes.symbols) == 0:
        return Entry(State.EMPTY)
    name = f"{key}-{uuid4().hex[:12]}"
    unfinished = root / f"{name}.new"
    unfinished.mkdir(parents=True)
    try:
        batches = axes.kept if axes.kept is not None else store.iter_batches(query)
        size = _write(unfinished, layout, key, axes, batches)
        unfinished.rename(root / name)
    except NotExactError as reason:
        _log.warning("%s %s stays out of the panel tier: %s", layout.dataset.name, key, reason)
        return Entry(State.INEXACT)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Entry(State.READY, name, size)


def _axes(batches: Iterable[pa.RecordBatch], layout: Layout) -> _Axes:
    symbols: set[str] = set()
    days: set[int] = set()
    kept: list[pa.RecordBatch] | None = []
    total = 0
    for batch in batches:
        symbols.update(pc.unique(batch.column("symbol")).to_pylist())
        days.update(np.unique(layout.days_of(batch)).tolist())
        total += batch.nbytes
        if total > KEPT_BYTES:
            kept = None
        elif kept is not None:
            kept.append(batch)
    return _Axes(pa.array(sorted(symbols), pa.string()), np.array(sorted(days), dtype=np.int32), kept)


def _write(folder: Path, layout: Layout, key: str, axes: _Axes, batches: Iterable[pa.RecordBatch]) -> int:
    cells = layout.shape(len(axes.days), len(axes.symbols))
    mapped, values = create_values(folder, (len(layout.layers), *cells))
    targets = {name: values[i] for i, name in enumerate(layout.layers)}
    for batch in batches:
        if not layout.scatter(batch, axes.days, axes.symbols, targets):
            raise SegmentMovedError(f"{layout.dataset.name} {key} grew while it was being read")
    size = len(mapped)
    meta = SegmentMeta(
        layout.dataset.name,
        key,
        layout.layers,
        tuple(axes.symbols.to_pylist()),
        tuple(axes.days.tolist()),
        zlib.crc32(mapped),
    )
    (folder / META).write_bytes(meta.encode())
    return size
