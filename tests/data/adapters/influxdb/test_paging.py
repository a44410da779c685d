"""Pages cover a read exactly, in the order of the key."""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise

import pyarrow as pa
import pytest

from quantflux.data.adapters.influxdb import InfluxDBAdapter, paging
from quantflux.data.adapters.influxdb.layout import DAY_NS
from quantflux.data.adapters.influxdb.paging import PAGE_ROWS, pages
from quantflux.data.adapters.influxdb.statements import Page, nanoseconds
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY, FACTOR_VALUES, MINUTE
from tests.data.conformance.samples import sample

TODAY = date(2024, 6, 28)
SYMBOLS = [f"{i:06d}.SZ" for i in range(1, 5001)]


def refuse() -> list[str]:
    raise AssertionError("the symbols were not to be asked for")


def test_a_cross_section_is_one_page_of_all_symbols() -> None:
    day = nanoseconds(date(2024, 1, 2))

    assert list(pages(Query(DAILY, None, date(2024, 1, 2), date(2024, 1, 2)), TODAY, refuse)) == [
        Page(None, day, day)
    ]


def test_one_symbol_is_one_page_with_open_ends() -> None:
    assert list(pages(Query(DAILY, ("600519.SH",)), TODAY, refuse)) == [Page(("600519.SH",), None, None)]


def test_no_symbols_is_no_page() -> None:
    assert list(pages(Query(DAILY, ()), TODAY, refuse)) == []


@pytest.mark.parametrize("query", [Query(DAILY), Query(MINUTE, None, date(2024, 1, 2), date(2024, 1, 2))])
def test_large_reads_are_cut_into_groups_of_symbols(query: Query) -> None:
    found = list(pages(query, TODAY, lambda: SYMBOLS))

    assert len(found) > 1
    assert [s for page in found for s in page.symbols or ()] == SYMBOLS
    assert all(len(page.symbols or ()) <= paging.SYMBOLS_A_STATEMENT for page in found)


def test_extra_keys_make_pages_smaller() -> None:
    few = list(pages(Query(FACTOR_VALUES), TODAY, lambda: SYMBOLS, rows_a_key=1))
    many = list(pages(Query(FACTOR_VALUES), TODAY, lambda: SYMBOLS, rows_a_key=158))

    assert len(many) > 10 * len(few)


def test_a_long_symbol_is_cut_by_time_without_gap_or_overlap() -> None:
    found = list(pages(Query(MINUTE, ("600519.SH",)), TODAY, refuse))

    assert len(found) > 1
    assert (found[0].low, found[-1].high) == (None, None)
    for earlier, later in pairwise(found):
        assert earlier.high is not None
        assert later.low == earlier.high + 1
        assert later.low % DAY_NS == 0
        assert later.low - (earlier.low or nanoseconds(MINUTE.earliest)) <= PAGE_ROWS / 240 * 1.5 * DAY_NS


def test_nanoseconds_are_exact() -> None:
    late = datetime(2040, 12, 31, 15, 0, 0, 999_999)
    instant = Query(MINUTE, None, late, None).bounds[0]
    assert isinstance(instant, datetime)

    assert nanoseconds(instant) % 1_000_000_000 == 999_999_000
    assert nanoseconds(date(1990, 12, 19)) // DAY_NS == (date(1990, 12, 19) - date(1970, 1, 1)).days


@pytest.mark.influxdb
@pytest.mark.parametrize("page_rows", [40, 1_000])
def test_small_pages_read_the_same_rows(
    store: InfluxDBAdapter, monkeypatch: pytest.MonkeyPatch, page_rows: int
) -> None:
    days = [date(2024, month, day) for month in (1, 6) for day in (2, 8, 15)]
    for data in (DAILY, MINUTE, FACTOR_VALUES):
        rows = sample(data, days=days).sort_by([(name, "ascending") for name in data.key])
        store.write(data, rows)
        monkeypatch.setattr(paging, "PAGE_ROWS", page_rows)

        query = Query(data, None, date(2024, 1, 1), date(2024, 6, 15))

        assert store.read(query).equals(rows)
        assert pa.Table.from_batches(store.iter_batches(query, 17)).equals(rows)
