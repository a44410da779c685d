"""Each vendor's frames become the same canonical rows; its faults become our errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from http.client import RemoteDisconnected

import polars as pl
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import (
    InvalidRequest,
    MissingDependency,
    RateLimited,
    SourceChanged,
    SourceError,
    SourceUnavailable,
    Unsupported,
)
from quantflux.data.sources.akshare import AkshareSource
from quantflux.data.sources.baostock import BaostockSource
from quantflux.data.sources.calling import Caller, TokenBucket, vendor_module
from quantflux.data.sources.contract import CanFetchMinutes, Listing, Source, open_source, source_names
from quantflux.data.sources.tushare import TushareSource
from tests.data.sources.fakes import END, EX_DAY, START, FakeAkshare, FakeBaostock, FakeTushare, market


@pytest.fixture
def now() -> FixedClock:
    return FixedClock(datetime(2024, 7, 1, tzinfo=UTC))


def akshare(now: FixedClock, fake: FakeAkshare | None = None) -> AkshareSource:
    return AkshareSource(clock=now, module=fake or FakeAkshare(), sleep=now.advance)


def tushare(now: FixedClock, fake: FakeTushare | None = None) -> TushareSource:
    return TushareSource(clock=now, token="secret", module=fake or FakeTushare(), sleep=now.advance)


def baostock(now: FixedClock, fake: FakeBaostock | None = None) -> BaostockSource:
    return BaostockSource(clock=now, module=fake or FakeBaostock(), sleep=now.advance)


EVERY: list[Callable[[FixedClock], Source]] = [akshare, tushare, baostock]
COLUMNS = ["symbol", "trade_date", "open", "high", "low", "close", "volume", "adj_factor"]


@pytest.mark.parametrize("opened", EVERY)
def test_daily_bars_are_canonical(opened: Callable[[FixedClock], Source], now: FixedClock) -> None:
    batch = opened(now).daily_bars("600519.SH", START, END)

    expected = market().filter(pl.col("symbol") == "600519.SH")
    assert batch.rows.select(COLUMNS).equals(expected.select(COLUMNS))
    assert (batch.rows["amount"] - expected["amount"]).abs().max() < 0.01
    assert batch.rows.filter(pl.col("trade_date") == EX_DAY)["adj_factor"].item() == 5.0
    assert batch.fetched_at == now.now()
    span = batch.span("trade_date")
    assert span is not None
    assert (span.first, span.last) == (START, END)


@pytest.mark.parametrize("opened", EVERY)
def test_equal_answers_have_equal_digests(opened: Callable[[FixedClock], Source], now: FixedClock) -> None:
    source = opened(now)
    first, again = (source.daily_bars("600519.SH", START, END) for _ in range(2))
    other = source.daily_bars("000001.SZ", START, END)

    assert first.digest == again.digest != other.digest


@pytest.mark.parametrize("opened", EVERY)
def test_a_span_without_rows_is_empty(opened: Callable[[FixedClock], Source], now: FixedClock) -> None:
    batch = opened(now).daily_bars("600519.SH", date(2023, 1, 1), date(2023, 1, 31))

    assert batch.rows.height == 0
    assert batch.span("trade_date") is None


@pytest.mark.parametrize("opened", EVERY)
def test_trading_days_are_dates_in_order(opened: Callable[[FixedClock], Source], now: FixedClock) -> None:
    days = opened(now).sessions(date(2024, 1, 1), date(2024, 1, 31))

    assert days.astype(str).tolist() == ["2024-01-02", "2024-01-03"]


def test_listings(now: FixedClock) -> None:
    moutai = Listing("600519.SH", "贵州茅台", date(2001, 8, 27))
    gone = Listing("600001.SH", "邯郸钢铁", date(1998, 1, 22), date(2009, 12, 29))

    assert akshare(now).listings() == [Listing("000001.SZ", "平安银行"), Listing("600519.SH", "贵州茅台")]
    assert baostock(now).listings() == [gone, moutai]
    assert tushare(now).listings() == [
        gone,
        Listing("600519.SH", "贵州茅台", date(2001, 8, 27), None, "白酒"),
    ]


def test_akshare_minutes_fold_the_opening_auction(now: FixedClock) -> None:
    source = akshare(now)
    assert isinstance(source, CanFetchMinutes)

    rows = source.minute_bars("600519.SH", date(2024, 6, 3), date(2024, 6, 3)).rows

    assert rows["bar_time"].dt.strftime("%H:%M").sort().to_list() == ["09:31", "09:32"]
    first = rows.sort("bar_time").row(0, named=True)
    assert (first["open"], first["volume"], first["amount"]) == (10.0, 1500.0, 15200.0)


def test_tushare_minutes_come_in_windows(now: FixedClock) -> None:
    fake = FakeTushare()

    rows = tushare(now, fake).minute_bars("600519.SH", date(2024, 5, 1), date(2024, 7, 15)).rows

    assert rows["bar_time"].dt.strftime("%H:%M").to_list() == ["09:31", "09:32"]
    assert rows["volume"].to_list() == [500.0, 500.0]
    assert fake.pro.faults.names() == ["stk_mins"] * 3


def test_baostock_has_no_minutes_and_no_beijing(now: FixedClock) -> None:
    with pytest.raises(Unsupported, match="5 minutes"):
        baostock(now).minute_bars("600519.SH", START, END)
    with pytest.raises(Unsupported, match="Beijing"):
        baostock(now).daily_bars("920047.BJ", START, END)


def test_baostock_days_of_suspension_have_no_volume(now: FixedClock) -> None:
    fake = FakeBaostock()
    fake.idle = {date(2024, 2, 1)}

    rows = baostock(now, fake).daily_bars("600519.SH", START, END).rows

    idle = rows.filter(pl.col("trade_date") == date(2024, 2, 1))
    assert idle["volume"].to_list() == [0.0]
    assert rows.filter(pl.col("volume") == 0).height == 1


def test_baostock_logs_in_once_and_again_when_the_session_ends(now: FixedClock) -> None:
    fake = FakeBaostock()
    source = baostock(now, fake)
    source.daily_bars("600519.SH", START, END)
    fake.answer_codes = [("10001001", "用户未登录")]

    again = source.daily_bars("000001.SZ", START, END)
    source.close()
    source.close()

    assert again.rows.height > 100
    assert (fake.sessions, fake.logouts) == (2, 1)


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        ("10002007", "网络接收错误", SourceUnavailable),
        ("10001011", "黑名单用户", RateLimited),
        ("10004012", "参数错误", InvalidRequest),
        ("10009999", "?", SourceError),
    ],
)
def test_baostock_codes_become_errors(
    code: str, message: str, error: type[Exception], now: FixedClock
) -> None:
    fake = FakeBaostock()
    fake.answer_codes = [(code, message)] * 9

    with pytest.raises(error, match=code):
        baostock(now, fake).daily_bars("600519.SH", START, END)


def test_half_an_answer_of_baostock_is_no_answer(now: FixedClock) -> None:
    class Breaking(FakeBaostock):
        def query_trade_dates(self, *, start_date: str, end_date: str):
            result = super().query_trade_dates(start_date=start_date, end_date=end_date)
            plain = result.next

            def broken() -> bool:
                if plain() and result.get_row_data()[0] < "2024-01-03":
                    return True
                result.error_code, result.error_msg = "10002007", "网络接收错误"
                return False

            result.next = broken  # type: ignore[method-assign]
            return result

    with pytest.raises(SourceUnavailable, match="10002007"):
        baostock(now, Breaking()).sessions(START, END)


def test_a_renamed_column_is_a_changed_source(now: FixedClock) -> None:
    fake = FakeAkshare()
    fake.rename = {"收盘": "收盘价"}

    with pytest.raises(SourceChanged, match=r"收盘.*it has: 日期"):
        akshare(now, fake).daily_bars("600519.SH", START, END)


def test_no_frame_is_a_changed_source(now: FixedClock) -> None:
    fake = FakeAkshare()
    fake.stock_zh_a_hist = lambda **_: "<html>"  # type: ignore[method-assign,assignment]

    with pytest.raises(SourceChanged, match="answered str"):
        akshare(now, fake).daily_bars("600519.SH", START, END)


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (ConnectionError("('Connection aborted.', RemoteDisconnected('...'))"), RateLimited),
        (RemoteDisconnected("Remote end closed connection without response"), RateLimited),
        (ConnectionError("Max retries exceeded: timed out"), SourceUnavailable),
        (TimeoutError("read timed out"), SourceUnavailable),
        (json.JSONDecodeError("Expecting value", "<html>", 0), SourceUnavailable),
        (KeyError("klines"), SourceChanged),
        (RuntimeError("?"), SourceError),
    ],
)
def test_akshare_faults_become_errors(raised: Exception, error: type[Exception], now: FixedClock) -> None:
    fake = FakeAkshare()
    fake.faults.always = lambda _name, _args: raised

    with pytest.raises(error) as caught:
        akshare(now, fake).daily_bars("600519.SH", START, END)

    assert type(caught.value) is error
    assert caught.value.__cause__ is raised


@pytest.mark.parametrize(
    ("message", "error", "calls"),
    [
        ("抱歉，您每分钟最多访问该接口500次", RateLimited, 4),
        ("抱歉，您每天最多访问该接口100次", SourceError, 1),
        ("抱歉，您没有访问该接口的权限", SourceError, 1),
        ("您的token不对，请确认。", SourceError, 1),
        ("查询数据失败，请确认参数！", SourceUnavailable, 4),
    ],
)
def test_tushare_messages_become_errors(
    message: str, error: type[Exception], calls: int, now: FixedClock
) -> None:
    fake = FakeTushare()
    fake.pro.faults.always = lambda _name, _args: Exception(message)

    with pytest.raises(error, match=message[:6]) as caught:
        tushare(now, fake).daily_bars("600519.SH", START, END)

    assert type(caught.value) is error
    assert len(fake.pro.faults.calls) == calls


def test_passing_faults_are_waited_out(now: FixedClock) -> None:
    fake = FakeTushare()
    fake.pro.faults.planned = [Exception("抱歉，您每分钟最多访问该接口500次"), TimeoutError("slow"), None]
    started = now.monotonic()

    batch = tushare(now, fake).daily_bars("600519.SH", START, END)

    assert batch.rows.height > 100
    assert now.monotonic() - started >= 60


def test_a_share_without_a_factor_has_null_factors(now: FixedClock) -> None:
    fake = FakeAkshare()
    fake.faults.always = lambda name, _: (
        ValueError("sina hfq factor not available") if name == "stock_zh_a_daily" else None
    )

    rows = akshare(now, fake).daily_bars("600519.SH", START, END).rows

    assert rows["adj_factor"].null_count() == rows.height


def test_calls_are_spread_over_time(now: FixedClock) -> None:
    bucket = TokenBucket(120, clock=now, sleep=now.advance, burst=3)
    started = now.monotonic()

    for _ in range(103):
        bucket.take()

    assert now.monotonic() - started == pytest.approx(50.0)


def test_a_clock_that_stood_still_saves_no_more_than_a_burst(now: FixedClock) -> None:
    bucket = TokenBucket(60, clock=now, sleep=now.advance, burst=2)
    now.advance(3600)
    started = now.monotonic()

    for _ in range(4):
        bucket.take()

    assert now.monotonic() - started == pytest.approx(2.0)


def test_backoff_doubles_and_ends(now: FixedClock) -> None:
    waits: list[float] = []
    caller = Caller(
        TokenBucket(6000, clock=now, sleep=now.advance),
        lambda exc: SourceUnavailable(str(exc)),
        sleep=waits.append,
        attempts=4,
        backoff=1.0,
    )

    def failing() -> None:
        raise OSError("down")

    with pytest.raises(SourceUnavailable, match="down"):
        caller.call(failing)

    assert waits == [1.0, 2.0, 4.0]


def test_vendors_are_found_by_entry_point_and_missing_ones_say_how_to_install(now: FixedClock) -> None:
    assert {"akshare", "baostock", "tushare"} <= set(source_names())
    with pytest.raises(InvalidRequest, match="akshare"):
        open_source("wind", {}, now)
    with pytest.raises(MissingDependency, match=r"quantflux\[not_there\]"):
        vendor_module("not_there")
    with pytest.raises(InvalidRequest, match=r"sources\.tushare\.token"):
        TushareSource(clock=now, module=FakeTushare())
