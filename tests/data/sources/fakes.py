"""Stand-ins for the vendors' libraries, with frames shaped as their documentation shows them.

They explode on arguments that the real functions do not take, count their calls, and fail on demand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from types import SimpleNamespace
from typing import Any

import pandas as pd
import polars as pl

from quantflux.core.symbols import parse_symbol
from tests.data.quality.market import clean_daily

SYMBOLS = ("000001.SZ", "300750.SZ", "600519.SH")
START, END = date(2024, 1, 2), date(2024, 6, 28)
EX_DAY = date(2024, 3, 1)


def market() -> pl.DataFrame:
    """Raw bars of three shares; the factor of each rises from 4 to 5 on EX_DAY."""
    factor = pl.when(pl.col("trade_date") < EX_DAY).then(4.0).otherwise(5.0)
    return clean_daily(SYMBOLS, START, END).with_columns(factor.alias("adj_factor"))


class Faults:
    """Errors to raise, in order, before answers; and what was called."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.planned: list[Exception | None] = []
        self.always: Callable[[str, dict[str, Any]], Exception | None] = lambda _name, _args: None

    def note(self, name: str, **arguments: Any) -> None:
        self.calls.append((name, arguments))
        error = self.planned.pop(0) if self.planned else self.always(name, arguments)
        if error is not None:
            raise error

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


def _rows(code: str, start: str, end: str, table: pl.DataFrame) -> pl.DataFrame:
    first, last = (
        date.fromisoformat(t) if "-" in t else date(int(t[:4]), int(t[4:6]), int(t[6:])) for t in (start, end)
    )
    inside = (pl.col("trade_date") >= first) & (pl.col("trade_date") <= last)
    return table.filter((pl.col("symbol") == parse_symbol(code)) & inside)


def _day(text: str) -> date:
    return date.fromisoformat(text)


class FakeAkshare:
    """stock_zh_a_hist and stock_zh_a_hist_min_em (Eastmoney), stock_zh_a_daily (Sina) and the lists."""

    def __init__(self, table: pl.DataFrame | None = None) -> None:
        self.table = market() if table is None else table
        self.faults = Faults()
        self.rename: dict[str, str] = {}

    def stock_zh_a_hist(
        self, *, symbol: str, period: str, start_date: str, end_date: str, adjust: str
    ) -> pd.DataFrame:
        self.faults.note("stock_zh_a_hist", symbol=symbol, start_date=start_date, end_date=end_date)
        assert (period, adjust) == ("daily", "")
        rows = _rows(symbol, start_date, end_date, self.table)
        if not rows.height:
            return pd.DataFrame()
        return pd.DataFrame(
            {
                "日期": rows["trade_date"].to_list(),
                "股票代码": symbol,
                "开盘": rows["open"].to_list(),
                "收盘": rows["close"].to_list(),
                "最高": rows["high"].to_list(),
                "最低": rows["low"].to_list(),
                "成交量": (rows["volume"] / 100).cast(pl.Int64).to_list(),
                "成交额": rows["amount"].to_list(),
                "振幅": 1.0,
                "涨跌幅": 0.5,
                "涨跌额": 0.1,
                "换手率": 0.3,
            }
        ).rename(columns=self.rename)

    def stock_zh_a_daily(self, *, symbol: str, adjust: str) -> pd.DataFrame:
        self.faults.note("stock_zh_a_daily", symbol=symbol)
        assert adjust == "hfq-factor"
        # Sina gives text, newest first, down to a row in 1900.
        days = [EX_DAY, date(2001, 1, 1), date(1900, 1, 1)]
        return pd.DataFrame({"date": pd.to_datetime(days), "hfq_factor": ["5.0000", "4.0000", "1.0000"]})

    def stock_zh_a_hist_min_em(
        self, *, symbol: str, start_date: str, end_date: str, period: str, adjust: str
    ) -> pd.DataFrame:
        self.faults.note("stock_zh_a_hist_min_em", symbol=symbol)
        assert (period, adjust) == ("1", "")
        times = ["2024-06-03 09:30:00", "2024-06-03 09:31:00", "2024-06-03 09:32:00"]
        prices = {
            "开盘": [10.0, 10.1, 10.2],
            "收盘": [10.0, 10.2, 10.3],
            "最高": [10.0, 10.3, 10.3],
            "最低": [10.0, 10.1, 10.2],
        }
        return pd.DataFrame(
            {
                "时间": times,
                **prices,
                "成交量": [5, 10, 20],
                "成交额": [5000.0, 10200.0, 20500.0],
                "均价": 10.1,
            }
        )

    def stock_history_dividend_detail(
        self, symbol: str = "000002", indicator: str = "分红", date: str = ""
    ) -> pd.DataFrame:
        self.faults.note("stock_history_dividend_detail", symbol=symbol, indicator=indicator)
        assert date == ""
        if symbol != "600519":
            return pd.DataFrame()  # Sina: no data yet
        if indicator == "配股":
            dates = {n: [_day("2024-05-09")] for n in ("公告日期", "股权登记日", "缴款起始日", "缴款终止日")}
            return pd.DataFrame(
                {
                    **dates,
                    "除权日": [_day("2024-05-10")],
                    "配股上市日": [pd.NaT],
                    "配股方案": [2.0],
                    "配股价格": [7.5],
                    "基准股本": [1e9],
                    "募集资金合计": [1.5e9],
                }
            ).rename(columns=self.rename)
        return pd.DataFrame(
            {
                "公告日期": [_day("2024-06-20"), _day("2024-02-20"), _day("2020-06-01")],
                "送股": [0.0, 1.0, 0.0],
                "转增": [0.0, 2.0, 0.0],
                "派息": [3.0, 5.0, 10.0],
                "进度": ["预案", "实施", "实施"],
                "除权除息日": [pd.NaT, EX_DAY, _day("2020-06-05")],
                "股权登记日": [pd.NaT, _day("2024-02-29"), _day("2020-06-04")],
                "红股上市日": [pd.NaT, EX_DAY, pd.NaT],
            }
        ).rename(columns=self.rename)

    def stock_info_a_code_name(self) -> pd.DataFrame:
        return pd.DataFrame({"code": ["600519", "000001"], "name": ["贵州茅台", "平安银行"]})

    def tool_trade_date_hist_sina(self) -> pd.DataFrame:
        return pd.DataFrame({"trade_date": [date(1990, 12, 19), date(2024, 1, 2), date(2024, 1, 3)]})


