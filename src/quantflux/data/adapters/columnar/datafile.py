"""Parquet files that notice a flipped bit.

A data file is an ordinary Parquet file with two additions that other readers ignore:

1. Between the last column chunk and the footer stands a block of CRC-32 sums, one per column chunk, row group by
   row group, followed by their number. (Parquet finds its footer from the end, so bytes before it are free.)
2. The file's name ends in the CRC-32 of that block and the footer together.

So the name vouches for the footer, the block for every chunk, and the log, which lists the names under a digest of its
own (see `log`), for the names. Parquet's page checksums would leave page headers and the footer unprotected.
Every chunk is verified each time it is read; that costs about a millisecond per megabyte.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from quantflux.core.errors import StoreCorrupt
from quantflux.data.adapters.columnar.errors import translated
from quantflux.data.schema import Dataset, TimeKind

ROW_GROUP_ROWS = 16_384
"""A read of one symbol decodes one row group, about a millisecond's work. Twice as many rows save 1 % of disk."""

COMPACT_LEVEL = 9
"""zstd level of compacted files: 7 % smaller than level 3 and read as fast, but four times slower to write."""

_LEVEL_KEY = b"quantflux.level"

_TAIL = struct.Struct("<I4s")
_COUNT = struct.Struct("<I")
_MAGIC = b"PAR1"


def encode(data: Dataset, table: pa.Table, level: int) -> tuple[bytes, str]:
    """Return a sorted table as the bytes of a data file, and the file's name.

    Prices of two decimals are smallest as plain doubles under zstd: 2.5 bytes each on random walks, against 2.7 as
    dictionaries and 4.8 as split byte streams. Integers are smallest as split byte streams (3.2 bytes for volumes,
    against 3.5 as deltas), times as deltas.
    """
    integers = [f.name for f in table.schema if pa.types.is_int64(f.type)]
    texts = [f.name for f in table.schema if pa.types.is_string(f.type)]
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression="zstd",
        compression_level=level,
        use_dictionary=texts,
        column_encoding=dict.fromkeys(integers, "BYTE_STREAM_SPLIT") | {data.time: "DELTA_BINARY_PACKED"},
        write_statistics=[n for n in data.key if n in ("symbol", data.time)],
        store_schema=False,
    ) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        writer.add_key_value_metadata({_LEVEL_KEY: str(level)})
    plain = memoryview(sink.getvalue())
    footer_bytes, _ = _TAIL.unpack(plain[-_TAIL.size :])
    split = len(plain) - _TAIL.size - footer_bytes
    sums = [
        zlib.crc32(plain[at : at + size])
        for at, size in _chunks(pq.read_metadata(pa.BufferReader(plain))).reshape(-1, 2)
    ]
    tail = np.array(sums, "<u4").tobytes() + _COUNT.pack(len(sums)) + plain[split:]
    return b"".join((plain[:split], tail)), f"{uuid4().hex}-{zlib.crc32(tail):08x}.parquet"


def store(path: Path, content: bytes) -> None:
    """Write a new file and wait until the disk has it; leave nothing behind on failure."""
    with translated(path, "write"):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def sync_directory(path: Path) -> None:
    """Wait until the disk has the directory's entries."""
    with translated(path, "sync"):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _chunks(metadata: pq.FileMetaData) -> np.ndarray:
    """Return offset and length of every column chunk, of shape (row groups, columns, 2)."""
    places = np.empty((metadata.num_row_groups, metadata.num_columns, 2), dtype=np.int64)
    for group in range(metadata.num_row_groups):
        described = metadata.row_group(group)
        for column in range(metadata.num_columns):
            chunk = described.column(column)
            start = chunk.data_page_offset
            if chunk.has_dictionary_page:
                start = min(start, chunk.dictionary_page_offset)
            places[group, column] = start, chunk.total_compressed_size
    return places


@dataclass(frozen=True, slots=True)
class GroupBounds:
    """What one row group holds: first and last symbol, first and last time (as stored integers), rows."""

    first_symbol: str
    last_symbol: str
    first_time: int
    last_time: int
    rows: int


