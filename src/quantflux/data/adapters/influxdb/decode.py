"""Turns InfluxDB's answers into Arrow tables, without a Python object per row.

InfluxDB 1.x and 2.x offer CSV, but their CSV hides errors: a query that the server refuses or breaks off comes back
as status 200 with an empty or shortened body. Their JSON says `error` and `partial`, so JSON it is, and the rows in
it are turned into CSV by replacing bytes:

1. With `chunked=true` every line of the reply is one document with up to 10,000 rows of one series.
2. The rows are what stands between `"values":[[` and the last `]]`; the rest is a small document to check: an
   `error` is raised, and a last line that says `partial` means that rows were cut off.
3. `],[` between rows becomes a newline, and the result is CSV that pyarrow parses with the types of the dataset.
   JSON never has a raw newline in a text, and no stored text has one, so a newline inside a text can only have been
   `],[` and is turned back.

InfluxDB 3 answers in Parquet, whose footer comes last: a shortened file cannot be read.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from quantflux.core.errors import StoreCorrupt
from quantflux.data.adapters.influxdb.errors import answer_error

Types = Mapping[str, pa.DataType]

_VALUES = b'"values":[['
_ESCAPE = re.compile(rb"(\\u[dD][89abAB]..)?\\(u[0-9a-fA-F]{4}|.)")


def json_answer(chunks: Iterator[bytes], types: Types) -> Iterator[pa.Table]:
    """Yield the rows of a `/query` reply.

    Parameters
    ----------
    chunks : iterator of bytes
        The body as it arrives.
    types : mapping
        Arrow type by column; columns not named are text.

    Raises
    ------
    InvalidRequest, StoreUnavailable, AccessDenied, NotThere, StoreError
        As the server's `error` says.
    StoreCorrupt
        If the reply is cut off or cannot be parsed.
    """
    more = True
    for line in _lines(chunks):
        document, rows = _split(line)
        more = False
        for result in document.get("results", [document]):
            if "error" in result:
                raise answer_error(str(result["error"]))
            more = more or bool(result.get("partial"))
            for series in result.get("series", ()):
                more = more or bool(series.get("partial"))
                if rows:
                    yield _table(rows, series["columns"], types)
    if more:
        raise StoreCorrupt("InfluxDB's answer was cut off: its last part says that rows are missing")


def parquet_answer(chunks: Iterator[bytes], types: Types) -> Iterator[pa.Table]:
    """Yield the rows of an `/api/v3/query_influxql` reply in Parquet. See `json_answer` for `types`."""
    body = b"".join(chunks)
    if not body:
        return
    try:
        table = pa_parquet.read_table(io.BytesIO(body))
    except pa.ArrowInvalid as exc:
        raise StoreCorrupt(f"InfluxDB's answer is not a whole Parquet file: {exc}") from exc
    table = table.drop_columns([n for n in ("iox::measurement",) if n in table.column_names])
    wanted = [(n, types.get(n, pa.string())) for n in table.column_names]
    yield pa.table({name: table.column(name).cast(kind) for name, kind in wanted})


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the newline-ended lines of a body; an unfinished last line is refused."""
    pending: list[bytes] = []
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        pending.append(first)
        for part in others:
            line = b"".join(pending)
            if line.strip():
                yield line
            pending = [part]
    rest = b"".join(pending)
    if rest.strip():
        raise StoreCorrupt(f"InfluxDB's answer was cut off in the middle of a line of {len(rest)} bytes")


def _split(line: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the document around the rows, and the rows."""
    head, found, tail = line.partition(_VALUES)
    rows = b""
    if found:
        rows, closing, after = tail.rpartition(b"]]")
        if not closing or _VALUES in rows:
            raise StoreCorrupt(
                "InfluxDB's answer holds more than one series in a line; chunked=true was asked for"
            )
        line = head + b'"values":[]' + after
    try:
        document: dict[str, Any] = json.loads(line)
    except ValueError as exc:
        raise StoreCorrupt(f"InfluxDB's answer is not JSON: {exc}") from exc
    return document, rows


def _table(rows: bytes, columns: list[str], types: Types) -> pa.Table:
    kinds = {name: types.get(name, pa.string()) for name in columns}
    text = rows.replace(b"],[", b"\n")
    if b"\\" in text:
        text = _ESCAPE.sub(_unescape, text)
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(text + b"\n"),
            pa_csv.ReadOptions(column_names=columns, use_threads=False, block_size=len(text) + 2),
            pa_csv.ParseOptions(newlines_in_values=True),
            pa_csv.ConvertOptions(
                column_types=kinds,
                null_values=["null"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as exc:
        raise StoreCorrupt(f"InfluxDB's answer cannot be read as {kinds}: {exc}") from exc
    for i, name in enumerate(columns):
        column = table.column(i)
        if pa.types.is_string(column.type) and pc.any(pc.match_substring(column, "\n")).as_py():
            table = table.set_column(i, name, pc.replace_substring(column, "\n", "],["))
    return table


def _unescape(match: re.Match[bytes]) -> bytes:
    """Return what a JSON escape stands for, with a quote doubled as CSV wants it."""
    character: str = json.loads(b'"' + match.group() + b'"')
    return b'""' if character == '"' else character.encode()
