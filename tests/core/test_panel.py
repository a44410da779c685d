"""Panels: checked when built, read-only after, and the same through every form they can take."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.core.errors import InvalidRequest, MissingDependency, NotFound, UnknownSymbol
from quantflux.core.panel import Panel

DAYS = np.array(["2024-01-02", "2024-01-03", "2024-01-05", "2024-01-08"], dtype="datetime64[D]")
SYMBOLS = ["000001.SZ", "000002.SZ", "600519.SH", "920047.BJ"]
MINUTES = np.array(["2024-01-02T09:31", "2024-01-02T15:00", "2024-01-03T09:31"], dtype="datetime64[s]")


def daily(**fields: np.ndarray) -> Panel:
    return Panel(DAYS, SYMBOLS, fields or {"close": np.arange(16.0).reshape(4, 4)})


def minutely() -> Panel:
    return Panel(MINUTES, SYMBOLS[:2], {"close": np.arange(6.0).reshape(3, 2)})


@st.composite
def panels(draw: st.DrawFn) -> Panel:
    """Panels with gaps, of days or minutes, float32 or float64; no row or column is wholly absent."""
    unit, origin = draw(st.sampled_from([("D", "1990-12-19"), ("s", "2024-01-02T09:31:00")]))
    times = sorted(draw(st.sets(st.integers(0, 20_000), min_size=1, max_size=6)))
    symbols = sorted(draw(st.sets(st.sampled_from([*SYMBOLS, "300750.SZ", "688981.SH"]), min_size=1)))
    kind = draw(st.sampled_from([np.float32, np.float64]))
    cells = len(times) * len(symbols)
    numbers = st.floats(allow_infinity=False, width=32) | st.just(float("nan"))
    fields = {
        name: np.array(draw(st.lists(numbers, min_size=cells, max_size=cells)), dtype=kind).reshape(
            len(times), -1
        )
        for name in ("close", "volume")
    }
    for i in range(max(len(times), len(symbols))):
        fields["close"][i % len(times), i % len(symbols)] = 1.5
    return Panel(np.datetime64(origin, unit) + np.array(times), symbols, fields)


@settings(deadline=None, max_examples=100)
@given(panels(), st.randoms(use_true_random=False))
def test_the_long_table_gives_the_same_panel_back_whatever_its_order(panel: Panel, random: object) -> None:
    table = panel.to_arrow()
    order = list(range(len(table)))
    random.shuffle(order)  # type: ignore[attr-defined]

    back = Panel.from_table(table.take(order), dtype=panel["close"].dtype.type)

    assert back.equals(panel)
    assert back.to_arrow().equals(table)


@settings(deadline=None, max_examples=100)
@given(panels(), st.data())
def test_a_selection_is_the_cells_it_names(panel: Panel, data: st.DataObject) -> None:
    symbols = data.draw(st.lists(st.sampled_from(panel.symbols.tolist())))
    start, end = sorted(
        data.draw(st.tuples(st.sampled_from(list(panel.times)), st.sampled_from(list(panel.times))))
    )

    part = panel.select(symbols, start, end, ["close"])

    assert part.symbols.tolist() == sorted(set(symbols))
    assert part.times.tolist() == [t for t in panel.times.tolist() if start <= t <= end]
    for i, time in enumerate(part.times):
        for j, symbol in enumerate(part.symbols):
            whole = panel["close"][panel.row_of(time), panel.column_of(symbol)]
            np.testing.assert_equal(part["close"][i, j], whole)


@settings(deadline=None, max_examples=50)
@given(panels())
def test_reindexing_out_and_back_loses_nothing(panel: Panel) -> None:
    more_symbols = sorted({*panel.symbols.tolist(), "000000.SZ", "999999.SH"})
    more_times = np.unique(np.concatenate([panel.times, panel.times + 1]))

    wide = panel.reindex(times=more_times, symbols=more_symbols)

    assert wide.shape == (len(more_times), len(more_symbols))
    assert wide.to_arrow().equals(panel.to_arrow())
    assert wide.reindex(times=panel.times, symbols=panel.symbols).equals(panel)


def test_arrays_are_taken_without_a_copy_and_cannot_be_written_through_the_panel() -> None:
    values = np.ones((4, 4))

    panel = daily(close=values)

    assert np.shares_memory(panel["close"], values)
    for array in (
        panel["close"],
        panel.times,
        panel.symbols,
        panel.select(SYMBOLS[1:3], fields=["close"])["close"],
    ):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = array
    with pytest.raises(TypeError):
        panel.fields["close"] = values  # type: ignore[index]


def test_mapped_files_are_used_in_place(tmp_path: Path) -> None:
    values = np.memmap(tmp_path / "close.f64", dtype=np.float64, mode="w+", shape=(4, 4))
    values[:] = 2.5

    panel = Panel(DAYS, SYMBOLS, {"close": values})

    assert type(panel["close"]) is np.ndarray
    assert np.shares_memory(panel["close"], values)
    assert np.shares_memory(panel.select(SYMBOLS[1:3], "2024-01-03")["close"], values)


def test_neighbours_are_views_and_others_are_copies() -> None:
    panel = daily()

    assert np.shares_memory(panel.select(SYMBOLS[:3])["close"], panel["close"])
    assert not np.shares_memory(panel.select([SYMBOLS[0], SYMBOLS[3]])["close"], panel["close"])


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (DAYS[::-1], "sorted without repeats; 2024-01-05 stands after 2024-01-08 at position 1"),
        (np.array(["2024-01-02", "2024-01-02"], dtype="datetime64[D]"), "sorted without repeats"),
        (np.array(["2024-01-02", "NaT"], dtype="datetime64[D]"), "NaT"),
        (DAYS.astype("datetime64[ns]"), "datetime64.ns"),
        (DAYS.reshape(2, 2), "shape"),
        (np.arange(4), "int64"),
    ],
)
def test_bad_times_are_refused(times: np.ndarray, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        Panel(times, SYMBOLS, {})


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        (["B", "A"], "A stands after B at position 1"),
        (["A", "A"], "sorted without repeats"),
        ("AB", "list of symbols"),
        ([1, 2], "one row of text"),
        ([["A"], ["B"]], "one row of text"),
        (np.array(["A", None], dtype=object), "one row of text"),
    ],
)
def test_bad_symbols_are_refused(symbols: object, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        Panel(DAYS, symbols, {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((4, 3)), r"shape \(4, 4\) \(times, symbols\), had \(4, 3\)"),
        (np.ones((4, 4), dtype=np.int64), "float64 or float32, was int64"),
        (np.full((4, 4), "x"), "float64 or float32"),
    ],
)
def test_bad_fields_are_refused(values: np.ndarray, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        daily(close=values)
    with pytest.raises(InvalidRequest, match=message):
        daily().with_field("open", values)


@pytest.mark.parametrize(
    "when",
    [
        "2024-01-03",
        "2024-01-03T10:00",
        date(2024, 1, 3),
        datetime(2024, 1, 3, 9, 31),
        datetime(2024, 1, 2, 16, 0, tzinfo=UTC),
        np.datetime64("2024-01-03"),
    ],
)
def test_a_day_is_found_however_it_is_written(when: object) -> None:
    assert daily().row_of(when) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "when", ["2024-01-02 15:00", datetime(2024, 1, 2, 7, tzinfo=UTC), np.datetime64("2024-01-02T15:00")]
)
def test_a_minute_is_found_by_wall_clock_or_instant(when: object) -> None:
    assert minutely().row_of(when) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "when", ["yesterday", "2024-13-01", "2024-01", "", np.datetime64("NaT"), 20240102, None]
)
def test_what_is_no_day_is_refused(when: object) -> None:
    with pytest.raises(InvalidRequest):
        daily().row_of(when)  # type: ignore[arg-type]


def test_absent_rows_symbols_and_fields_are_named_with_what_is_near() -> None:
    panel = daily()

    with pytest.raises(NotFound, match="no row at 2024-01-04; nearest: 2024-01-03 and 2024-01-05"):
        panel.row_of("2024-01-04")
    with pytest.raises(UnknownSymbol, match=r"600518\.SH.*Similar: 600519\.SH"):
        panel.column_of("600518.SH")
    with pytest.raises(UnknownSymbol):
        panel.select(["999999.SZ"])
    with pytest.raises(NotFound, match="no field 'open'; it has: close"):
        panel["open"]
    with pytest.raises(NotFound, match="open"):
        panel.select(fields=["open"])


def test_a_text_is_not_a_list_of_symbols() -> None:
    with pytest.raises(InvalidRequest, match="list of symbols"):
        daily().select("600519.SH")


def test_days_bound_whole_days_of_minutes() -> None:
    panel = minutely()

    assert panel.rows_between("2024-01-02", "2024-01-02") == slice(0, 2)
    assert panel.rows_between("2024-01-02T09:31:01", None) == slice(1, 3)
    assert panel.rows_between(datetime(2024, 1, 2, 9, 31, 0, 1), None) == slice(1, 3)
    assert panel.rows_between(None, datetime(2024, 1, 2, 9, 31, 0, 1)) == slice(0, 1)


def test_spans_outside_the_panel_are_empty_and_reversed_ones_refused() -> None:
    panel = daily()

    assert panel.select(start="1800-01-01", end="1990-01-01").shape == (0, 4)
    assert panel.select(start="2030-01-01", end="9999-12-31").to_arrow().num_rows == 0
    assert panel.select(symbols=[]).shape == (4, 0)
    with pytest.raises(InvalidRequest, match="start must not be after end"):
        panel.rows_between("2024-01-03", "2024-01-02")


def test_an_empty_panel_answers() -> None:
    panel = Panel(DAYS[:0], [], {"close": np.zeros((0, 0))})

    assert panel.to_arrow().num_rows == 0
    assert Panel.from_table(panel.to_arrow()).equals(panel)
    assert repr(panel) == "Panel(0 days x 0 symbols, fields: close)"
    with pytest.raises(UnknownSymbol):
        panel.column_of("600519.SH")
    with pytest.raises(NotFound, match="no rows"):
        panel.row_of("2024-01-02")


def test_a_row_is_absent_only_when_every_field_is() -> None:
    close, volume = np.full((4, 4), np.nan), np.full((4, 4), np.nan)
    close[1, 2], volume[1, 2], volume[3, 0] = 1685.0, 100.0, 7.0

    table = daily(close=close, volume=volume).to_arrow(types={"volume": pa.int64()})

    assert table.to_pydict() == {
        "symbol": ["000001.SZ", "600519.SH"],
        "trade_date": [date(2024, 1, 8), date(2024, 1, 3)],
        "close": [None, 1685.0],
        "volume": [7, 100],
    }
    assert table.schema.types == [pa.string(), pa.date32(), pa.float64(), pa.int64()]


def test_minutes_become_instants_in_shanghai() -> None:
    table = minutely().to_arrow()

    assert table.schema.field("bar_time").type == pa.timestamp("us", tz="Asia/Shanghai")
    assert table.column("bar_time")[0].as_py() == datetime(2024, 1, 2, 1, 31, tzinfo=UTC)


def test_instants_of_any_zone_and_unit_become_shanghai_wall_clock() -> None:
    instants = pa.array([datetime(2024, 1, 2, 1, 31, tzinfo=UTC)])

    for kind in (pa.timestamp("ns", tz="UTC"), pa.timestamp("ms", tz="America/New_York")):
        table = pa.table({"symbol": ["A"], "bar_time": instants.cast(kind), "close": [1.0]})
        assert Panel.from_table(table).times.tolist() == [datetime(2024, 1, 2, 9, 31)]


def test_volumes_above_float32_are_exact() -> None:
    volume = 2**24 + 1
    table = pa.table({"symbol": ["A"], "trade_date": [date(2024, 1, 2)], "volume": [volume]})

    assert Panel.from_table(table).to_arrow(types={"volume": pa.int64()}).column("volume").to_pylist() == [
        volume
    ]


def test_a_cast_that_would_lose_something_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="'close' cannot become int64"):
        daily(close=np.full((4, 4), 1.5)).to_arrow(types={"close": pa.int64()})


_GOOD = {"symbol": ["A", "B"], "trade_date": [date(2024, 1, 2)] * 2, "close": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"symbol": ["A", "A"]}, "A has 2 rows at 2024-01-02"),
        ({"symbol": ["A", None]}, "'symbol' is part of the key"),
        ({"trade_date": [date(2024, 1, 2), None]}, "'trade_date' is part of the key"),
        ({"trade_date": ["2024-01-02"] * 2}, "one column of days or instants, found none"),
        ({"trade_date": [datetime(2024, 1, 2, 9, 31, 0, 5)] * 2}, "whole seconds"),
        ({"trade_date": [1.0, 2.0], "a": [date(2024, 1, 2)] * 2, "b": [date(2024, 1, 2)] * 2}, "found a, b"),
    ],
)
def test_bad_tables_are_refused(change: dict[str, list[object]], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        Panel.from_table(pa.table(_GOOD | change))


def test_fields_that_are_no_columns_or_no_numbers_are_refused() -> None:
    table = pa.table({**_GOOD, "name": ["a", "b"]})

    assert list(Panel.from_table(table)) == ["close"]
    with pytest.raises(InvalidRequest, match="no column 'open'"):
        Panel.from_table(table, fields=["open"])
    with pytest.raises(InvalidRequest, match="'name' is not numeric"):
        Panel.from_table(table, fields=["name"])
    with pytest.raises(InvalidRequest, match="'symbol' must hold days or instants"):
        Panel.from_table(table, time="symbol")


def test_other_dates_beside_the_usual_time_column_do_not_confuse() -> None:
    table = pa.table({**_GOOD, "ann_date": [date(2024, 3, 1)] * 2})

    assert Panel.from_table(table).times.tolist() == [date(2024, 1, 2)]


def test_frames_hold_the_long_table() -> None:
    panel = daily()

    assert (
        panel.to_polars().to_arrow().column("close").to_pylist()
        == panel.to_arrow().column("close").to_pylist()
    )
    frame = panel.to_pandas(time="day")
    assert frame.columns.tolist() == ["symbol", "day", "close"]
    assert frame["day"].iloc[0] == np.datetime64("2024-01-02")


def test_without_pandas_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(MissingDependency, match=r"quantflux\[pandas\]"):
        daily().to_pandas()


def test_symbols_may_come_as_objects_or_dictionary() -> None:
    table = pa.table(_GOOD)
    encoded = table.set_column(0, "symbol", table.column("symbol").dictionary_encode())

    assert Panel.from_table(encoded).equals(Panel.from_table(table))
    assert Panel(DAYS, np.array(SYMBOLS, dtype=object), {}).symbols.tolist() == SYMBOLS


def test_a_new_field_leaves_the_old_panel_alone_and_shares_the_rest() -> None:
    panel = daily()

    more = panel.with_field("open", np.zeros((4, 4)))

    assert list(panel) == ["close"]
    assert list(more) == ["close", "open"]
    assert np.shares_memory(more["close"], panel["close"])
    assert "open" in more
    assert "open" not in panel
    assert more.nbytes == 2 * panel.nbytes


def test_days_and_minutes_do_not_mix() -> None:
    with pytest.raises(InvalidRequest, match="cannot be laid on"):
        daily().reindex(times=MINUTES)


def test_equality_sees_every_part() -> None:
    panel = daily()

    assert panel.equals(daily())
    assert not panel.equals(daily(close=np.ones((4, 4))))
    assert not panel.equals(daily(open=np.arange(16.0).reshape(4, 4)))
    assert not panel.equals(daily(close=np.arange(16.0, dtype=np.float32).reshape(4, 4)))
    assert not panel.equals(panel.select(SYMBOLS[:3]))
    assert not panel.equals(panel.select(start="2024-01-03"))
