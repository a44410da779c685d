"""Compares what InfluxDB holds with what it once acknowledged, see `manifest`.

Symbols are taken in groups. Of each group the hashes on record, and those of the rows read back, are held, and of the
rows one page; writers wait meanwhile, so that a write is seen whole in both or in neither.

What was in doubt after a failed write is settled by what is found: from then on its loss is told, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

import polars as pl
import pyarrow as pa

from quantflux.data.adapters.influxdb.fingerprints import (
    ABSENT,
    MINUTES_A_DAY,
    SEPARATOR,
    days_of,
    fingerprints,
)
from quantflux.data.adapters.influxdb.manifest import Manifest, expected, note, sizes
from quantflux.data.contract import Discrepancy, DiscrepancyKind, Query
from quantflux.data.schema import Dataset, TimeKind

GROUP_ROWS, GROUP_SYMBOLS = 500_000, 100
_KEY = ["series", "tick"]


def scrub(
    manifest: Manifest,
    query: Query,
    known: Sequence[str],
    read: Callable[[Query], Iterator[pa.Table]],
    *,
    adopt: bool = False,
) -> list[Discrepancy]:
    """Return every symbol-day whose rows are not as they were acknowledged.

    Parameters
    ----------
    manifest : Manifest
    query : Query
        Of whole days, all symbols and all columns.
    known : sequence of str
        The symbols that the server names.
    read : function
        Returns the pages of a read.
    adopt : bool
        Take rows that are not on record for right, and put them there.
    """
    data = query.dataset
    first, last = _ticks(data, query.start, end=False), _ticks(data, query.end, end=True)
    with manifest.locked(data) as db:
        on_record = sizes(db, data, first, last)
    result: list[Discrepancy] = []
    # What is not on record may be years of minutes, or many rows a day: such a symbol is a group of its own.
    unheard = 0 if data.kind is TimeKind.DAY and not data.extra_keys else GROUP_ROWS
    for group in _groups(dict.fromkeys(known, unheard) | on_record):
        with manifest.locked(data) as db:
            wanted = expected(db, data, group, first, last)
            pages = [fingerprints(data, p) for p in read(Query(data, group, query.start, query.end))]
            found = pl.concat([wanted.clear(), *pages])
            note(db, data, _settled(wanted, found))
            if adopt:
                note(db, data, _unknown(wanted, found))
                wanted = expected(db, data, group, first, last)
        result += compare(data, wanted, found)
    return result


def compare(data: Dataset, wanted: pl.DataFrame, found: pl.DataFrame) -> list[Discrepancy]:
    """Return the symbol-days in which the rows found differ from those on record, sorted."""
    other = found.join(wanted, on=[*_KEY, "hash"], how="anti")
    doubled = found.filter(pl.len().over(_KEY) > 1)  # points of one day at different hours
    needed = wanted.group_by(_KEY).agg(pl.col("hash").min()).filter(pl.col("hash") != ABSENT)
    parts = {
        DiscrepancyKind.MISSING: needed.join(found, on=_KEY, how="anti"),
        DiscrepancyKind.DIFFERS: pl.concat([other.join(wanted, on=_KEY, how="semi"), doubled]),
        DiscrepancyKind.UNKNOWN: _unknown(wanted, found),
    }
    symbol = pl.col("series").str.split(SEPARATOR).list.first().alias("symbol")
    day = days_of(data, pl.col("tick")).alias("day")
    named = [
        Discrepancy(row[0], row[1], kind)
        for kind, rows in parts.items()
        for row in rows.select(symbol, day).unique().iter_rows()
    ]
    return sorted(named, key=lambda d: (d.symbol, d.day, d.kind))


def _unknown(wanted: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Return the rows found that are not on record."""
    return found.join(wanted, on=_KEY, how="anti")


def _settled(wanted: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Return the rows found as one of several versions on record."""
    doubtful = wanted.filter(pl.len().over(_KEY) > 1)
    return found.join(doubtful, on=[*_KEY, "hash"], how="semi")


def _groups(rows: Mapping[str, int]) -> Iterator[tuple[str, ...]]:
    group: list[str] = []
    held = 0
    for symbol in sorted(rows):
        if group and (held + rows[symbol] > GROUP_ROWS or len(group) == GROUP_SYMBOLS):
            yield tuple(group)
            group, held = [], 0
        group.append(symbol)
        held += rows[symbol]
    if group:
        yield tuple(group)


def _ticks(data: Dataset, day: date | None, *, end: bool) -> int | None:
    if day is None:
        return None
    number = (day - date(1970, 1, 1)).days
    if data.kind is TimeKind.DAY:
        return number
    return (number + end) * MINUTES_A_DAY - end
