"""Makes the scene of the backtest benchmark from the synthetic market."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.backtest.rivals.scene import NO_NAME
from benchmarks.factors.market import MarketSize, write_market
from quantflux.core.gaps import carried_forward

LOOK_BACK = 20


def write_scene(size: MarketSize, names: int, folder: Path) -> None:
    """Write prices without gaps, and the names with the highest returns of 20 days at each close.

    Days without a trade take the last close, and days before a listing the first: that is no market, but libraries
    that know no suspension can be compared on it.
    """
    market = folder / "market"
    market.mkdir(parents=True)
    write_market(size, market)
    prices = carried_forward(np.load(market / "close.npy"))
    first = np.take_along_axis(prices, np.isfinite(prices).argmax(axis=0)[None], axis=0)
    prices = np.where(np.isnan(prices), first, prices)
    gained = prices[LOOK_BACK:] / prices[:-LOOK_BACK] - 1
    best = np.argsort(-gained, axis=1, kind="stable")[:, :names]
    chosen = np.full((len(prices), names), NO_NAME, dtype=np.int32)
    chosen[LOOK_BACK:] = np.sort(best, axis=1)
    np.save(folder / "prices.npy", prices)
    np.save(folder / "chosen.npy", chosen)
    np.save(folder / "days.npy", np.load(market / "sessions.npy"))
