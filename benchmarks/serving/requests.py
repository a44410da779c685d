"""What the load generator asks for."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from benchmarks.serving.market import FACTORS, Market
from benchmarks.serving.wrk import Asking

_HOT = 100


def cached_bars(market: Market) -> list[Asking]:
    """Return the last year's daily bars of a hundred symbols: every answer has been given before."""
    return [_bars(symbol, market, len(market.days) - 1) for symbol in market.symbols[:_HOT]]


def uncached_bars(market: Market, count: int = 200_000) -> list[Asking]:
    """Return a year of daily bars ending on any day, of any symbol: hardly any was asked for before."""
    drawn = random.Random(1)
    places = range(_YEAR, len(market.days))
    return [_bars(drawn.choice(market.symbols), market, drawn.choice(places)) for _ in range(count)]


def v1_history(market: Market) -> list[Asking]:
    """Return v1's requests for the same bars as `cached_bars`."""
    first, last = market.days[-_YEAR], market.days[-1]
    return [
        Asking(f"/api/stocks/{symbol}/history?start_date={first}&end_date={last}&limit=300")
        for symbol in market.symbols[:_HOT]
    ]


def mixed(market: Market, count: int = 20_000) -> list[Asking]:
    """Return 80 % bars, of which a quarter was never asked for before, 15 % factors and scores, 5 % changes."""
    drawn = random.Random(2)
    hot, cold = cached_bars(market), iter(uncached_bars(market, count))
    return [next(_mixed(drawn, hot, cold, market)) for _ in range(count)]


_YEAR = 242


def _mixed(
    drawn: random.Random, hot: list[Asking], cold: Iterator[Asking], market: Market
) -> Iterator[Asking]:
    kind = drawn.random()
    day = drawn.choice(market.days[-20:])
    if kind < 0.60:
        yield drawn.choice(hot)
    elif kind < 0.80:
        yield next(cold)
    elif kind < 0.88:
        yield Asking(
            f"/api/v2/factors/values?factors={FACTORS[0]}&start={day}&end={day}&symbols="
            + ",".join(drawn.sample(market.symbols, 5))
        )
    elif kind < 0.95:
        body = {"date": str(day), "method": "equal", "factors": [{"factor": f"{drawn.choice(_SCORED)}"}]}
        yield Asking("/api/v2/scores", "POST", json.dumps(body))
    else:
        window = drawn.randint(2, 250)
        body = {"id": "load_{n}", "expression": f"ts_mean(close, {window}) / close", "better": "more"}
        yield Asking("/api/v2/factors", "POST", json.dumps(body))


_SCORED = ("reversal_20", "volatility_20", "low_turnover")


def _bars(symbol: str, market: Market, last: int) -> Asking:
    first, end = market.days[last - _YEAR + 1], market.days[last]
    return Asking(f"/api/v2/bars/{symbol}?start={first}&end={end}")
