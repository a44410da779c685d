"""The one gate through which rows enter a store: in the dataset's schema, checked and sorted, or refused whole."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.clock import SHANGHAI, Clock
from quantflux.core.errors import InvalidData
from quantflux.core.symbols import SYMBOL_PATTERN
from quantflux.data.schema import MINUTE_LABELS, Dataset, TimeKind


def conform(data: Dataset, table: pa.Table, clock: Clock) -> pa.Table:
    """Return `table` in the dataset's schema, sorted by key, or refuse it whole.

    Columns that may be null and are absent become null, so that writing a row always replaces all of it.
    NaN in such a column becomes null; NaN in a required one, any infinity, a value below its minimum, a time
    outside the dataset's life, a malformed symbol or a key that occurs twice is refused.

    Parameters
    ----------
    data : Dataset
    table : pyarrow.Table
        Rows in canonical units, in any order.
    clock : Clock
        Rows may be dated up to one day after its present.

    Returns
    -------
    pyarrow.Table
        In `data.schema`, sorted by `data.key`.

    Raises
    ------
    InvalidData
        Naming the column, the first offending row, how many offend, and the rule.
    """
    _check_names(data, table)
    columns = [_column(data, table, target) for target in data.schema]
    result = pa.Table.from_arrays(columns, schema=data.schema)
    _check_symbols(data, result)
    _check_times(data, result, clock)
    return _sorted_unique(data, result)


def _check_names(data: Dataset, table: pa.Table) -> None:
    names = set(table.column_names)
    if len(names) != len(table.column_names):
        raise InvalidData(
            f"{data.name}: a column name occurs twice in {table.column_names}", dataset=data.name
        )
    unknown = sorted(names - set(data.schema.names))
    if unknown:
        raise InvalidData(
            f"{data.name} has no column {', '.join(unknown)}; it has: {', '.join(data.schema.names)}",
            dataset=data.name,
            column=unknown[0],
            rule="unknown column",
        )
    missing = [f.name for f in data.schema if not f.nullable and f.name not in names]
    if missing:
        raise InvalidData(
            f"{data.name} needs the column {', '.join(missing)}; found: {', '.join(table.column_names)}",
            dataset=data.name,
            column=missing[0],
            rule="missing column",
        )


def _refuse(
    data: Dataset, column: str, rule: str, offending: pa.ChunkedArray, values: pa.ChunkedArray
) -> None:
    """Raise if any element of the boolean array `offending` is true."""
    flags = offending.combine_chunks() if isinstance(offending, pa.ChunkedArray) else offending
    indices = np.flatnonzero(flags.fill_null(False).to_numpy(zero_copy_only=False))
    if len(indices):
        row = int(indices[0])
        raise InvalidData(
            f"{data.name}.{column}: {rule}; row {row} has {values[row].as_py()!r} ({len(indices)} rows in all)",
            dataset=data.name,
            column=column,
            rule=rule,
            row=row,
            count=len(indices),
        )


def _column(data: Dataset, table: pa.Table, target: pa.Field) -> pa.ChunkedArray:
    if target.name not in table.column_names:
        return pa.chunked_array([pa.nulls(table.num_rows, target.type)])
    raw = table.column(target.name)
    try:
        values = _cast(raw, target.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
        raise InvalidData(
            f"{data.name}.{target.name} must be {target.type}, cannot read {raw.type}: {exc}",
            dataset=data.name,
            column=target.name,
            rule="type",
        ) from exc
    if pa.types.is_floating(target.type):
        _refuse(data, target.name, "must be finite", pc.is_inf(values), values)
        nan = pc.is_nan(values)
        if pc.any(nan).as_py():
            values = pc.if_else(nan, pa.scalar(None, target.type), values)
    if not target.nullable:
        _refuse(data, target.name, "must have a value", pc.is_null(values), values)
    field = data.by_name.get(target.name)
    if field is not None and field.minimum is not None:
        compare, words = (pc.less_equal, "greater than") if field.exclusive else (pc.less, "at least")
        _refuse(
            data, target.name, f"must be {words} {field.minimum:g}", compare(values, field.minimum), values
        )
    if pa.types.is_string(target.type):
        control = pc.match_substring_regex(values, r"[\x00-\x1f\x7f]")
        _refuse(data, target.name, "must not hold control characters", control, values)
    return values


def _cast(raw: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    """Cast without loss. A naive timestamp is taken as Shanghai wall-clock time."""
    if pa.types.is_timestamp(target) and pa.types.is_timestamp(raw.type) and raw.type.tz is None:
        return pc.assume_timezone(
            raw.cast(pa.timestamp("us")), "Asia/Shanghai", ambiguous="raise", nonexistent="raise"
        )
    if pa.types.is_timestamp(raw.type) and pa.types.is_date(target) and raw.type.tz is not None:
        raise pa.ArrowInvalid("an instant is not a day: convert it to the exchange's date first")
    return raw.cast(target)


def _check_symbols(data: Dataset, table: pa.Table) -> None:
    symbols = table.column("symbol")
    distinct = symbols.unique()
    good = pc.match_substring_regex(distinct, SYMBOL_PATTERN)
    if not pc.all(good, min_count=0).as_py():
        bad = distinct.filter(pc.invert(good))
        rule = "must be a canonical symbol such as 600519.SH"
        _refuse(data, "symbol", rule, pc.is_in(symbols, value_set=bad), symbols)


def _check_times(data: Dataset, table: pa.Table, clock: Clock) -> None:
    times = table.column(data.time)
    latest = clock.now().astimezone(SHANGHAI) + timedelta(days=1)
    earliest = data.earliest
    if data.kind is TimeKind.DAY:
        low, high = pa.scalar(earliest), pa.scalar(latest.date())
    else:
        start = datetime.combine(earliest, time(), SHANGHAI)
        low, high = (pa.scalar(t.astimezone(UTC), data.kind.arrow) for t in (start, latest))
    rule = f"must lie in {earliest.isoformat()} .. {latest.date().isoformat()}"
    _refuse(data, data.time, rule, pc.or_(pc.less(times, low), pc.greater(times, high)), times)
    if data.kind is TimeKind.MINUTE:
        wall = local_minutes(times)
        off_grid = ~np.isin(wall, MINUTE_LABELS)
        whole = pc.cast(times.cast(pa.int64()), pa.int64()).to_numpy() % 60_000_000 == 0
        _refuse(
            data,
            data.time,
            "must be the closing minute of a bar, 09:31-11:30 or 13:01-15:00 Shanghai time",
            pa.array(off_grid | ~whole),
            times,
        )


def local_minutes(times: pa.ChunkedArray) -> np.ndarray:
    """Return minutes after midnight, Shanghai wall clock, of instants."""
    local = pc.local_timestamp(times).cast(pa.int64()).to_numpy()
    return np.asarray((local // 60_000_000) % 1440)


def _sorted_unique(data: Dataset, table: pa.Table) -> pa.Table:
    table = table.combine_chunks()
    if not is_ordered(data, table):
        table = table.sort_by([(name, "ascending") for name in data.key])
        same = np.ones(table.num_rows - 1, dtype=bool)
        for name in data.key:
            column = table.column(name).combine_chunks()
            same &= pc.equal(column.slice(1), column.slice(0, len(column) - 1)).to_numpy(zero_copy_only=False)
        if same.any():
            row = int(np.flatnonzero(same)[0])
            key = ", ".join(str(table.column(n)[row].as_py()) for n in data.key)
            raise InvalidData(
                f"{data.name}: the key ({key}) occurs more than once ({int(same.sum())} repeats in all)",
                dataset=data.name,
                column=data.time,
                rule="unique key",
                count=int(same.sum()),
            )
    return table


def is_ordered(data: Dataset, table: pa.Table) -> bool:
    """Whether rows already stand in key order without repeats (cheap: most sources deliver them so)."""
    if table.num_rows < 2:
        return True
    if data.extra_keys:
        return False
    symbols = table.column("symbol").combine_chunks()
    later, earlier = symbols.slice(1), symbols.slice(0, len(symbols) - 1)
    if not pc.all(pc.greater_equal(later, earlier)).as_py():
        return False
    stamps = table.column(data.time).combine_chunks()
    integers = stamps.cast(pa.int32() if data.kind is TimeKind.DAY else pa.int64()).to_numpy()
    changes = pc.not_equal(later, earlier).to_numpy(zero_copy_only=False)
    return bool(np.all(changes | (np.diff(integers) > 0)))
