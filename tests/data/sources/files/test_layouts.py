"""Headers are told apart, and what cannot be told is asked for."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantflux.core.errors import InvalidRequest
from quantflux.data.sources.files.layouts import known_layouts, recognise
from quantflux.data.sources.files.normalise import AMOUNT_UNITS, VOLUME_UNITS

AKSHARE = [
    "日期",
    "股票代码",
    "开盘",
    "收盘",
    "最高",
    "最低",
    "成交量",
    "成交额",
    "振幅",
    "涨跌幅",
    "涨跌额",
    "换手率",
]
OHLC = ["open", "high", "low", "close"]
HEADERS = {
    "akshare": AKSHARE,
    "eastmoney": ["股票名称", *AKSHARE],
    "akshare-sina": ["date", *OHLC, "volume", "amount", "outstanding_share", "turnover", "symbol"],
    "akshare-minute": ["时间", "开盘", "收盘", "最高", "最低", "成交量", "成交额", "均价", "股票代码"],
    "tushare": ["ts_code", "trade_date", *OHLC, "pre_close", "change", "pct_chg", "vol", "amount"],
    "tushare-minute": ["ts_code", "trade_time", *OHLC, "vol", "amount"],
    "v1-daily": ["ts_code", "trade_date", *OHLC, "pre_close", "change_c", "pct_chg", "vol", "amount"],
    "v1-minute": [
        *("id", "ts_code", "datetime", "period_type", *OHLC, "volume", "amount"),
        *("pre_close", "change", "pct_chg", "created_at", "updated_at"),
    ],
    "v1-minute-history": ["ts_code", "timestamp", *OHLC, "volume", "amount"],
    "baostock": [
        *("date", "code", *OHLC, "preclose", "volume", "amount"),
        *("adjustflag", "turn", "tradestatus", "pctChg", "isST"),
    ],
    "yahoo": ["Date", "Open", "High", "Low", "Close", "Adj Close", "Volume", "Symbol"],
    "canonical": ["symbol", "trade_date", *OHLC, "volume", "amount", "adj_factor"],
    "canonical-minute": ["symbol", "bar_time", *OHLC, "volume", "amount"],
    "generic": ["代码", "交易日期", "开盘价", "最高价", "最低价", "收盘价", "成交量"],
    "generic-minute": ["code", "time", *OHLC, "volume", "money"],
}


def test_every_layout_has_a_header_here() -> None:
    assert set(HEADERS) == set(known_layouts())


@pytest.mark.parametrize("name", HEADERS)
def test_a_documented_header_is_recognised(name: str) -> None:
    best = recognise(HEADERS[name], symbol_in_name=False)[0]

    assert best.layout.name == name
    assert f"{best.score:.0%}" in best.why()


@pytest.mark.parametrize("name", HEADERS)
def test_order_case_and_spaces_of_headers_do_not_matter(name: str) -> None:
    header = [f" {h.upper()} " for h in reversed(HEADERS[name])]

    best = recognise(header, symbol_in_name=False)[0]

    assert best.layout.name == name
    assert set(best.mapping.values()) <= set(header)


def test_units_of_layouts_are_known_units() -> None:
    for layout in known_layouts().values():
        assert layout.generic or layout.volume_unit in VOLUME_UNITS
        assert layout.generic or layout.amount_unit in AMOUNT_UNITS
        assert set(layout.required) <= set(layout.columns) | {"symbol"}


def test_a_header_without_a_vendors_marks_makes_no_claim_about_units() -> None:
    best = recognise(["Date", "Open", "High", "Low", "Close", "Volume"], symbol_in_name=True)[0]

    assert best.layout.name == "generic"


def test_scores_fall() -> None:
    found = recognise(HEADERS["eastmoney"], symbol_in_name=False)

    assert all(a.score >= b.score for a, b in pairwise(found))
    assert found[1].layout.name == "akshare"


def test_two_layouts_that_fit_equally_are_both_named(monkeypatch: pytest.MonkeyPatch) -> None:
    tushare = known_layouts()["tushare"]
    twin = replace(tushare, name="twin", volume_unit="shares")
    known = {"tushare": tushare, "twin": twin}
    monkeypatch.setattr("quantflux.data.sources.files.layouts.known_layouts", lambda: known)

    with pytest.raises(InvalidRequest, match=r"tushare, twin.*--layout"):
        recognise(HEADERS["tushare"], symbol_in_name=False)
    assert recognise(HEADERS["tushare"], symbol_in_name=False, wanted="twin")[0].layout is twin


def test_a_wanted_layout_must_exist_and_fit() -> None:
    with pytest.raises(InvalidRequest, match="no layout is called 'wind'; known: canonical"):
        recognise(AKSHARE, symbol_in_name=False, wanted="wind")
    with pytest.raises(InvalidRequest, match="needs symbol, date"):
        recognise(AKSHARE, symbol_in_name=False, wanted="tushare")


@given(st.lists(st.text(max_size=20), max_size=30))
def test_any_header_is_matched_or_refused(header: list[str]) -> None:
    try:
        best = recognise(header, symbol_in_name=True)[0]
    except InvalidRequest as exc:
        assert "no layout fits" in str(exc)  # noqa: PT017 - the point is that nothing else is raised
    else:
        assert 0 < best.score <= 1
