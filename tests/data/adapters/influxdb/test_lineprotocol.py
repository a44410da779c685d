"""Rows as text: exact, escaped, cut into requests."""

from __future__ import annotations

import struct
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.data.adapters.influxdb.layout import masks, masks_for
from quantflux.data.adapters.influxdb.lineprotocol import encode
from quantflux.data.schema import DAILY, DAILY_BASIC, INSTRUMENTS, MINUTE, dataset
from tests.data.conformance.samples import bars, changed, sample

DAY = date(2024, 1, 2)


def lines(data: object, table: pa.Table) -> list[str]:
    return bytes(encode(data, table).block).decode().splitlines()  # type: ignore[arg-type]


def test_a_daily_row_stands_at_midnight_utc_of_its_day() -> None:
    (line,) = lines(DAILY, bars("600519.SH", [DAY], 1685.01))

    prices = "open=1685.01,high=1685.01,low=1685.01,close=1685.01"
    fields = f"nulls=0i,{prices},volume=100i,amount=1000.0,adj_factor=1.0"
    assert line == f"stock_daily_data,exchange=SH,symbol=600519.SH {fields} 1704153600000000000"


def test_a_minute_bar_stands_at_its_close() -> None:
    first, *_, last = lines(MINUTE, bars("430047.BJ", [DAY], data=MINUTE))

    assert first.startswith("stock_minute_data,exchange=BJ,symbol=430047.BJ nulls=0i,open=10.0,")
    assert (first.split()[-1], last.split()[-1]) == ("1704159060000000000", "1704178800000000000")


def test_nulls_leave_no_field_but_a_bit() -> None:
    rows = changed(bars("600519.SH", [DAY]), amount=None, adj_factor=None)

    (line,) = lines(DAILY, rows)

    assert "amount" not in line
    assert "adj_factor" not in line
    assert " nulls=96i," in line, "amount is field 5, adj_factor field 6"


def test_text_is_escaped_and_dates_are_iso() -> None:
    rows = changed(
        sample(INSTRUMENTS, ["600519.SH"], [DAY]), name='a "b" \\ c,d=e', list_date=date(2001, 8, 27)
    )

    (line,) = lines(INSTRUMENTS, rows)

    assert ',name="a \\"b\\" \\\\ c,d=e",' in line
    assert ',list_date="2001-08-27"' in line


def test_wide_datasets_have_more_than_one_mask() -> None:
    wide = dataset("balance_sheet")

    assert [mask.name for mask in masks(wide)] == ["nulls", "nulls_2", "nulls_3"]
    assert sum(len(mask.fields) for mask in masks(wide)) == len(wide.value_names)
    assert all(len(mask.fields) <= 63 for mask in masks(wide))


def test_a_read_asks_only_for_the_masks_it_needs() -> None:
    assert masks_for(DAILY, ("open", "close")) == ()
    assert [m.name for m in masks_for(DAILY, ("close", "amount"))] == ["nulls"]
    assert [m.name for m in masks_for(DAILY, ())] == ["nulls"], "else a read of no column would find no row"
    last = dataset("balance_sheet").value_names[-1]
    assert [m.name for m in masks_for(dataset("balance_sheet"), (last,))] == ["nulls_3"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_floats_keep_their_bits(values: list[float]) -> None:
    days = [date.fromordinal(DAY.toordinal() + i) for i in range(len(values))]
    rows = changed(sample(DAILY_BASIC, ["600519.SH"], days), pe=values)

    written = [float(line.split("pe=")[1].split(",")[0].split(" ")[0]) for line in lines(DAILY_BASIC, rows)]

    assert [struct.pack("<d", v) for v in written] == [struct.pack("<d", v) for v in values]


@pytest.mark.parametrize(("max_lines", "max_bytes"), [(5, 10**6), (10**6, 500), (7, 1000), (1, 1)])
def test_batches_cover_all_rows_once_within_both_limits(max_lines: int, max_bytes: int) -> None:
    encoded = encode(DAILY, sample(DAILY, days=[date(2024, 1, d) for d in range(1, 29)]))

    cuts = list(encoded.batches(max_lines, max_bytes))

    assert [start for start, _ in cuts] == [0, *(stop for _, stop in cuts[:-1])]
    assert cuts[-1][1] == len(encoded) == 84
    for start, stop in cuts:
        assert stop - start <= max_lines
        assert len(encoded.body(start, stop)) <= max_bytes or stop - start == 1
    whole = b"".join(bytes(encoded.body(start, stop)) for start, stop in cuts)
    assert whole == bytes(encoded.block)
