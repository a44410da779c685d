"""One immutable file of panel values, mapped into memory.

A segment is a folder with `values.bin`, the float64 array of `Layout`, and `meta.json`, which says what is in it.
It is never changed: a newer one gets another folder, and whoever has mapped this one keeps it until they let go, even
after it is deleted.

Nothing here waits for the disk. Checksums of both files are checked whenever a segment is opened (3 GB/s), so what a
power cut tears is noticed and built again, which is cheaper than five syncs for each of a hundred segments.
"""

from __future__ import annotations

import json
import mmap
import os
import zlib
from bisect import bisect_left, bisect_right
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from quantflux.data.panels.layout import Layout
from quantflux.data.sessions import Floats

VALUES, META = "values.bin", "meta.json"
_ITEM = np.dtype("<f8").itemsize


class DamagedSegmentError(Exception):
    """The files of a segment do not agree with each other; the message says how."""


@dataclass(frozen=True)
class SegmentMeta:
    """What a segment says of itself.

    Attributes
    ----------
    key : str
        Its year or month.
    layers, symbols, days : tuples
        The axes; days as days since 1970.
    checksum : int
        CRC-32 of `values.bin`.
    """

    dataset: str
    key: str
    layers: tuple[str, ...]
    symbols: tuple[str, ...]
    days: tuple[int, ...]
    checksum: int

    def encode(self) -> bytes:
        """Return it as JSON, sealed with a checksum of its own."""
        body = json.dumps(asdict(self), separators=(",", ":")).encode()
        return b"%08x\n" % zlib.crc32(body) + body

    @classmethod
    def decode(cls, raw: bytes) -> SegmentMeta:
        """Read what `encode` wrote, or raise `DamagedSegmentError`."""
        seal, _, body = raw.partition(b"\n")
        if seal != b"%08x" % zlib.crc32(body):
            raise DamagedSegmentError(f"{META} fails its checksum")
        fields: dict[str, Any] = json.loads(body)
        for name in ("layers", "symbols", "days"):
            fields[name] = tuple(fields[name])
        return cls(**fields)


class Segment:
    """An open segment.

    Attributes
    ----------
    values : read-only array of shape [layer, day, symbol] or [layer, day, symbol, 240]
    days : sorted array of int32
    symbols : tuple of str, sorted
    """

    def __init__(self, name: str, meta: SegmentMeta, values: Floats) -> None:
        self.name = name
        self.key = meta.key
        self.symbols = meta.symbols
        self._days = meta.days
        self.days: npt.NDArray[np.int32] = np.array(meta.days, dtype=np.int32)
        self.values = values
        self.column = {symbol: i for i, symbol in enumerate(meta.symbols)}
        self.layer = {name: i for i, name in enumerate(meta.layers)}

    def rows(self, first: int | None, last: int | None) -> slice:
        """Return which rows of the day axis lie in `first .. last`, both inclusive; None is open."""
        low = 0 if first is None else bisect_left(self._days, first)
        high = len(self._days) if last is None else bisect_right(self._days, last)
        return slice(low, max(low, high))


def open_segment(folder: Path, layout: Layout) -> Segment:
    """Map a segment into memory.

    Raises
    ------
    FileNotFoundError
        If it was replaced meanwhile: read the manifest again.
    DamagedSegmentError
        If its files are cut short, altered, or of another layout.
    """
    meta = SegmentMeta.decode((folder / META).read_bytes())
    if meta.dataset != layout.dataset.name or meta.layers != layout.layers:
        raise DamagedSegmentError(f"holds {meta.dataset} with {', '.join(meta.layers)}")
    shape = (len(meta.layers), *layout.shape(len(meta.days), len(meta.symbols)))
    size = int(np.prod(shape)) * _ITEM
    handle = os.open(folder / VALUES, os.O_RDONLY)
    try:
        found = os.fstat(handle).st_size
        if found != size:
            raise DamagedSegmentError(f"{VALUES} has {found} bytes instead of {size}")
        mapped = mmap.mmap(handle, size, prot=mmap.PROT_READ)
    finally:
        os.close(handle)
    if zlib.crc32(mapped) != meta.checksum:
        raise DamagedSegmentError(f"{VALUES} fails its checksum")
    return Segment(folder.name, meta, np.frombuffer(mapped, dtype="<f8").reshape(shape))


def create_values(folder: Path, shape: tuple[int, ...]) -> tuple[mmap.mmap, Floats]:
    """Create `values.bin`, full of NaN, mapped for writing.

    Its blocks are reserved first: a full disk must be an `OSError` here, not a SIGBUS at some later store.
    """
    size = int(np.prod(shape)) * _ITEM
    handle = os.open(folder / VALUES, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.posix_fallocate(handle, 0, size)
        mapped = mmap.mmap(handle, size)
    finally:
        os.close(handle)
    values = np.frombuffer(mapped, dtype="<f8").reshape(shape)
    values.fill(np.nan)
    return mapped, values
