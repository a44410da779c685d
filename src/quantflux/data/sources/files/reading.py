"""Opens a file of unknown origin and streams it as Polars frames, within bounds.

Whatever a file claims, memory stays bounded: archives are counted while they expand, headers are measured before
they are parsed, and rows come in batches. Every cell of a CSV arrives as text, so that nothing is guessed here.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from quantflux.core.errors import InvalidData, InvalidRequest

MAX_COLUMNS = 1_000
MAX_HEADER_BYTES = 65_536
MAX_EXPANDED_BYTES = 32 << 30
MAX_RATIO = 100
"""An archive that expands further is a bomb: bars compress 3 to 20 times."""
RATIO_APPLIES_ABOVE = 16 << 20
BLOCK_BYTES = 4 << 20
BATCH_ROWS = 65_536
_SNIFFED = 1 << 18
_DELIMITERS = ",;\t|"

_FOREIGN = {
    b"\x89HDF": "an HDF5 file",
    b"SQLite": "an SQLite database",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"ARROW1": "an Arrow IPC file",
    b"{": "JSON",
    b"[": "JSON",
    b"<": "HTML or XML",
}


@dataclass(frozen=True, slots=True)
class Opened:
    """What was learnt from the first bytes.

    Attributes
    ----------
    form : {"parquet", "csv"}
    header : tuple of str
    encoding, delimiter, packing : str
        For CSV; packing is "", "gzip" or "zip".
    rows : int or None
        Known for Parquet only.
    """

    path: Path
    form: str
    header: tuple[str, ...]
    encoding: str = ""
    delimiter: str = ""
    packing: str = ""
    rows: int | None = None


def open_file(path: Path) -> Opened:
    """Look at a file's first bytes.

    Raises
    ------
    InvalidRequest
        If there is no such file, or it is of a kind we do not read.
    InvalidData
        If it is empty, damaged, or beyond the bounds.
    """
    if not path.is_file():
        raise InvalidRequest(f"{path} is not a file")
    with path.open("rb") as handle:
        magic = handle.read(8)
    if not magic:
        raise _refusal(path, "is empty")
    if magic[:4] == b"PAR1":
        return _open_parquet(path)
    packing = {b"\x1f\x8b": "gzip", b"PK": "zip"}.get(magic[:2], "")
    kind = next((what for start, what in _FOREIGN.items() if magic.startswith(start)), None)
    if kind and not packing:
        raise InvalidRequest(f"{path.name} is {kind}; CSV (plain, gzip or zip) and Parquet can be imported")
    return _open_csv(path, packing)


def batches(opened: Opened, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Yield the file's rows, these columns only, in batches of bounded size.

    Raises
    ------
    InvalidData
        As soon as the file proves to be damaged.
    """
    source = _parquet_batches if opened.form == "parquet" else _csv_batches
    try:
        yield from source(opened, list(dict.fromkeys(columns)))
    except (pa.ArrowException, OSError, EOFError, zlib.error, zipfile.BadZipFile, UnicodeError) as exc:
        if isinstance(exc, InvalidData):
            raise
        raise _refusal(opened.path, f"cannot be read to its end: {_first_line(exc)}") from exc


def _open_parquet(path: Path) -> Opened:
    try:
        file = pq.ParquetFile(path)
        with file:
            _check_width(path, file.metadata.num_columns)
            rows, names = file.metadata.num_rows, file.schema_arrow.names
    except (pa.ArrowException, OSError) as exc:
        raise _refusal(path, f"is not a complete Parquet file: {_first_line(exc)}") from exc
    _check_header(path, names)
    if rows == 0:
        raise _refusal(path, "has a header but no rows")
    return Opened(path, "parquet", tuple(names), rows=rows)


def _parquet_batches(opened: Opened, columns: list[str]) -> Iterator[pl.DataFrame]:
    with pq.ParquetFile(opened.path, pre_buffer=False) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False):
            yield pl.DataFrame(batch)


def _open_csv(path: Path, packing: str) -> Opened:
    try:
        with _expanded(path, packing) as stream:
            head = stream.read(_SNIFFED)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as exc:
        raise _refusal(path, f"is a damaged {packing or 'file'}: {_first_line(exc)}") from exc
    if not head.strip():
        raise _refusal(path, "is empty")
    encoding = _encoding(path, head)
    text = codecs.getincrementaldecoder(encoding)().decode(head)
    line, newline, rest = text.lstrip("\ufeff").partition("\n")
    if len(line.encode()) > MAX_HEADER_BYTES or (not newline and len(head) == _SNIFFED):
        raise _refusal(path, f"has a header line of more than {MAX_HEADER_BYTES} bytes")
    if not rest.strip():
        raise _refusal(path, "has a header but no rows")
    delimiter = max(_DELIMITERS, key=line.count)
    header = next(csv.reader([line.rstrip("\r")], delimiter=delimiter))
    _check_width(path, len(header))
    _check_header(path, header)
    if len(header) < 2:
        raise _refusal(
            path, f"has a single column, {header[0][:40]!r}: no comma, semicolon, tab or bar separates cells"
        )
    return Opened(path, "csv", tuple(header), encoding, delimiter, packing)


