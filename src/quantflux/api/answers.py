"""Rows as they leave the house: JSON by column or by row, CSV, or an Arrow stream.

One choice of form for every route: `format=` if it is given, else the Accept header. What holds in all forms:

* A value that is not there is null (an empty cell in CSV). NaN and infinities are never written.
* Days are `2024-01-02`; instants are Shanghai time with its offset, `2024-01-02T09:31:00+08:00`.
* Floats are written with the fewest digits that read back as the same number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.data.bars import Bars
from quantflux.data.schema import TimeKind

Rows: TypeAlias = Bars | pa.Table | Panel
Facts = Mapping[str, Any]
"""What is said once of all rows: dataset, version, frequency and the like."""

_MINUTE = 60_000_000  # microseconds
_DAY = 1440  # minutes
_SPREADSHEET_FORMULA = r"^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"  # the last four: full width


class Form(StrEnum):
    """The forms in which rows are answered."""

    COLUMNS = "columns"
    """JSON, one array a column: the smallest and fastest to read of the two."""

    ROWS = "rows"
    """JSON, one object a row."""

    CSV = "csv"
    ARROW = "arrow"
    """Arrow IPC stream: typed, and without parsing."""

    @property
    def media_type(self) -> str:
        """The content type."""
        return _MEDIA_TYPES[self]

    @property
    def is_json(self) -> bool:
        """Whether it is one of the two JSON forms."""
        return self in (Form.COLUMNS, Form.ROWS)


_MEDIA_TYPES = {
    Form.COLUMNS: "application/json",
    Form.ROWS: "application/json",
    Form.CSV: "text/csv; charset=utf-8",
    Form.ARROW: "application/vnd.apache.arrow.stream",
}
_BY_RANGE = {
    "application/json": Form.COLUMNS,
    "application/*": Form.COLUMNS,
    "*/*": Form.COLUMNS,
    "text/csv": Form.CSV,
    "text/*": Form.CSV,
    "application/vnd.apache.arrow.stream": Form.ARROW,
}


def form_of(wanted: str | None, accept: str | None = None) -> Form:
    """Return the form of an answer.

    Parameters
    ----------
    wanted : str or None
        The query parameter `format`, which goes before `accept`.
    accept : str or None
        The Accept header. Where it names nothing that can be answered, the answer is JSON by column.

    Raises
    ------
    InvalidRequest
        If `wanted` names no form.

    Examples
    --------
    >>> form_of("csv").value, form_of(None, "text/html, text/csv;q=0.9").value, form_of(None).value
    ('csv', 'csv', 'columns')
    """
    if wanted is not None:
        try:
            return Form(wanted)
        except ValueError:
            raise InvalidRequest(f"format must be one of {', '.join(Form)}, was {wanted!r:.60}") from None
    if not accept or accept in ("*/*", "application/json"):
        return Form.COLUMNS
    return _accepted(accept[:1000])


@cache
def _weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def _accepted(accept: str) -> Form:
    best, best_weight = Form.COLUMNS, 0.0
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights = [p[2:] for p in parameters if p.startswith("q=")]
        weight = _weight(weights[0][:5]) if weights else 1.0
        if name in _BY_RANGE and weight > best_weight:
            best, best_weight = _BY_RANGE[name], weight
    return best


def encode(form: Form, rows: Rows, facts: Facts | None = None) -> bytes:
    """Return the body of an answer.

    Parameters
    ----------
    form : Form
    rows : Bars, Table or Panel
        Bars of one symbol have no symbol column in JSON: say it in `facts`. A panel is one matrix a field, times by
        symbols, in `Form.COLUMNS`, and a long table of the rows that are there in the other forms.
    facts : mapping, optional
        Beside the rows in JSON; in the schema's metadata (key `quantflux`, as JSON) in Arrow; left out of CSV.

    Examples
    --------
    >>> table = pa.table({"close": [9.2, None]})
    >>> encode(Form.COLUMNS, table, {"version": 3})
    b'{"version":3,"rows":2,"columns":{"close":[9.2,null]}}'
    >>> encode(Form.CSV, pa.table({"close": [9.2, None], "volume": [1, 2]}))
    b'close,volume\\n9.2,1\\n,2\\n'
    """
    if isinstance(rows, Panel) and form is Form.COLUMNS:
        return _panel_json(rows, facts or {})
    if not form.is_json:
        table = rows if isinstance(rows, pa.Table) else rows.to_arrow()
        return b"".join(stream(form, table.schema, table.to_batches(), facts))
    table = rows.to_arrow() if isinstance(rows, Panel) else rows
    columns = _bars_columns(table) if isinstance(table, Bars) else _table_columns(table)
    document: dict[str, Any] = {**(facts or {}), "rows": len(table)}
    if form is Form.COLUMNS:
        document["columns"] = columns
    else:
        names = list(columns)
        cells = [c.tolist() if isinstance(c, np.ndarray) else c for c in columns.values()]
        document["data"] = [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]
    return json_of(document)


def json_of(document: object) -> bytes:
    """Return JSON of plain values and arrays; NaN and infinities are null."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def stream(
    form: Form, schema: pa.Schema, batches: Iterable[pa.RecordBatch], facts: Facts | None = None
) -> Iterator[bytes]:
    """Yield CSV or an Arrow stream, a piece for each batch, so that memory is bounded by the batch.

    In Arrow every field may be null, whatever the rows at hand have: pages of one request have one schema. Adjusted
    prices are null where the factor is not stored.

    Raises
    ------
    InvalidRequest
        If the form is JSON, which has no pieces that are worth reading.
    """
    if form.is_json:
        raise InvalidRequest(f"answers of this size come as format=csv or format=arrow, not {form}")
    sink = _Sink()
    schema = pa.schema([field.with_nullable(True) for field in schema])
    if form is Form.CSV:
        written = pa.schema(
            [(f.name, pa.string() if pa.types.is_timestamp(f.type) else f.type) for f in schema]
        )
        options = csv.WriteOptions(quoting_style="needed", quoting_header="none")
        writer = csv.CSVWriter(sink, written, write_options=options)
    else:
        written = schema if not facts else schema.with_metadata({"quantflux": json_of(dict(facts))})
        writer = pa.ipc.new_stream(sink, written)
    with writer:
        for batch in batches:
            table = _without_nan(pa.Table.from_batches([batch]).cast(schema))
            writer.write_table(_for_spreadsheets(table) if form is Form.CSV else table)
            yield sink.taken()
    yield sink.taken()


