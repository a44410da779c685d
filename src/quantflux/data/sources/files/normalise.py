"""Turns a batch of a vendor's cells into canonical columns; what cannot be read is kept as text in `bad_cells`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from quantflux.core.errors import InvalidRequest
from quantflux.core.symbols import parse_symbol
from quantflux.data.schema import Dataset, TimeKind

VOLUME_UNITS: Mapping[str, float] = {"shares": 1.0, "lots": 100.0}
AMOUNT_UNITS: Mapping[str, float] = {"yuan": 1.0, "thousand": 1e3, "ten-thousand": 1e4}
NUMBERS = ("open", "high", "low", "close", "volume", "amount", "adj_factor", "pre_close")
_DATE_FORMATS = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%m/%d/%Y")
_TIME_FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y%m%d%H%M%S",
    "%Y%m%d%H%M%S%3f",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d %H:%M",
    "%Y%m%d%H%M",
)
_ZONED = (
    "%Y-%m-%d %H:%M:%S%#z",
    "%Y-%m-%dT%H:%M:%S%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%dT%H:%M:%S%.f%#z",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read the cells of one file.

    Attributes
    ----------
    mapping : mapping of field to header
        Fields are symbol, date or time, and the numbers.
    symbol : str
        Canonical symbol of a file of one security without a symbol column, else empty.
    adjusted_close : str
        Header of an adjusted close whose ratio to the close is the factor, else empty.
    timezone : str
        Of times that name none.
    """

    dataset: Dataset
    mapping: Mapping[str, str]
    symbol: str = ""
    adjusted_close: str = ""
    timezone: str = "Asia/Shanghai"


def normalise(batch: pl.DataFrame, reading: Reading, first_row: int) -> pl.DataFrame:
    """Return symbol, time, numbers in the file's own units, bad_cells and source_row.

    Parameters
    ----------
    batch : DataFrame
        Columns as in the file.
    reading : Reading
    first_row : int
        Number of the batch's first row in the file, from 1, the header not counted.
    """
    mapping = reading.mapping
    columns = {name: read_numbers(batch[mapping[name]]) for name in NUMBERS if name in mapping}
    if reading.adjusted_close:
        columns["adj_factor"] = read_numbers(batch[reading.adjusted_close]) / columns["close"]
    time = reading.dataset.time
    time_header = mapping["time" if reading.dataset.kind is TimeKind.MINUTE else "date"]
    columns[time] = read_times(batch[time_header], reading.dataset.kind, reading.timezone)
    headers = {name: header for name, header in mapping.items() if name in columns} | {time: time_header}
    if "symbol" in mapping:
        columns["symbol"] = read_symbols(batch[mapping["symbol"]])
        headers["symbol"] = mapping["symbol"]
    else:
        columns["symbol"] = pl.repeat(reading.symbol, batch.height, dtype=pl.String, eager=True)
    columns["bad_cells"] = _bad_cells(columns, batch, headers)
    columns["source_row"] = pl.int_range(first_row, first_row + batch.height, dtype=pl.Int64, eager=True)
    order = ["symbol", time, *(n for n in NUMBERS if n in columns), "bad_cells", "source_row"]
    return pl.DataFrame({name: columns[name] for name in order})


def _bad_cells(
    columns: Mapping[str, pl.Series], batch: pl.DataFrame, headers: Mapping[str, str]
) -> pl.Series:
    """Return what could not be read: `open='abc'; bar_time='x'`, null where all could."""
    bad = {n: columns[n].is_null() & batch[header].is_not_null() for n, header in headers.items()}
    bad = {n: mask for n, mask in bad.items() if mask.any()}
    if not bad:
        return pl.repeat(None, batch.height, dtype=pl.String, eager=True)
    notes = [
        pl.when(mask).then(
            pl.format("{}='{}'", pl.lit(n), pl.col(headers[n]).cast(pl.String).str.slice(0, 40))
        )
        for n, mask in bad.items()
    ]
    text = pl.concat_str(notes, separator="; ", ignore_nulls=True)
    return batch.select(pl.when(text == "").then(None).otherwise(text).alias("bad_cells"))["bad_cells"]


