"""Money flow by size of order, and what holders paid for their shares, around the bars of a block."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quantflux.data.schema import CHIP, MONEYFLOW, Dataset
from quantflux.data.sources.synthetic.bars import DailyBars, pick, row_keys
from quantflux.data.sources.synthetic.paths import Paths
from quantflux.data.sources.synthetic.streams import Stream, generator
from quantflux.data.sources.synthetic.universe import BLOCK, Companies

Floats = NDArray[np.float64]

_LARGE = ("md", "lg", "elg")
_USUAL = (0.30, 0.24, 0.16)
"""Usual parts of a day's volume in medium, large and extra-large orders; small orders are the rest."""

_PERCENTILES = (5, 15, 50, 85, 95)
_LOGISTIC = np.sqrt(3) / np.pi  # standard deviation 1


def moneyflow_table(
    seed: int,
    block: int,
    companies: Companies,
    paths: Paths,
    bars: DailyBars,
    sessions: NDArray[np.datetime64],
) -> pa.Table:
    """Return a block's rows of `stock_moneyflow`.

    Over the four sizes, shares bought and shares sold both add up to the day's volume, and their values to its amount.
    The net inflow is what large and extra-large orders bought less what they sold; it leans towards the day's move.
    """
    rng = generator(seed, Stream.MONEYFLOW, block)
    order, key = row_keys(companies, bars.traded, sessions)
    volume, amount = pick(bars.volume, order), pick(bars.amount, order) / 100
    lean = pick(paths.noise, order).clip(-4, 4)
    width = (len(sessions), BLOCK)
    columns: dict[str, NDArray[np.float64]] = {}
    for side, sign in (("buy", 1.0), ("sell", -1.0)):
        left_volume, left_amount = volume.astype(np.float64), amount
        for size, usual in zip(_LARGE, _USUAL, strict=True):
            drawn = rng.standard_normal(width)[:, : len(companies)]
            part = usual * np.exp(0.2 * pick(drawn, order) + 0.08 * sign * lean - 0.05)
            shares = np.floor(np.minimum(part, 0.33) * volume / 100) * 100
            value = (amount * (shares / volume)).round(2)
            columns[f"{side}_{size}_vol"], columns[f"{side}_{size}_amount"] = shares, value
            left_volume, left_amount = left_volume - shares, left_amount - value
        columns[f"{side}_sm_vol"], columns[f"{side}_sm_amount"] = left_volume, left_amount.round(2)
    for what in ("vol", "amount"):
        bought, sold = (columns[f"{s}_lg_{what}"] + columns[f"{s}_elg_{what}"] for s in ("buy", "sell"))
        columns[f"net_mf_{what}"] = (bought - sold).round(2)
    return _table(MONEYFLOW, key, columns)


def chip_table(
    companies: Companies, paths: Paths, bars: DailyBars, sessions: NDArray[np.datetime64]
) -> pa.Table:
    """Return a block's rows of `stock_chip`.

    What holders paid is a logistic distribution of the logarithm of the adjusted price: on each day the part of the
    shares that changes hands moves its mean and variance towards the day's price. Prices are told in terms of the day.
    """
    mean, deviation = _costs(companies, paths, bars)
    factor = paths.adj_factor
    order, key = row_keys(companies, bars.traded, sessions)
    traded = bars.traded
    low = np.minimum.accumulate(np.where(traded, bars.low * factor, np.inf), axis=0) / factor
    high = np.maximum.accumulate(np.where(traded, bars.high * factor, -np.inf), axis=0) / factor
    centre, spread = pick(mean, order), pick(deviation, order) * _LOGISTIC
    scale = pick(factor, order)
    columns = {
        f"cost_{p}pct": (np.exp(centre + spread * np.log(p / (100 - p))) / scale).round(2)
        for p in _PERCENTILES
    }
    close = np.log(pick(bars.close, order) / 100 * scale)
    columns |= {
        "his_low": (pick(low, order) / 100).round(2),
        "his_high": (pick(high, order) / 100).round(2),
        "weight_avg": (np.exp(centre + pick(deviation, order) ** 2 / 2) / scale).round(2),
        "winner_rate": (100 / (1 + np.exp((centre - close) / spread))).round(2),
    }
    return _table(CHIP, key, columns)


def _costs(companies: Companies, paths: Paths, bars: DailyBars) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the logarithm of what was paid, in adjusted yuan, shape (T, N)."""
    price = np.log(bars.close / 100 * paths.adj_factor)
    turned = np.minimum(bars.volume / (companies.shares * paths.share_factor), 1.0)
    turned = np.where(bars.traded, turned, 0.0)
    mean, variance = price[0].copy(), np.full(price.shape[1], 0.15**2)
    means, deviations = np.empty_like(price), np.empty_like(price)
    for t in range(len(price)):
        shift = price[t] - mean
        mean = mean + turned[t] * shift
        inside = 0.01**2  # of one day's trades
        variance = (1 - turned[t]) * (variance + turned[t] * shift**2) + turned[t] * inside
        means[t], deviations[t] = mean, np.sqrt(variance)
    return means, deviations


def _table(source: Dataset, key: dict[str, pa.Array], columns: dict[str, NDArray[np.float64]]) -> pa.Table:
    return pa.table(key | {f.name: pa.array(columns[f.name]) for f in source.fields}, schema=source.schema)
