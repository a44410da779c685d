"""Where a dataset's files are: `<root>/<dataset>/period=<2024 or 2024-01>/<file>.parquet`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.clock import SHANGHAI
from quantflux.core.errors import InvalidRequest
from quantflux.data.contract import Query, When, day_of
from quantflux.data.schema import Dataset, TimeKind

PERIOD = "period"
"""The partition column. It lives in paths and in Delta's schema, not in files, and readers of ours never see it."""

ALL_PERIODS = ("0000", "9999-99")
"""A range of periods that holds every one; periods compare as text."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
_FILE = re.compile(r"period=([0-9]{4}(?:-[0-9]{2})?)/[0-9a-f]{32}-[0-9a-f]{8}\.parquet", re.ASCII)


def folder(root: Path, data: Dataset) -> Path:
    """Return the dataset's folder, refusing names that could lead elsewhere."""
    if not _NAME.fullmatch(data.name):
        raise InvalidRequest(
            f"a dataset is named with up to 63 of a-z, 0-9 and _, starting with a letter; was {data.name!r}"
        )
    return root / data.name


def relative_path(period: str, file_name: str) -> str:
    """Return a data file's path inside the dataset's folder."""
    return f"{PERIOD}={period}/{file_name}"


def is_data_file(path: str) -> bool:
    """Whether a path inside the dataset's folder is one that we would have given."""
    return _FILE.fullmatch(path) is not None


def period_of_path(path: str) -> str:
    """Return the period that a data file's path names."""
    return path.removeprefix(f"{PERIOD}=").partition("/")[0]


def period_of(data: Dataset, day: date) -> str:
    """Return the period that holds a Shanghai day.

    Examples
    --------
    >>> from quantflux.data.schema import DAILY, MINUTE
    >>> period_of(DAILY, date(2024, 5, 31)), period_of(MINUTE, date(2024, 5, 31))
    ('2024', '2024-05')
    """
    return f"{day.year:04d}" if data.partition == "year" else f"{day.year:04d}-{day.month:02d}"


def period_range(query: Query) -> tuple[str, str]:
    """Return the first and last period in which a query can find rows."""
    low, high = query.bounds

    def edge(bound: When | None, default: str) -> str:
        return default if bound is None else period_of(query.dataset, day_of(bound))

    return edge(low, ALL_PERIODS[0]), edge(high, ALL_PERIODS[1])


def split_periods(data: Dataset, table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Yield the rows of each period, in order of period, each sorted as the table was."""
    months = _months(data, table)
    codes = months // 12 if data.partition == "year" else months
    found = np.unique(codes)
    if len(found) == 1:
        yield _period_name(data, int(found[0])), table
        return
    order = np.argsort(codes, kind="stable")
    sorted_rows = table.take(pa.array(order))
    edges = np.searchsorted(codes[order], found)
    for code, start, stop in zip(found, edges, [*edges[1:], len(codes)], strict=True):
        yield _period_name(data, int(code)), sorted_rows.slice(start, stop - start)


def _months(data: Dataset, table: pa.Table) -> np.ndarray:
    """Return months since the year 0 of every row, in Shanghai time."""
    times = table.column(data.time)
    if data.kind is TimeKind.MINUTE:
        times = pc.local_timestamp(times.cast(pa.timestamp("us", tz=SHANGHAI.key)))
    months = times.to_numpy().astype("datetime64[M]").astype(np.int64)
    return np.asarray(months + 1970 * 12)


def _period_name(data: Dataset, code: int) -> str:
    return f"{code:04d}" if data.partition == "year" else f"{code // 12:04d}-{code % 12 + 1:02d}"
