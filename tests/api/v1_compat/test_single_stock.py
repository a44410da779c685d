"""The single-stock backtest: what is traded when, against signals found by pandas."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.api.v1_compat.conftest import Call
from tests.api.v1_compat.test_stocks import indicators, of

PERFORMANCE = {
    *("total_return", "annual_return", "sharpe_ratio", "max_drawdown", "volatility", "win_rate"),
    *("total_trades", "winning_trades", "avg_holding_days", "final_capital", "total_commission"),
    "benchmark_return",
}
TRADE = {"date", "action", "price", "quantity", "amount", "commission", "return_rate"}
START, END, CAPITAL = "2023-06-01", "2024-06-28", 100_000


def asked(code: str, strategy: str, **more: Any) -> dict[str, Any]:
    told = {"ts_code": code, "strategy_type": strategy, "start_date": START, "end_date": END}
    return told | {"initial_capital": CAPITAL, "commission_rate": 0.001, "params": {}} | more


def crossings(frame: pd.DataFrame, over: pd.Series, under: pd.Series) -> list[tuple[str, str, float]]:
    """What is to be traded: at the open after a day on which a condition turned true, one position at a time."""
    told, held = [], False
    inside = frame["trade_date"] >= pd.Timestamp(START)
    for place in frame.index[inside][:-1]:
        day = frame["trade_date"][place + 1].strftime("%Y-%m-%d")
        if (over[place] and not held) or (under[place] and held):
            held = not held
            told.append((day, "buy" if held else "sell", frame["open"][place + 1]))
    return told


@pytest.mark.parametrize(
    ("strategy", "params"),
    [("ma_cross", {}), ("ma_cross", {"ma_short": 10, "ma_long": 30}), ("macd", {}), ("rsi", {}), ("kdj", {})],
)
def test_signals_of_a_close_are_traded_at_the_next_open(
    stock: Call, bars: pd.DataFrame, code: str, strategy: str, params: dict[str, Any]
) -> None:
    frame = of(bars, code)
    close = frame["adjusted"]
    values = {name: pd.Series(each) for name, each in indicators(frame).items()}
    if strategy in ("rsi", "kdj"):
        line, (low, high) = (
            values[{"rsi": "rsi_6", "kdj": "kdj_k"}[strategy]],
            {"rsi": (30, 70), "kdj": (20, 80)}[strategy],
        )
        over = (line > low) & (line.shift(1) <= low)
        under = (line < high) & (line.shift(1) >= high)
    else:
        short, long = params.get("ma_short", 5), params.get("ma_long", 20)
        one = close.rolling(short).mean() if strategy == "ma_cross" else values["macd_dif"]
        two = close.rolling(long).mean() if strategy == "ma_cross" else values["macd_dea"]
        over = (one > two) & (one.shift(1) <= two.shift(1))
        under = (one < two) & (one.shift(1) >= two.shift(1))

    told = stock("analysis/backtest", asked(code, strategy, params=params))

    wanted = crossings(frame, over, under)
    assert [(each["date"], each["action"], each["price"]) for each in told["trades"]] == wanted[-20:]
    assert told["performance"]["total_trades"] == len(wanted) >= 2
    assert all(set(each) == TRADE for each in told["trades"])
    assert set(told["performance"]) == PERFORMANCE


def test_trades_are_in_lots_and_pay_their_fees(stock: Call, code: str) -> None:
    told = stock("analysis/backtest", asked(code, "ma_cross", params={"ma_short": 10, "ma_long": 30}))
    trades = told["trades"]
    assert len(trades) == told["performance"]["total_trades"]
    buy, sell = trades[0], trades[1]
    assert buy["quantity"] % 100 == 0
    assert buy["amount"] == pytest.approx(buy["price"] * buy["quantity"] + buy["commission"])
    assert sell["amount"] == pytest.approx(sell["price"] * sell["quantity"] - sell["commission"])
    transfer, stamp = 0.00001, 0.001  # until 2023-08-28
    assert buy["commission"] == pytest.approx(buy["price"] * buy["quantity"] * (0.001 + transfer))
    if sell["date"] < "2023-08-28":
        assert sell["commission"] == pytest.approx(
            sell["price"] * sell["quantity"] * (0.001 + transfer + stamp)
        )
    assert buy["return_rate"] is None
    if sell["quantity"] == buy["quantity"]:
        assert sell["return_rate"] == pytest.approx(sell["amount"] / buy["amount"] - 1, abs=0.02)
    gains = [each["return_rate"] for each in trades if each["action"] == "sell"]
    assert told["performance"]["winning_trades"] == sum(gain > 0 for gain in gains)
    assert told["performance"]["win_rate"] == pytest.approx(np.mean([gain > 0 for gain in gains]))


def test_the_benchmark_is_held_and_an_unknown_strategy_does_nothing(
    stock: Call, bars: pd.DataFrame, code: str
) -> None:
    frame = of(bars, code)
    inside = frame[frame["trade_date"] >= START]["adjusted"]
    told = stock("analysis/backtest", asked(code, "astrology"))
    assert told["trades"] == []
    assert told["performance"]["final_capital"] == CAPITAL
    assert told["performance"]["benchmark_return"] == pytest.approx(inside.iloc[-1] / inside.iloc[0] - 1)
    assert told["config"] == asked(code, "astrology")


def test_bollinger_trades_at_its_bands(stock: Call, code: str) -> None:
    wide = stock("analysis/backtest", asked(code, "bollinger", params={"std_dev": 90}))
    assert wide["trades"] == []
    narrow = stock("analysis/backtest", asked(code, "bollinger", params={"std_dev": 1.0, "period": 10}))
    actions = [each["action"] for each in narrow["trades"]]
    assert len(actions) > 3
    assert all(one != two for one, two in pairwise(actions))


def test_what_is_missing_or_wrong_is_400(call: Call, code: str) -> None:
    complete = asked(code, "ma_cross")
    for name in ("ts_code", "strategy_type", "start_date", "end_date", "initial_capital"):
        told = call("POST", "/api/analysis/backtest", complete | {name: None}, status=400)
        assert told == {"code": 400, "data": None, "message": f"缺少必要参数: {name}"}
    for wrong in (
        {"ts_code": "999999.SZ"},
        {"ts_code": 7},
        {"start_date": "2024-06-25"},
        {"end_date": "2023-01-20", "start_date": "2023-01-10"},
        {"params": {"ma_short": 30}},
        {"params": {"ma_short": "five"}},
        {"params": [1]},
        {"initial_capital": -5},
        {"commission_rate": 2},
    ):
        told = call("POST", "/api/analysis/backtest", complete | wrong, status=400)
        assert set(told) == {"code", "data", "message"}