class FakePro:
    """What `tushare.pro_api` returns."""

    def __init__(self, table: pl.DataFrame) -> None:
        self.table = table
        self.faults = Faults()

    def daily(self, *, ts_code: str, start_date: str, end_date: str) -> pd.DataFrame:
        self.faults.note("daily", ts_code=ts_code, start_date=start_date, end_date=end_date)
        rows = _rows(ts_code, start_date, end_date, self.table).reverse()
        return pd.DataFrame(
            {
                "ts_code": rows["symbol"].to_list(),
                "trade_date": rows["trade_date"].dt.strftime("%Y%m%d").to_list(),
                "open": rows["open"].to_list(),
                "high": rows["high"].to_list(),
                "low": rows["low"].to_list(),
                "close": rows["close"].to_list(),
                "pre_close": rows["open"].to_list(),
                "change": 0.0,
                "pct_chg": 0.0,
                "vol": (rows["volume"] / 100).to_list(),
                "amount": (rows["amount"] / 1000).to_list(),
            }
        )

    def adj_factor(self, *, ts_code: str, start_date: str, end_date: str) -> pd.DataFrame:
        self.faults.note("adj_factor", ts_code=ts_code)
        rows = _rows(ts_code, start_date, end_date, self.table).reverse()
        days = rows["trade_date"].dt.strftime("%Y%m%d").to_list()
        return pd.DataFrame(
            {
                "ts_code": rows["symbol"].to_list(),
                "trade_date": days,
                "adj_factor": rows["adj_factor"].to_list(),
            }
        )

    def dividend(self, *, ts_code: str, fields: str) -> pd.DataFrame:
        self.faults.note("dividend", ts_code=ts_code)
        names = fields.split(",")
        if ts_code != "600519.SH":
            return pd.DataFrame(columns=names)
        row = {"ts_code": ts_code, "end_date": "20231231", "div_proc": "实施", "stk_div": 0.3}
        row |= {"cash_div": 0.45, "cash_div_tax": 0.5, "ex_date": "20240301"}
        row |= {"record_date": "20240229", "pay_date": "20240301"}
        plan = row | {"div_proc": "预案", "ex_date": None, "record_date": None, "pay_date": None}
        old = row | {"end_date": "20191231", "stk_div": 0.0, "cash_div_tax": 1.0}
        old |= {"ex_date": "20200605", "record_date": "20200604", "pay_date": "20200605"}
        return pd.DataFrame([plan, row, row, old])[names]  # an event may be listed twice

    def stk_mins(self, *, ts_code: str, freq: str, start_date: str, end_date: str) -> pd.DataFrame:
        self.faults.note("stk_mins", ts_code=ts_code, start_date=start_date, end_date=end_date)
        assert freq == "1min"
        times = (
            ["2024-06-03 09:32:00", "2024-06-03 09:31:00"] if start_date <= "2024-06-03" <= end_date else []
        )
        return pd.DataFrame(
            {"ts_code": [ts_code] * len(times), "trade_time": times}
            | {n: [10.0] * len(times) for n in ("open", "close", "high", "low")}
            | {"vol": [500.0] * len(times), "amount": [5000.0] * len(times)}
        )

    def stock_basic(self, *, exchange: str, list_status: str, fields: str) -> pd.DataFrame:
        listed = {
            "L": ("600519.SH", "贵州茅台", "白酒", "20010827", None),
            "D": ("600001.SH", "邯郸钢铁", None, "19980122", "20091229"),
        }
        rows = [listed[list_status]] if list_status in listed else []
        return pd.DataFrame(rows, columns=fields.split(","))

    def trade_cal(self, *, exchange: str, start_date: str, end_date: str, is_open: str) -> pd.DataFrame:
        assert (exchange, is_open) == ("SSE", "1")
        return pd.DataFrame(
            {
                "exchange": "SSE",
                "cal_date": ["20240103", "20240102"],
                "is_open": 1,
                "pretrade_date": "20231229",
            }
        )


