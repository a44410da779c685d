"""Companies, bars, indicators, money flow and chips: v1's keys, orders and defaults; numbers by pandas and TA-Lib."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import talib

from quantflux.platform import Platform
from tests.api.conftest import AsRole
from tests.api.v1_compat.conftest import FLOW_DAYS, Call

COMPANY = {"ts_code", "symbol", "name", "area", "industry", "list_date"}
HISTORY = {
    *("ts_code", "trade_date", "open", "high", "low", "close", "pre_close", "change_c", "pct_chg"),
    *("vol", "amount"),
}
SHORT = {
    *("ts_code", "trade_date", "close", "open", "high", "low", "vol", "amount", "macd_dif", "macd_dea"),
    *("macd", "kdj_k", "kdj_d", "kdj_j", "rsi_6", "rsi_12", "rsi_24", "boll_upper", "boll_mid"),
    "boll_lower",
}
FULL = SHORT | {
    *("pre_close", "change", "pct_change", "adj_factor", "open_hfq", "close_hfq", "high_hfq", "low_hfq"),
    "cci",
}
SIZES, SIDES = ("sm", "md", "lg", "elg"), ("buy", "sell")
FLOWS = {f"{side}_{size}_{what}" for side in SIDES for size in SIZES for what in ("vol", "amount")}


def of(bars: pd.DataFrame, code: str) -> pd.DataFrame:
    return bars[bars["symbol"] == code].reset_index(drop=True)


def test_companies_come_in_pages(stock: Call, bars: pd.DataFrame) -> None:
    told = stock("stocks")
    assert set(told) == {"stocks", "total", "page", "page_size", "total_pages"}
    assert (told["page"], told["page_size"], told["total_pages"]) == (1, 20, 2)
    assert told["total"] == bars["symbol"].nunique()
    assert all(set(row) == COMPANY for row in told["stocks"])

    second = stock("stocks?page=2&page_size=10")
    codes = [row["ts_code"] for row in stock("stocks?page_size=100000")["stocks"]]
    assert codes == sorted(codes)
    assert [row["ts_code"] for row in second["stocks"]] == codes[10:20]
    assert stock("stocks?page=99")["stocks"] == []


def test_companies_are_filtered_and_searched(stock: Call) -> None:
    everybody = stock("stocks?page_size=100")["stocks"]
    one = everybody[3]
    found = stock(f"stocks?page_size=100&industry={one['industry']}")["stocks"]
    assert found == [row for row in everybody if row["industry"] == one["industry"]]
    assert stock(f"stocks?search={one['name']}")["stocks"] == [one]
    assert stock(f"stocks?search={one['symbol'][:4]}")["total"] == sum(
        one["symbol"][:4] in row["ts_code"] for row in everybody
    )
    assert stock("stocks?area=深圳")["stocks"] == []
    assert stock("industries") == sorted({row["industry"] for row in everybody})
    assert stock("areas") == []


def test_one_company(stock: Call, call: Call) -> None:
    row = stock("stocks?page_size=1")["stocks"][0]
    assert stock(f"stocks/{row['ts_code']}") == row
    assert row["symbol"] == row["ts_code"][:6]
    for unknown in ("999999.SZ", "nonsense"):
        told = call("GET", f"/api/stocks/{unknown}", status=404)
        assert told == {"code": 404, "message": "股票不存在", "data": None}


def test_history_is_newest_first(stock: Call, bars: pd.DataFrame, code: str) -> None:
    told = pd.DataFrame(stock(f"stocks/{code}/history"))
    assert set(told.columns) == HISTORY
    assert len(told) == 60
    wanted = of(bars, code)
    before = (wanted["adjusted"].shift(1) / wanted["adj_factor"]).round(2)
    wanted = wanted.assign(pre_close=before).iloc[::-1].head(60)
    assert told["trade_date"].tolist() == wanted["trade_date"].dt.strftime("%Y-%m-%d").tolist()
    for name in ("open", "high", "low", "close", "pre_close"):
        np.testing.assert_allclose(told[name], wanted[name])
    np.testing.assert_allclose(told["vol"], (wanted["volume"] / 100).round())
    np.testing.assert_allclose(told["amount"], wanted["amount"] / 1000, atol=6e-4)
    change = wanted["close"] - wanted["pre_close"]
    np.testing.assert_allclose(told["change_c"], change, atol=1e-9)
    np.testing.assert_allclose(told["pct_chg"], 100 * change / wanted["pre_close"], atol=6e-5)


def test_history_of_a_span(stock: Call, bars: pd.DataFrame, code: str) -> None:
    wanted = of(bars, code)["trade_date"].dt.strftime("%Y-%m-%d")
    inside = wanted[(wanted >= "2023-03-01") & (wanted <= "2023-04-28")].tolist()[::-1]
    path = f"stocks/{code}/history?start_date=2023-03-01&end_date=2023-04-28"
    assert [row["trade_date"] for row in stock(path)] == inside
    assert [row["trade_date"] for row in stock(f"{path}&limit=3")] == inside[:3]
    first = stock(f"stocks/{code}/history?limit=1000")[-1]
    assert (first["pre_close"], first["change_c"], first["pct_chg"]) == (None, None, None)
    for unknown in ("999999.SZ", "nonsense"):
        assert stock(f"stocks/{unknown}/history") == []


def indicators(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """The indicators on prices adjusted forward to the last row, by TA-Lib and pandas."""
    ratio = frame["adj_factor"] / frame["adj_factor"].iloc[-1]
    high, low, close = (frame[name] * ratio for name in ("high", "low", "close"))
    lowest, highest = low.rolling(9).min(), high.rolling(9).max()
    rsv = (100 * (close - lowest) / (highest - lowest)).dropna()
    k = rsv.ewm(alpha=1 / 3, adjust=False).mean()
    d = k.ewm(alpha=1 / 3, adjust=False).mean()
    deviation = close.rolling(20).std()
    middle = close.rolling(20).mean()
    dif, dea, bar = talib.MACD(close.to_numpy(), 12, 26, 9)
    return {
        **{f"rsi_{days}": talib.RSI(close.to_numpy(), days) for days in (6, 12, 24)},
        "cci": talib.CCI(high.to_numpy(), low.to_numpy(), close.to_numpy(), 14),
        "macd_dif": dif,
        "macd_dea": dea,
        "macd": 2 * bar,
        "boll_mid": middle.to_numpy(),
        "boll_upper": (middle + 2 * deviation).to_numpy(),
        "boll_lower": (middle - 2 * deviation).to_numpy(),
        "kdj_k": k.reindex(close.index).to_numpy(),
        "kdj_d": d.reindex(close.index).to_numpy(),
        "kdj_j": (3 * k - 2 * d).reindex(close.index).to_numpy(),
    }


@pytest.mark.parametrize("end", ["2024-06-28", "2024-02-29"])
def test_indicators_are_newest_first_and_know_nothing_later(
    stock: Call, bars: pd.DataFrame, code: str, end: str
) -> None:
    told = pd.DataFrame(stock(f"stocks/{code}/factors?end_date={end}&limit=60"))
    assert set(told.columns) == FULL
    assert len(told) == 60
    known = of(bars, code)
    known = known[known["trade_date"] <= end]
    wanted = known.iloc[::-1].head(60)
    assert told["trade_date"].tolist() == wanted["trade_date"].dt.strftime("%Y-%m-%d").tolist()
    for name, values in indicators(known).items():
        np.testing.assert_allclose(told[name], values[::-1][:60], atol=1e-3, err_msg=name)
    np.testing.assert_allclose(told["close_hfq"], wanted["adjusted"], atol=6e-3)
    np.testing.assert_allclose(told["adj_factor"], wanted["adj_factor"])


def test_few_indicators_are_oldest_first(stock: Call, bars: pd.DataFrame, code: str) -> None:
    days = of(bars, code)["trade_date"].dt.strftime("%Y-%m-%d")
    some = stock(f"stocks/{code}/factors?start_date={days.iloc[-30]}")
    assert [row["trade_date"] for row in some] == days.tail(30).tolist()
    assert all(set(row) == SHORT for row in some)
    assert stock(f"stocks/{code}/factors?start_date={days.iloc[-19]}") == []
    assert stock("stocks/999999.SZ/factors") == []


def test_indicators_that_cannot_be_known_are_null(stock: Call, bars: pd.DataFrame, code: str) -> None:
    first = stock(f"stocks/{code}/factors?limit=1000")
    assert first[0]["boll_mid"] is None
    assert first[0]["trade_date"] == of(bars, code)["trade_date"].iloc[0].strftime("%Y-%m-%d")


@pytest.mark.parametrize(
    ("path", "keys"), [("moneyflow", FLOWS | {"net_mf_vol", "net_mf_amount"}), ("cyq", None)]
)
def test_flows_and_chips_are_oldest_first(
    stock: Call, platform: Platform, bars: pd.DataFrame, path: str, keys: set[str] | None
) -> None:
    first, other = sorted(bars["symbol"].unique())[0], sorted(bars["symbol"].unique())[5]
    dataset = {"moneyflow": "stock_moneyflow", "cyq": "stock_chip"}[path]
    stored = platform.data.get_many([first], dataset=dataset)
    told = stock(f"stocks/{first}/{path}")
    keys = keys or set(stored.fields)
    assert len(told) == 30
    assert all(set(row) == keys | {"ts_code", "trade_date"} for row in told)
    assert [row["trade_date"] for row in told] == [str(day) for day in stored.times[-30:]]
    units = {"_vol": 100, "_amount": 10_000}
    for name in keys:
        unit = units.get(name[name.rindex("_") :], 1) if path == "moneyflow" else 1
        np.testing.assert_allclose([row[name] for row in told], stored[name][-30:] / unit, atol=6e-5)
    assert len(stock(f"stocks/{first}/{path}?limit=1000")) == FLOW_DAYS
    assert stock(f"stocks/{other}/{path}") == []
    assert stock(f"stocks/999999.SZ/{path}") == []


@pytest.mark.parametrize(
    "query",
    ["limit=x", "limit=0", "start_date=2024-13-01", "end_date=yesterday", "limit=1.5", "end_date=%FF"],
)
def test_what_cannot_be_understood_is_refused_in_the_shape_of_v1(
    as_role: AsRole, code: str, query: str
) -> None:
    answer = as_role("viewer").get(f"/api/stocks/{code}/history?{query}")
    assert answer.status_code == 400
    told: dict[str, Any] = answer.json()
    assert (told["code"], told["data"]) == (400, None)
    assert set(told) == {"code", "message", "data"}


def test_unknown_parameters_are_passed_over(stock: Call, code: str) -> None:
    assert stock(f"stocks/{code}/history?limit=1&limit=5&colour=red") == stock(
        f"stocks/{code}/history?limit=1"
    )
