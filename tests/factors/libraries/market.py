"""A small random market for the libraries: bars with gaps, locked days, capitalisations, industries."""

from __future__ import annotations

import numpy as np

from quantflux.core.panel import Panel
from tests.factors.markets import days, symbols


def market(rows: int, columns: int, seed: int) -> Panel:
    """Return adjusted bars, of which the second half of the symbols has gaps.

    The last but one is listed late, the last is delisted early. On some days a symbol is locked: all of its prices are
    equal. The first symbol belongs to no industry.
    """
    rng = np.random.default_rng(seed)
    shape = (rows, columns)
    close = rng.uniform(5, 80, columns) * np.exp(np.cumsum(rng.normal(0, 0.02, shape), axis=0))
    opened = close * np.exp(rng.normal(0, 0.01, shape))
    high = np.maximum(close, opened) * (1 + rng.exponential(0.006, shape))
    low = np.minimum(close, opened) * (1 - rng.exponential(0.006, shape))
    locked = rng.random(shape) < 0.005
    opened, high, low = (np.where(locked, close, x) for x in (opened, high, low))
    volume = np.round(rng.lognormal(11, 0.5, columns) * rng.lognormal(0, 0.6, shape)) * 100 + 100
    vwap = low + (high - low) * rng.uniform(0.2, 0.8, shape)
    fields = {"open": opened, "high": high, "low": low, "close": close, "vwap": vwap, "volume": volume}
    fields["amount"] = volume * vwap
    fields["cap"] = close * rng.lognormal(20, 1, columns)
    gap = rng.random(shape) < 0.01
    gap[:, : columns // 2] = False
    gap[rows // 2 : rows // 2 + 10, columns - 3] = True
    gap[: rows // 3, columns - 2] = True
    gap[3 * rows // 4 :, columns - 1] = True
    fields = {name: np.where(gap, np.nan, values) for name, values in fields.items()}
    group = np.arange(columns) % 6 + 1.0
    group[0] = np.nan
    fields["industry"] = np.broadcast_to(group, shape).copy()
    return Panel(days(rows), symbols(columns), fields)