class FakeTushare:
    """The module: hands out a FakePro for the right token."""

    def __init__(self, table: pl.DataFrame | None = None) -> None:
        self.pro = FakePro(market() if table is None else table)

    def pro_api(self, token: str) -> FakePro:
        assert token == "secret"
        return self.pro


class FakeBaostock:
    """Login, results that are read row by row, and text in every cell."""

    def __init__(self, table: pl.DataFrame | None = None) -> None:
        self.table = market() if table is None else table
        self.faults = Faults()
        self.sessions = 0
        self.logouts = 0
        self.answer_codes: list[tuple[str, str]] = []
        self.idle: set[date] = set()

    def login(self) -> SimpleNamespace:
        self.sessions += 1
        return SimpleNamespace(error_code="0", error_msg="success")

    def logout(self) -> None:
        self.logouts += 1

    def query_history_k_data_plus(
        self, code: str, fields: str, *, start_date: str, end_date: str, frequency: str, adjustflag: str
    ) -> FakeResult:
        self.faults.note("query_history_k_data_plus", code=code)
        assert frequency == "d"
        rows = []
        for r in _rows(code, start_date, end_date, self.table).iter_rows(named=True):
            idle = r["trade_date"] in self.idle
            rows.append(
                {
                    "date": r["trade_date"].isoformat(),
                    "code": code,
                    **{n: f"{r[n]:.10f}" for n in ("open", "high", "low", "close")},
                    "preclose": "1.0",
                    "volume": "" if idle else str(int(r["volume"])),
                    "amount": "" if idle else f"{r['amount']:.4f}",
                    "adjustflag": adjustflag,
                    "tradestatus": "0" if idle else "1",
                }
            )
        return self._result(fields.split(","), rows)

    def query_adjust_factor(self, *, code: str, start_date: str, end_date: str) -> FakeResult:
        self.faults.note("query_adjust_factor", code=code)
        assert start_date == "1990-12-19"
        rows = [
            {
                "code": code,
                "dividOperateDate": day,
                "foreAdjustFactor": "1.0",
                "backAdjustFactor": f,
                "adjustFactor": f,
            }
            for day, f in (("2001-01-01", "4.000000"), (EX_DAY.isoformat(), "5.000000"))
        ]
        return self._result(list(rows[0]), rows)

    def query_dividend_data(self, code: str, year: str, yearType: str) -> FakeResult:  # noqa: N803
        self.faults.note("query_dividend_data", code=code, year=year)
        assert yearType == "operate"
        dates = ("dividPreNoticeDate", "dividAgmPumDate", "dividPlanAnnounceDate", "dividPlanDate")
        row = {"code": code, **dict.fromkeys(dates, "2024-02-20"), "dividRegistDate": "2024-02-29"}
        row |= {"dividOperateDate": EX_DAY.isoformat(), "dividPayDate": EX_DAY.isoformat()}
        row |= {"dividStockMarketDate": "", "dividCashPsBeforeTax": "0.5", "dividCashPsAfterTax": "0.45或0.5"}
        row |= {
            "dividStocksPs": "0.100000",
            "dividCashStock": "10送1转2派5元",
            "dividReserveToStockPs": "0.2",
        }
        told = year == "2024" and code == "sh.600519"
        return self._result(list(row), [row] if told else [])

    def query_stock_basic(self) -> FakeResult:
        fields = ["code", "code_name", "ipoDate", "outDate", "type", "status"]
        rows = [
            ("sh.600519", "贵州茅台", "2001-08-27", "", "1", "1"),
            ("sh.600001", "邯郸钢铁", "1998-01-22", "2009-12-29", "1", "0"),
            ("sh.000001", "上证综合指数", "1991-07-15", "", "2", "1"),
        ]
        return self._result(fields, [dict(zip(fields, r, strict=True)) for r in rows])

    def query_trade_dates(self, *, start_date: str, end_date: str) -> FakeResult:
        fields = ["calendar_date", "is_trading_day"]
        rows = [("2024-01-01", "0"), ("2024-01-02", "1"), ("2024-01-03", "1")]
        return self._result(fields, [dict(zip(fields, r, strict=True)) for r in rows])

    def _result(self, fields: list[str], rows: list[dict[str, str]]) -> FakeResult:
        code, message = self.answer_codes.pop(0) if self.answer_codes else ("0", "success")
        return FakeResult(fields, rows if code == "0" else [], code, message)


class FakeResult:
    """BaoStock's ResultData."""

    def __init__(self, fields: list[str], rows: list[dict[str, str]], code: str, message: str) -> None:
        self.fields = fields
        self.error_code = code
        self.error_msg = message
        self._rows: Iterator[dict[str, str]] = iter(rows)
        self._row: dict[str, str] = {}
        self.breaks_after: int | None = None

    def next(self) -> bool:
        row = next(self._rows, None)
        self._row = row or {}
        return row is not None

    def get_row_data(self) -> list[str]:
        return [self._row[f] for f in self.fields]
