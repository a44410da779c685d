"""A small invented market as models are judged on it, and predictions that know a little or nothing."""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
import pyarrow as pa

from quantflux.core.panel import Panel
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.factors import Industries, Market, research_panel
from quantflux.factors.evaluation import forward_returns
from quantflux.factors.market_data import MarketData
from quantflux.rules import Standing, locked_at_open

HORIZON = 5


@cache
def market(
    companies: int = 40, first: date = date(2022, 1, 4), last: date = date(2023, 12, 29)
) -> MarketData:
    """Bars with dividends, suspensions, special treatment and limits."""
    source = SyntheticMarket(5, companies, first, last)
    raw = Panel.from_table(pa.concat_tables(source.daily_tables()))
    standing = Standing.of(source.instruments(), raw.times, raw.symbols)
    locks = locked_at_open(raw, standing.special, delisting=standing.delisting, listed=standing.listed)
    names = raw.shape[1]
    return MarketData(
        raw,
        Market.of(research_panel(raw), locks, standing.special),
        locks,
        standing,
        Industries.of(["bank", "steel"] * (names // 2) + ["bank"] * (names % 2)),
    )


def outcomes(data: MarketData, horizon: int = HORIZON) -> np.ndarray:
    return forward_returns(data.market, horizon)


def noise(data: MarketData, seed: int, *, held: int = 1) -> np.ndarray:
    """Numbers that know nothing, the same for `held` days at a time."""
    days, names = data.raw.shape
    drawn = np.random.default_rng(seed).normal(size=(-(-days // held), names))
    return np.repeat(drawn, held, axis=0)[:days]


def knowing(data: MarketData, seed: int = 0, part: float = 0.1) -> np.ndarray:
    """Predictions that know a part of what comes; none in the first 100 days, which a model would have learnt from."""
    future = np.nan_to_num(outcomes(data))
    scores = 0.004 * (part * future / future.std() + noise(data, seed))
    scores[:100] = np.nan
    return scores
