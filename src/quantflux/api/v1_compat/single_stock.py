"""`POST /api/analysis/backtest`: one strategy on one stock, by the rules of the market.

v1 traded at the close that gave the signal, on indicators that knew the future. Here a signal of a close is traded at
the next open, in lots, after T+1 and within price limits; stamp duty and transfer fee come on top of the commission.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from quantflux.api.v1_compat.asked import Asked, Values
from quantflux.api.v1_compat.envelope import Refused
from quantflux.api.v1_compat.indicators import FIELDS, adjusted_to_last, series
from quantflux.api.v1_compat.rounding import number
from quantflux.api.v1_compat.strategies import STRATEGIES, Conditions
from quantflux.backtest import Execution, Venue, simulate
from quantflux.backtest.arena import leaving_days
from quantflux.backtest.metrics import RoundTrips, round_trips
from quantflux.backtest.policies import Signals
from quantflux.backtest.run import Run
from quantflux.core.errors import NotFound
from quantflux.core.panel import Panel
from quantflux.core.symbols import parse_symbol
from quantflux.data.contract import Query
from quantflux.data.corporate_actions import load_corporate_actions
from quantflux.data.schema import INSTRUMENTS
from quantflux.platform import Platform
from quantflux.rules import Commission, Standing

_REQUIRED = ("ts_code", "strategy_type", "start_date", "end_date", "initial_capital")
_LEAST_HISTORY, _LEAST_BARS, _MOST_TRADES = 30, 10, 20
_BEFORE = timedelta(days=100)  # in which v1 looked for history
_WARM_UP = timedelta(days=730)
_RISKLESS, _DAYS_A_YEAR = 0.03, 252  # v1's


@dataclass(frozen=True)
class _Wanted:
    code: str
    start: date
    end: date
    capital: float
    rate: float


def run_strategy(asked: Asked) -> dict[str, Any]:
    """Backtest a strategy on one stock: moving averages, MACD, KDJ, RSI or Bollinger bands."""
    wanted = _wanted(asked.body)
    panel = _bars(asked.platform, wanted)
    traded = ~np.isnan(panel["close"][:, 0])
    inside = panel.times >= np.datetime64(wanted.start)
    recent = panel.times >= np.datetime64(wanted.start - _BEFORE)
    if (traded & recent).sum() < _LEAST_HISTORY:
        raise Refused(400, "历史数据不足，无法进行回测")
    if (traded & inside).sum() < _LEAST_BARS:
        raise Refused(400, "回测失败: 回测期间数据不足")
    begin = int(inside.argmax())
    held = _held(panel, begin)
    told = {"performance": _nothing(wanted.capital, held), "trades": [], "config": asked.body.given}
    strategy = STRATEGIES.get(asked.body.text("strategy_type"))
    if strategy is None:
        return told
    signals = _signals(panel, strategy(asked.body.mapping("params")), begin)
    if signals is None:
        return told
    venue = _venue(asked.platform, panel)
    execution = Execution(slippage=0.0, commission=Commission(wanted.rate, 0.0))
    run = simulate(venue, signals, execution, wanted.capital)
    trips = round_trips(run.log, venue.events, venue.day)
    trades = trades_of(run, trips)
    return told | {
        "performance": _performance(run, trips, trades, begin, held),
        "trades": trades[-_MOST_TRADES:],
    }


def trades_of(run: Run, trips: RoundTrips) -> list[dict[str, Any]]:
    """Return every trade: what was paid with all fees, or received after them; of a sale, what it returned.

    The return is of the shares sold, dividends on them included.
    """
    found = []
    log = run.log
    for place in np.flatnonzero(log.filled).tolist():
        bought = log.filled[place] > 0
        fees, worth = float(log.fees[place]), float(log.amount[place])
        of = trips.sold == log.row[place]
        gain = None if bought else number(float(trips.profit[of].sum() / trips.cost[of].sum()))
        found.append(
            {
                "date": str(run.times[log.row[place]].astype("datetime64[D]")),
                "action": "buy" if bought else "sell",
                "price": float(log.price[place]),
                "quantity": abs(float(log.filled[place])),
                "amount": worth + fees if bought else worth - fees,
                "commission": fees,
                "return_rate": gain,
            }
        )
    return found


def _wanted(body: Values) -> _Wanted:
    for name in _REQUIRED:
        body.require(name, message=f"缺少必要参数: {name}")
    start, end = body.span()
    capital, rate = body.number("initial_capital", 0), body.number("commission_rate", 0.001)
    if not 0 < capital <= 1e12:
        raise Refused(400, f"initial_capital: found {capital:g}; valid is a number above 0, up to 1e12")
    if not 0 <= rate < 0.1:
        raise Refused(400, f"commission_rate: found {rate:g}; valid is a fraction from 0 and below 0.1")
    return _Wanted(parse_symbol(body.text("ts_code")), start, end, capital, rate)


def _bars(platform: Platform, wanted: _Wanted) -> Panel:
    try:
        return platform.data.panel(FIELDS, [wanted.code], wanted.start - _WARM_UP, wanted.end)
    except NotFound:
        raise Refused(400, "历史数据不足，无法进行回测") from None


def _signals(panel: Panel, conditions: Conditions, begin: int) -> Signals | None:
    """Return what to do at the close of each day; None if there is nothing to do from `begin` on."""
    there = ~np.isnan(panel["close"][:, 0])
    traded = Panel(panel.times[there], panel.symbols, {name: panel[name][there] for name in panel})
    found = series(adjusted_to_last(traded), dict(zip(("buy", "sell"), conditions, strict=True)))
    buy, sell = (np.zeros(panel.shape, dtype=bool) for _ in range(2))
    buy[there], sell[there] = found["buy"] > 0, found["sell"] > 0
    sell[:begin] = True  # and so nothing is bought before
    fresh = buy[1:] & ~buy[:-1] & ~sell[1:]
    return Signals(buy, sell, most=1) if fresh.any() else None


def _venue(platform: Platform, panel: Panel) -> Venue:
    data, standing, gone = platform.data, None, None
    if data.store.span(INSTRUMENTS) is not None:
        table = data.read(Query(INSTRUMENTS))
        standing = Standing.of(table, panel.times, panel.symbols)
        gone = leaving_days(table, panel)
    return Venue.daily(
        panel,
        special=None if standing is None else standing.special,
        delisting=None if standing is None else standing.delisting,
        listed=None if standing is None else standing.listed,
        actions=load_corporate_actions(data, panel.times, panel.symbols),
        delisted=gone,
    )


def _held(panel: Panel, begin: int) -> float:
    """Return what buying and holding from the first close to the last one would have returned."""
    closes = adjusted_to_last(panel)["close"][begin:, 0]
    known = closes[~np.isnan(closes)]
    return float(known[-1] / known[0] - 1)


def _performance(
    run: Run, trips: RoundTrips, trades: list[dict[str, Any]], begin: int, held: float
) -> dict[str, Any]:
    equity = run.equity[begin:]
    rate = run.execution.commission.rate
    final = float(equity[-1] - rate * run.positions[-1])  # v1 sold what was left, and did not record it
    returns = equity[1:] / equity[:-1] - 1
    yearly = (final / run.capital) ** (_DAYS_A_YEAR / len(equity)) - 1
    volatility = float(returns.std() * np.sqrt(_DAYS_A_YEAR))
    peaks = np.maximum.accumulate(equity)
    gains = [trade["return_rate"] for trade in trades if trade["action"] == "sell"]
    winners = sum(gain is not None and gain > 0 for gain in gains)
    spans = (run.times[trips.sold] - run.times[trips.bought]).astype("timedelta64[D]").astype(float)
    return {
        "total_return": final / run.capital - 1,
        "annual_return": yearly,
        "sharpe_ratio": (yearly - _RISKLESS) / volatility if volatility > 0 else 0.0,
        "max_drawdown": float((1 - equity / peaks).max()),
        "volatility": volatility,
        "win_rate": winners / len(gains) if gains else 0.0,
        "total_trades": len(trades),
        "winning_trades": winners,
        "avg_holding_days": round(float(spans.mean()), 1) if len(spans) else 0.0,
        "final_capital": final,
        "total_commission": float(sum(trade["commission"] for trade in trades)),
        "benchmark_return": held,
    }


def _nothing(capital: float, held: float) -> dict[str, Any]:
    """Return the record of an account that never traded."""
    figures = ("total_return", "annual_return", "sharpe_ratio", "max_drawdown", "volatility", "win_rate")
    return {
        **dict.fromkeys(figures, 0.0),
        "total_trades": 0,
        "winning_trades": 0,
        "avg_holding_days": 0.0,
        "final_capital": capital,
        "total_commission": 0.0,
        "benchmark_return": held,
    }