def _csv_batches(opened: Opened, columns: list[str]) -> Iterator[pl.DataFrame]:
    read = pa_csv.ReadOptions(
        block_size=BLOCK_BYTES, encoding=opened.encoding, use_threads=False, column_names=None
    )
    parse = pa_csv.ParseOptions(delimiter=opened.delimiter, newlines_in_values=False)
    convert = pa_csv.ConvertOptions(
        column_types={name: pa.string() for name in opened.header},
        include_columns=columns,
        strings_can_be_null=True,
        null_values=["", "-", "--", "null", "NULL", "None", "\\N", "N/A", "NA"],
    )
    with _expanded(opened.path, opened.packing) as stream:
        reader = pa_csv.open_csv(stream, read_options=read, parse_options=parse, convert_options=convert)
        for batch in reader:
            yield pl.DataFrame(batch)


@contextmanager
def _expanded(path: Path, packing: str) -> Iterator[IO[bytes]]:
    if not packing:
        with path.open("rb") as plain:
            yield plain
        return
    limit = _Bound(path)
    if packing == "gzip":
        with gzip.open(path, "rb") as inner:
            yield io.BufferedReader(_Counted(inner, limit))
        return
    with zipfile.ZipFile(path) as archive, archive.open(_only_member(path, archive)) as inner:
        yield io.BufferedReader(_Counted(inner, limit))


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    if len(archive.filelist) > MAX_COLUMNS:
        raise _refusal(path, f"holds {len(archive.filelist)} entries")
    members = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")]
    if len(members) != 1:
        shown = ", ".join(m.filename[:40] for m in members[:5])
        raise _refusal(path, f"must hold exactly one file, holds {len(members)}: {shown}")
    if members[0].flag_bits & 1:
        raise _refusal(path, "is encrypted")
    return members[0]


class _Bound:
    """How far an archive may expand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.packed = path.stat().st_size
        self.seen = 0

    def count(self, size: int) -> None:
        self.seen += size
        ratio = self.seen / max(self.packed, 1)
        if self.seen > MAX_EXPANDED_BYTES or (self.seen > RATIO_APPLIES_ABOVE and ratio > MAX_RATIO):
            raise _refusal(self.path, f"expands more than {MAX_RATIO} times, to over {self.seen >> 20} MiB")


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Counted(io.RawIOBase):
    """A byte stream that tells `_Bound` what passes through it."""

    def __init__(self, inner: _Readable, bound: _Bound) -> None:
        self._inner = inner
        self._bound = bound

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._inner.read(len(buffer))
        self._bound.count(len(data))
        buffer[: len(data)] = data
        return len(data)


def _encoding(path: Path, head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" in head:
        raise _refusal(path, "is binary, and no kind of file that we know")
    for name in ("utf-8-sig", "gb18030"):
        try:
            text = codecs.getincrementaldecoder(name)().decode(head)
        except UnicodeDecodeError:
            continue
        odd = sum(1 for c in text[:4096] if not c.isprintable() and c not in "\r\n\t")
        if odd > len(text[:4096]) // 50:
            break
        return "utf-8" if name == "utf-8-sig" else name
    raise _refusal(path, "is neither UTF-8 nor GB18030 text, and no kind of file that we know")


def _check_width(path: Path, width: int) -> None:
    if width > MAX_COLUMNS:
        raise _refusal(path, f"has {width} columns; at most {MAX_COLUMNS} are read")


def _check_header(path: Path, header: Sequence[str]) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise _refusal(path, f"has more than one column {', '.join(map(repr, twice[:5]))}")


def _refusal(path: Path, what: str) -> InvalidData:
    return InvalidData(f"{path.name} {what}; nothing was stored", dataset="", rule="file")


def _first_line(exc: BaseException) -> str:
    if "straddl" in str(exc):
        return f"a line longer than {BLOCK_BYTES >> 20} MiB"
    return str(exc).splitlines()[0][:200] if str(exc) else type(exc).__name__