class _Sink:
    """A file for writers whose bytes are taken away as they come."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _without_nan(table: pa.Table) -> pa.Table:
    for i, field in enumerate(table.schema):
        if not pa.types.is_floating(field.type):
            continue
        finite = pc.is_finite(table.column(i))
        if not pc.all(finite).as_py():
            nulled = pc.if_else(finite, table.column(i), pa.scalar(None, field.type))
            table = table.set_column(i, field, nulled)
    return table


def _for_spreadsheets(table: pa.Table) -> pa.Table:
    """Write instants in our own form, and disarm texts that a spreadsheet would take for a formula."""
    for i, field in enumerate(table.schema):
        column = table.column(i)
        if pa.types.is_timestamp(field.type):
            table = table.set_column(i, field.name, pa.array(_instants(column), pa.string()))
        elif pa.types.is_string(field.type):
            armed = pc.match_substring_regex(column, _SPREADSHEET_FORMULA)
            if pc.any(armed).as_py():
                quoted = pc.binary_join_element_wise("'", column, "")
                table = table.set_column(i, field.name, pc.if_else(armed, quoted, column))
    return table


def _bars_columns(bars: Bars) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if bars.codes is not None:
        columns["symbol"] = np.asarray(bars.axis, dtype=object)[bars.codes].tolist() if len(bars) else []
    daily = bars.kind is TimeKind.DAY
    columns[bars.time] = list(map(iso_day, bars.stamps.tolist())) if daily else iso_instants(bars.stamps)
    for name in bars.fields:
        columns[name] = np.ascontiguousarray(bars[name])
    return columns


def _panel_json(panel: Panel, facts: Facts) -> bytes:
    days = panel.times.astype("datetime64[D]").astype(np.int64).tolist()
    if panel.is_daily:
        times = list(map(iso_day, days))
    else:
        local = panel.times.astype("datetime64[us]")
        zoned = pc.assume_timezone(pa.array(local), "Asia/Shanghai")
        times = iso_instants(zoned.cast(pa.int64()).to_numpy())
    fields = {name: np.ascontiguousarray(values) for name, values in panel.fields.items()}
    return json_of({**facts, "times": times, "symbols": panel.symbols.tolist(), "fields": fields})


def _table_columns(table: pa.Table) -> dict[str, Any]:
    return {name: _cells(table.column(name)) for name in table.column_names}


def _cells(column: pa.ChunkedArray) -> Any:
    kind = column.type
    if pa.types.is_floating(kind) or (pa.types.is_integer(kind) and not column.null_count):
        return np.ascontiguousarray(column.to_numpy())
    if pa.types.is_timestamp(kind):
        return _instants(column)
    if pa.types.is_date32(kind):
        return [None if day is None else iso_day(day) for day in column.cast(pa.int32()).to_pylist()]
    return column.to_pylist()


def _instants(column: pa.ChunkedArray) -> Sequence[str | None]:
    stamps = column.cast(pa.timestamp("us", tz=column.type.tz or "UTC")).cast(pa.int64())
    texts = iso_instants(pc.fill_null(stamps, 0).to_numpy())
    if not column.null_count:
        return texts
    missing = column.is_null().to_pylist()
    return [None if gone else text for text, gone in zip(texts, missing, strict=True)]


@cache
def iso_day(day: int) -> str:
    """Return a day, counted from 1970-01-01, as ISO text. There are few days, so each is written once.

    Examples
    --------
    >>> iso_day(19724)
    '2024-01-02'
    """
    return str(np.datetime64(day, "D"))


def iso_instants(stamps: np.ndarray) -> list[str]:
    """Return instants (microseconds since 1970 UTC) as Shanghai time with its offset.

    Examples
    --------
    >>> iso_instants(np.array([1704159060_000000, 1704159060_250000]))
    ['2024-01-02T09:31:00+08:00', '2024-01-02T09:31:00.250000+08:00']
    >>> iso_instants(np.array([671_675_460_000_000]))  # a summer in which Shanghai was an hour ahead
    ['1991-04-15T09:31:00+09:00']
    """
    zoned = pa.array(stamps, pa.int64()).view(pa.timestamp("us", tz="Asia/Shanghai"))
    local = pc.local_timestamp(zoned).cast(pa.int64()).to_numpy()
    offsets = (local - stamps) // _MINUTE
    minutes, rest = np.divmod(local, _MINUTE)
    if len(stamps) and not rest.any():
        # Bars close on whole minutes: a day and one of 1,440 endings, both written before.
        days, within = np.divmod(minutes, _DAY)
        endings = map(_ending, within.tolist(), offsets.tolist())
        return [day + ending for day, ending in zip(map(iso_day, days.tolist()), endings, strict=True)]
    seconds = [_iso_local(moment) for moment in local.tolist()]
    return [text + _offset(minutes) for text, minutes in zip(seconds, offsets.tolist(), strict=True)]


@cache
def _ending(minute: int, offset: int) -> str:
    return f"T{minute // 60:02}:{minute % 60:02}:00{_offset(offset)}"


def _offset(minutes: int) -> str:
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _iso_local(moment: int) -> str:
    text = str(np.datetime64(moment, "us"))
    return text.removesuffix(".000000")