class DataFile:
    """An open data file, safe to read from several threads. It stays readable when its name is deleted."""

    def __init__(self, path: Path, data: Dataset) -> None:
        self.path = path
        self.data = data
        with translated(path, "read"):
            self._source = pa.OSFile(str(path), "rb")
            self.bytes: int = self._source.size()
            self._metadata, self._sums = self._open()

    def _open(self) -> tuple[pq.FileMetaData, np.ndarray]:
        """Read the checksum block and the footer, once the name has vouched for them."""
        promised = self.path.stem.rpartition("-")[2]
        end = self.bytes - _TAIL.size
        try:
            footer_bytes, magic = _TAIL.unpack(self._source.read_at(_TAIL.size, end))
            (count,) = _COUNT.unpack(self._source.read_at(_COUNT.size, end - footer_bytes - _COUNT.size))
            start = end - footer_bytes - _COUNT.size - 4 * count
            if start < 0:
                raise ValueError("the footer is longer than the file")
            head, tail = self._source.read_at(len(_MAGIC), 0), self._source.read_at(self.bytes - start, start)
        except (ValueError, OSError, struct.error) as exc:
            raise self._corrupt("its end is damaged or missing") from exc
        if not (head == magic == _MAGIC and f"{zlib.crc32(tail):08x}" == promised):
            raise self._corrupt("its footer fails its checksum")
        footer = _MAGIC + tail[4 * count + _COUNT.size :]
        return pq.read_metadata(pa.BufferReader(footer)), np.frombuffer(tail[: 4 * count], "<u4")

    def _corrupt(self, why: str) -> StoreCorrupt:
        return StoreCorrupt(f"{self.path} of {self.data.name} cannot be trusted: {why}", str(self.path))

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return int(self._metadata.num_rows)

    @property
    def compacted(self) -> bool:
        """Whether it was written by compaction."""
        return (self._metadata.metadata or {}).get(_LEVEL_KEY) == str(COMPACT_LEVEL).encode()

    @cached_property
    def columns(self) -> list[str]:
        """Its columns, in order."""
        return list(self._metadata.schema.names)

    @cached_property
    def groups(self) -> list[GroupBounds]:
        """Bounds of every row group."""
        symbol, time = self.columns.index("symbol"), self.columns.index(self.data.time)
        result = []
        for index in range(self._metadata.num_row_groups):
            group = self._metadata.row_group(index)
            names, times = group.column(symbol).statistics, group.column(time).statistics
            result.append(GroupBounds(names.min, names.max, times.min_raw, times.max_raw, group.num_rows))
        return result

    @cached_property
    def symbols(self) -> frozenset[str]:
        """The symbols that have rows in it."""
        found: set[str] = set()
        for index in range(len(self.groups)):
            found.update(
                self.read_group(index, ("symbol",)).column("symbol").combine_chunks().dictionary.to_pylist()
            )
        return frozenset(found)

    @cached_property
    def _places(self) -> np.ndarray:
        return _chunks(self._metadata)

    def read_group(self, index: int, columns: tuple[str, ...]) -> pa.Table:
        """Return one row group, verified: `columns` in that order, the symbol dictionary-encoded."""
        present = [name for name in columns if name in self.columns]
        with translated(self.path, "read"):
            self._verify(index, present)
            reader = pq.ParquetFile(self._source, metadata=self._metadata, read_dictionary=["symbol"])
            table = reader.read_row_group(index, columns=present, use_threads=False)
        arrays = [self._in_type(table, name) for name in columns]
        return pa.Table.from_arrays(arrays, names=list(columns))

    def _in_type(self, table: pa.Table, name: str) -> pa.ChunkedArray:
        """Return a column in the dataset's type; one that the file lacks, since it came later, is null."""
        wanted = self.data.schema.field(name).type
        if name not in table.column_names:
            return pa.chunked_array([pa.nulls(table.num_rows, wanted)])
        column = table.column(name)
        return column if name == "symbol" or column.type == wanted else column.cast(wanted)

    def _verify(self, index: int, columns: list[str]) -> None:
        for name in columns:
            column = self.columns.index(name)
            at, size = (int(v) for v in self._places[index, column])
            promised = int(self._sums[index * len(self.columns) + column])
            if zlib.crc32(self._source.read_at(size, at)) != promised:
                raise self._corrupt(f"column {name} of row group {index} fails its checksum")


def parquet_schema(data: Dataset) -> pa.Schema:
    """Return the dataset's schema as files hold it: instants in UTC."""
    if data.kind is TimeKind.DAY:
        return data.schema
    index = data.schema.get_field_index(data.time)
    return data.schema.set(index, data.schema.field(index).with_type(pa.timestamp("us", tz="UTC")))
