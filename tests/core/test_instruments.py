"""Instruments: identity survives codes and names; the past knows only what was true then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.core.calendar import TradingCalendar
from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidData, InvalidRequest, NotFound, UnknownSymbol
from quantflux.core.instruments import Instrument, InstrumentTable, Status
from quantflux.core.symbols import Board, Exchange
from quantflux.data.conform import conform
from quantflux.data.schema import INSTRUMENTS

RECODED = date(2025, 10, 9)


def share(identity: str, symbol: str, name: str, valid_from: str, **changes: object) -> Instrument:
    row = Instrument(
        identity,
        symbol,
        name,
        Board.MAIN,
        None,
        Status.NORMAL,
        date(2010, 1, 4),
        None,
        date.fromisoformat(valid_from),
    )
    return replace(row, **changes)  # type: ignore[arg-type]


NORTHLAND = share("b1", "430047.BJ", "诺思兰德", "2021-11-15", board=Board.BSE, list_date=date(2020, 11, 24))
MARKET = [
    share("a1", "000001.SZ", "深发展Ａ", "2010-01-04"),
    share("a1", "000001.SZ", "平安银行", "2012-08-02", industry="银行"),
    share("a2", "600001.SH", "退市药业", "2010-01-04", delist_date=date(2020, 6, 1)),
    share("a2", "600001.SH", "ST药业", "2018-05-02", status=Status.ST, delist_date=date(2020, 6, 1)),
    share("a2", "600001.SH", "*ST药业", "2019-05-06", status=Status.STAR_ST, delist_date=date(2020, 6, 1)),
    share("a2", "600001.SH", "药业退", "2020-04-20", status=Status.DELISTING, delist_date=date(2020, 6, 1)),
    share("a2", "600001.SH", "药业退", "2020-06-01", status=Status.DELISTED, delist_date=date(2020, 6, 1)),
    share("a3", "600001.SH", "新人科技", "2023-03-01", list_date=date(2023, 3, 1)),
    NORTHLAND,
    replace(NORTHLAND, symbol="920047.BJ", valid_from=RECODED),
]
TABLE = InstrumentTable(MARKET)
SSE = TradingCalendar.for_exchange("SSE")


def test_names_are_those_of_the_day() -> None:
    assert TABLE.resolve("000001.SZ", "2012-08-01").name == "深发展Ａ"
    assert TABLE.resolve("000001.SZ", "2012-08-02").name == "平安银行"


def test_identity_survives_a_new_code() -> None:
    before, after = TABLE.resolve("430047.BJ", "2025-10-08"), TABLE.resolve("920047.BJ", RECODED)

    assert before.instrument_id == after.instrument_id
    assert [row.symbol for row in TABLE.history("b1")] == ["430047.BJ", "920047.BJ"]
    assert TABLE.latest("430047.BJ") == after
    assert after.exchange is Exchange.BSE


def test_a_code_that_was_given_up_names_its_successor() -> None:
    with pytest.raises(UnknownSymbol, match=r"430047\.BJ.*Similar: 920047\.BJ"):
        TABLE.resolve("430047.BJ", RECODED)
    with pytest.raises(UnknownSymbol, match=r"920047\.BJ"):
        TABLE.resolve("920047.BJ", "2025-10-08")


def test_a_code_given_again_belongs_to_the_new_owner() -> None:
    assert TABLE.resolve("600001.SH", "2020-05-29").instrument_id == "a2"
    assert TABLE.resolve("600001.SH", "2022-01-04").status is Status.DELISTED
    assert TABLE.resolve("600001.SH", "2023-03-01").instrument_id == "a3"
    assert TABLE.latest("600001.SH").name == "新人科技"


def test_a_late_note_about_a_delisted_share_does_not_take_its_code_back() -> None:
    note = replace(MARKET[6], name="药业(终止上市)", valid_from=date(2024, 1, 2))

    table = InstrumentTable([*MARKET, note])

    assert table.resolve("600001.SH", "2024-06-03").instrument_id == "a3"


def test_unknown_symbols_and_ids_are_refused() -> None:
    with pytest.raises(UnknownSymbol, match=r"999999\.SH"):
        TABLE.resolve("999999.SH", "2024-01-02")
    with pytest.raises(UnknownSymbol):
        TABLE.latest("999999.SH")
    with pytest.raises(UnknownSymbol):
        TABLE.resolve("000001.SZ", "2010-01-03")
    with pytest.raises(NotFound, match="'zz'"):
        TABLE.history("zz")


def test_the_universe_of_a_day_has_no_hindsight() -> None:
    assert TABLE.listed("2009-12-31").tolist() == []
    assert TABLE.listed("2015-01-05").tolist() == ["000001.SZ", "600001.SH"]
    assert TABLE.listed("2020-05-29").tolist() == ["000001.SZ", "600001.SH"]
    assert TABLE.listed("2020-06-01").tolist() == ["000001.SZ"]
    assert TABLE.listed("2025-10-08").tolist() == ["000001.SZ", "430047.BJ", "600001.SH"]
    assert TABLE.listed("9999-12-31").tolist() == ["000001.SZ", "600001.SH", "920047.BJ"]
    assert TABLE.listed("1800-01-01").tolist() == []


def test_everything_known_on_a_day_includes_what_was_delisted() -> None:
    assert [(row.symbol, row.status.value) for row in TABLE.at("2022-01-04")] == [
        ("000001.SZ", "normal"),
        ("430047.BJ", "normal"),
        ("600001.SH", "delisted"),
    ]


def test_the_first_row_reaches_back_to_the_listing() -> None:
    snapshot = share("a9", "600519.SH", "贵州茅台", "2026-11-20", list_date=date(2001, 8, 27))

    table = InstrumentTable([snapshot])

    assert table.listed("2001-08-27").tolist() == ["600519.SH"]
    assert table.listed("2001-08-26").tolist() == []
    assert table.resolve("600519.SH", "2010-01-04") == snapshot


@pytest.mark.parametrize(
    ("day", "treated"),
    [
        ("2018-04-27", False),
        ("2018-05-02", True),
        ("2020-04-17", True),
        ("2020-04-20", False),
        ("2021-01-04", False),
    ],
)
def test_special_treatment_has_its_days(day: str, treated: bool) -> None:
    assert TABLE.is_st("600001.SH", day) is treated


def test_listing_age_counts_sessions_and_survives_a_new_code() -> None:
    assert TABLE.listing_age("600001.SH", "2023-03-01", SSE) == 0
    assert TABLE.listing_age("600001.SH", "2023-03-02", SSE) == 1
    assert TABLE.listing_age("920047.BJ", RECODED, SSE) == SSE.count("2020-11-24", RECODED) - 1
    with pytest.raises(UnknownSymbol, match=r"listed on 2021-01-04"):
        TABLE.listing_age("600001.SH", "2021-01-04", SSE)


def test_without_a_list_date_the_age_counts_from_the_first_row() -> None:
    table = InstrumentTable(
        [
            share("a1", "600000.SH", "甲", "2024-01-02", list_date=None),
            share("a1", "600000.SH", "乙", "2024-01-08", list_date=None),
        ]
    )

    assert table.listing_age("600000.SH", "2024-01-09", SSE) == 5
    assert table.listed("2024-01-01").tolist() == []


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.dates(date(2009, 12, 1), date(2026, 6, 1)), min_size=1, max_size=6, unique=True),
    st.sets(st.sampled_from(["000001.SZ", "000300.SH", "430047.BJ", "600001.SH", "920047.BJ"])),
)
def test_masks_say_for_every_cell_what_the_table_says_of_it(days: list[date], symbols: set[str]) -> None:
    axis, names = np.array(sorted(days), dtype="datetime64[D]"), sorted(symbols)

    listed, treated = TABLE.listed_mask(axis, names), TABLE.st_mask(axis, names)
    ages = TABLE.listing_ages(axis, names, SSE)

    assert listed.shape == treated.shape == ages.shape == (len(days), len(names))
    for t, day in enumerate(sorted(days)):
        universe = set(TABLE.listed(day).tolist())
        for n, name in enumerate(names):
            assert listed[t, n] == (name in universe)
            assert treated[t, n] == (name in universe and TABLE.is_st(name, day))
            assert ages[t, n] == (TABLE.listing_age(name, day, SSE) if name in universe else -1)
            if name in universe:
                assert TABLE.resolve(name, day).is_listed(day)


def test_special_treatment_of_a_snapshot_is_not_carried_into_the_past() -> None:
    today = date(2024, 6, 3)
    snapshot = Instrument(
        "SSE:600001",
        "600001.SH",
        "*ST Example",
        Board.MAIN,
        "steel",
        Status.STAR_ST,
        date(2010, 1, 4),
        None,
        today,
    )
    table = InstrumentTable([snapshot])
    days = np.array(["2020-01-02", "2024-05-31", "2024-06-03"], dtype="datetime64[D]")

    assert table.listed_mask(days, ["600001.SH"])[:, 0].tolist() == [True, True, True]
    assert table.st_mask(days, ["600001.SH"])[:, 0].tolist() == [False, False, True]
    assert [table.is_st("600001.SH", day) for day in days] == [False, False, True]


def test_masks_of_minutes_follow_their_day() -> None:
    minutes = np.array(["2020-05-29T15:00", "2020-06-01T09:31"], dtype="datetime64[s]")

    assert TABLE.listed_mask(minutes, np.array(["600001.SH"])).tolist() == [[True], [False]]


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("600001", ["600001.SH", "600001.SH"]),
        ("6000", ["600001.SH", "600001.SH"]),
        ("600001.sh", ["600001.SH", "600001.SH"]),
        ("平安", ["000001.SZ"]),
        ("深发展A", ["000001.SZ"]),
        ("深 发展ａ", ["000001.SZ"]),
        ("药业", ["600001.SH"]),
        ("430047", ["920047.BJ"]),
        ("思兰", ["920047.BJ"]),
        ("没有", []),
        ("  ", []),
    ],
)
def test_search_finds_codes_and_former_names(text: str, symbols: list[str]) -> None:
    assert [row.symbol for row in TABLE.search(text)] == symbols


def test_search_puts_codes_before_names_and_keeps_to_its_limit() -> None:
    rows = [share("x", "600600.SH", "甲", "2020-01-02"), share("y", "600601.SH", "600600 概念", "2020-01-02")]

    assert [row.instrument_id for row in InstrumentTable(rows).search("600600")] == ["x", "y"]
    assert [row.instrument_id for row in InstrumentTable(rows).search("600", limit=1)] == ["x"]
    with pytest.raises(InvalidRequest, match="limit is a number from 1 on, was 0"):
        TABLE.search("6", limit=0)


def test_two_owners_of_one_code_are_refused() -> None:
    rival = share("zz", "000001.SZ", "冒名", "2015-01-05", list_date=date(2015, 1, 5))

    with pytest.raises(InvalidData, match=r"000001\.SZ belongs to two instruments on 2015-01-05: a1 and zz"):
        InstrumentTable([*MARKET, rival])


def test_two_rows_from_one_day_are_refused() -> None:
    with pytest.raises(InvalidData, match="instrument b1 has two rows from 2025-10-09"):
        InstrumentTable([*MARKET, replace(NORTHLAND, valid_from=RECODED)])


def test_no_instruments_is_a_table_too() -> None:
    table = InstrumentTable([])

    assert (len(table), table.symbols, table.at("2024-01-02"), table.search("6")) == (0, [], [], [])
    assert table.listed("2024-01-02").tolist() == []
    assert not table.listed_mask(np.array(["2024-01-02"], dtype="datetime64[D]"), ["600519.SH"]).any()
    assert InstrumentTable.from_table(table.to_table()).to_table().equals(table.to_table())


def test_tables_round_trip_and_fit_the_dataset() -> None:
    table = TABLE.to_table()

    assert table.schema.names == INSTRUMENTS.schema.names
    assert table.schema.types == INSTRUMENTS.schema.types
    clock = FixedClock(datetime(2026, 11, 23, tzinfo=UTC))
    assert conform(INSTRUMENTS, table, clock).equals(table.cast(INSTRUMENTS.schema))
    assert set(InstrumentTable.from_table(table.take(list(reversed(range(len(table))))))) == set(MARKET)
    assert TABLE.symbols == ["000001.SZ", "430047.BJ", "600001.SH", "920047.BJ"]


def test_optional_columns_may_be_absent() -> None:
    table = TABLE.to_table().drop_columns(["industry", "list_date", "delist_date"]).slice(0, 1)

    (row,) = InstrumentTable.from_table(table)
    assert (row.industry, row.list_date, row.delist_date) == (None, None, None)


_GOOD = {
    "symbol": ["600519.SH"],
    "valid_from": [date(2024, 1, 2)],
    "instrument_id": ["a"],
    "name": ["贵州茅台"],
    "board": ["main"],
    "status": ["normal"],
    "list_date": [date(2001, 8, 27)],
    "delist_date": pa.array([None], pa.date32()),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"symbol": ["sh600519"]}, "row 0: symbol must be canonical such as 600519.SH, was 'sh600519'"),
        ({"symbol": ["600519.SH\n"]}, "symbol must be canonical"),
        ({"board": ["nyse"]}, "board must be one of main, chinext, star, bse, b_share, other, was 'nyse'"),
        ({"status": ["ST"]}, "status must be one of normal, st, star_st, delisting, delisted, was 'ST'"),
        ({"name": pa.array([None], pa.string())}, "column 'name' must not be null"),
        ({"valid_from": ["soon"]}, "column 'valid_from' must be date32"),
        ({"delist_date": [date(2001, 1, 1)]}, "delist_date 2001-01-01 lies before list_date 2001-08-27"),
    ],
)
def test_bad_rows_are_refused_with_column_and_cause(change: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidData) as caught:
        InstrumentTable.from_table(pa.table(_GOOD | change))

    assert message in str(caught.value)
    assert caught.value.dataset == "instruments"
    assert caught.value.column in change


def test_a_missing_column_is_named() -> None:
    table = pa.table(_GOOD).drop_columns(["status"])

    with pytest.raises(InvalidData, match="has no column 'status'; it has: symbol, valid_from"):
        InstrumentTable.from_table(table)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_any_history_without_overlap_resolves_to_the_row_of_the_day(data: st.DataObject) -> None:
    codes = ["600000.SH", "600001.SH", "600002.SH"]
    gaps = data.draw(st.lists(st.integers(1, 400), min_size=1, max_size=8))
    starts = [date(2015, 1, 5) + timedelta(days=sum(gaps[: n + 1])) for n in range(len(gaps))]
    rows = [
        share("only", data.draw(st.sampled_from(codes)), f"name {n}", start.isoformat(), list_date=starts[0])
        for n, start in enumerate(starts)
    ]
    day = data.draw(st.dates(date(2014, 12, 1), date(2026, 1, 1)))
    table = InstrumentTable(rows)

    current = [row for row in rows if row.valid_from <= day][-1:]

    assert table.at(day) == current
    for code in codes:
        if current and current[0].symbol == code:
            assert table.resolve(code, day) == current[0]
        else:
            with pytest.raises(UnknownSymbol):
                table.resolve(code, day)


def test_a_search_has_as_many_rows_as_are_asked_for() -> None:
    rows = [share(f"i{i}", f"{600000 + i}.SH", f"name {i}", "2020-01-02") for i in range(1200)]

    assert len(InstrumentTable(rows).search("60", limit=1200)) == 1200