def read_numbers(column: pl.Series) -> pl.Series:
    """Return a column as floats, null where a cell is no number; text may group thousands with commas.

    Examples
    --------
    >>> read_numbers(pl.Series(["1,234.5", " 7 ", "x", None])).to_list()
    [1234.5, 7.0, None, None]
    """
    numbers = column.cast(pl.Float64, strict=False)
    if column.dtype != pl.String:
        return numbers
    odd = (numbers.is_null() & column.is_not_null()).arg_true()
    if not len(odd):
        return numbers
    text = column.gather(odd).str.strip_chars(" '\"")
    grouped = text.str.contains(r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$")
    plain = text.zip_with(~grouped, text.str.replace_all(",", "", literal=True))
    return numbers.scatter(odd, plain.cast(pl.Float64, strict=False))


def read_symbols(column: pl.Series) -> pl.Series:
    """Return canonical symbols; null where a code is not one. Each distinct spelling is read once."""
    text = column if column.dtype == pl.String or column.dtype.is_integer() else column.cast(pl.String)
    distinct = text.drop_nulls().unique()
    parsed = [_symbol_or_none(value) for value in distinct.to_list()]
    table = pl.DataFrame({"value": distinct, "symbol": pl.Series(parsed, dtype=pl.String)})
    found = pl.DataFrame({"value": text}).join(table, on="value", how="left", maintain_order="left")
    return found["symbol"]


def _symbol_or_none(value: str | int) -> str | None:
    if isinstance(value, str):
        value = value.strip().strip("'\"=")
        if value.isascii() and value.isdigit() and len(value) < 6:
            value = int(value)
    try:
        return parse_symbol(value)
    except InvalidRequest:
        return None


def read_times(column: pl.Series, kind: TimeKind, timezone: str = "Asia/Shanghai") -> pl.Series:
    """Return dates, or instants in Shanghai time; null where a cell is none.

    Naive times are wall-clock times of `timezone`; one that summer time skipped or repeated (1986-1991) is not a time.
    """
    return _read_dates(column) if kind is TimeKind.DAY else _read_instants(column, timezone)


def _read_dates(column: pl.Series) -> pl.Series:
    if column.dtype == pl.Date:
        return column
    if isinstance(column.dtype, pl.Datetime):
        zoned = column.dtype.time_zone is not None
        return (column.dt.convert_time_zone("Asia/Shanghai") if zoned else column).dt.date()
    text = column.cast(pl.String).str.strip_chars(" '\"")
    text = text.str.replace(r"[ T]\d{2}:\d{2}(:\d{2})?([+-]\d{2}:?\d{2}|Z)?$", "")
    return _by_format(text, _DATE_FORMATS, lambda f: text.str.to_date(f, strict=False))


def _read_instants(column: pl.Series, timezone: str) -> pl.Series:
    target = pl.Datetime("us", "Asia/Shanghai")
    if isinstance(column.dtype, pl.Datetime):
        if column.dtype.time_zone is not None:
            return column.dt.convert_time_zone("Asia/Shanghai").cast(target)
        return _in_shanghai(column, timezone)
    text = column.cast(pl.String).str.strip_chars(" '\"")
    if text.head(1000).str.contains(r"([+-]\d{2}:?\d{2}|Z)$").any():
        zoned = _by_format(
            text, _ZONED, lambda f: text.str.to_datetime(f, strict=False, time_unit="us", time_zone="UTC")
        )
        return zoned.dt.convert_time_zone("Asia/Shanghai")
    naive = _by_format(text, _TIME_FORMATS, lambda f: text.str.to_datetime(f, strict=False, time_unit="us"))
    return _in_shanghai(naive, timezone)


def _in_shanghai(naive: pl.Series, timezone: str) -> pl.Series:
    zoned = naive.cast(pl.Datetime("us")).dt.replace_time_zone(
        timezone, ambiguous="null", non_existent="null"
    )
    return zoned.dt.convert_time_zone("Asia/Shanghai")


def _by_format(text: pl.Series, formats: tuple[str, ...], parse: Callable[[str], pl.Series]) -> pl.Series:
    """Parse with the format that reads most of the first rows; the others get a chance at what it leaves."""
    head = text.drop_nulls().head(1000)
    order = sorted(formats, key=lambda f: -_readable(head, f))
    result = parse(order[0])
    for other in order[1:]:
        left = result.is_null() & text.is_not_null()
        if not left.any():
            break
        result = result.zip_with(~left, parse(other))
    return result


def _readable(head: pl.Series, form: str) -> int:
    if "%H" not in form:
        return int(head.str.to_date(form, strict=False).is_not_null().sum())
    zone = "UTC" if "z" in form else None
    parsed = head.str.to_datetime(form, strict=False, time_unit="us", time_zone=zone)
    return int(parsed.is_not_null().sum())
