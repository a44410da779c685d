"""Daily bars and valuation rows around the closes of a block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quantflux.data.schema import DAILY, DAILY_BASIC
from quantflux.data.sources.synthetic.paths import Paths
from quantflux.data.sources.synthetic.streams import Stream, generator
from quantflux.data.sources.synthetic.universe import Companies

_FLOAT_SHARE = 0.7
"""Part of the shares in issue that trades."""


@dataclass(frozen=True)
class DailyBars:
    """Bars of a block in cents and shares; arrays are (T, N), valid where `traded`."""

    traded: NDArray[np.bool_]
    open: NDArray[np.int64]
    high: NDArray[np.int64]
    low: NDArray[np.int64]
    close: NDArray[np.int64]
    volume: NDArray[np.int64]
    amount: NDArray[np.int64]

    def first(self, count: int) -> DailyBars:
        """Return the first `count` companies."""
        return DailyBars(**{name: getattr(self, name)[:, :count] for name in DailyBars.__dataclass_fields__})


def dress(seed: int, block: int, companies: Companies, paths: Paths) -> DailyBars:
    """Draw open, high, low, volume and amount for every close."""
    rng = generator(seed, Stream.BARS, block)
    shape = paths.close.shape
    pre, close = paths.pre_close, paths.close
    size = companies.volatility
    gap = rng.uniform(0.0, 0.6, shape) * np.log(close / pre) + 0.25 * size * rng.standard_normal(shape)
    opening = _cents(pre * np.exp(gap), paths)
    high = _cents(
        np.maximum(opening, close) * np.exp(0.45 * size * np.abs(rng.standard_normal(shape))), paths
    )
    low = _cents(
        np.minimum(opening, close) * np.exp(-0.45 * size * np.abs(rng.standard_normal(shape))), paths
    )
    high, low = np.maximum(high, np.maximum(opening, close)), np.minimum(low, np.minimum(opening, close))

    locked = (close == paths.limit_up) | (close == paths.limit_down)
    one_price = locked & (rng.random(shape) < 0.25)
    opening, high, low = (np.where(one_price, close, x) for x in (opening, high, low))

    issued = companies.shares * paths.share_factor * _FLOAT_SHARE
    rate = companies.turnover * np.exp(
        paths.attention + 0.25 * rng.standard_normal(shape) + 0.12 * np.abs(paths.noise).clip(0, 5)
    )
    rate = np.minimum(np.where(one_price, 0.1, 1.0) * rate, 0.45)
    volume = np.maximum(np.round(issued * rate / 100), 100).astype(np.int64) * 100
    return DailyBars(
        paths.traded, opening, high, low, close, volume, _amount(rng, opening, high, low, close, volume)
    )


def _cents(price: NDArray[Any], paths: Paths) -> NDArray[np.int64]:
    return np.clip(np.round(price).astype(np.int64), paths.limit_down, paths.limit_up)


def _amount(
    rng: np.random.Generator,
    opening: NDArray[np.int64],
    high: NDArray[np.int64],
    low: NDArray[np.int64],
    close: NDArray[np.int64],
    volume: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Volume at an average price near the middle of the bar, never outside low..high; in cents."""
    middle = (opening + high + low + close) / 4 + 0.08 * (high - low) * rng.standard_normal(volume.shape)
    return np.clip(np.round(middle * volume).astype(np.int64), low * volume, high * volume)


def daily_table(
    companies: Companies, paths: Paths, bars: DailyBars, sessions: NDArray[np.datetime64]
) -> pa.Table:
    """Return a block's bars as rows of `stock_daily_data`, sorted by symbol and date."""
    order, key = row_keys(companies, bars.traded, sessions)
    prices = {n: pick(getattr(bars, n), order) / 100 for n in ("open", "high", "low", "close")}
    values = {
        "volume": pick(bars.volume, order),
        "amount": pick(bars.amount, order) / 100,
        "adj_factor": pick(paths.adj_factor, order),
    }
    return pa.table(key | prices | values, schema=DAILY.schema)


def basic_table(
    companies: Companies,
    paths: Paths,
    bars: DailyBars,
    sessions: NDArray[np.datetime64],
    sales: NDArray[np.float64],
) -> pa.Table:
    """Return a block's valuation rows as `stock_daily_basic`; `sales` is each company's revenue per yuan of equity."""
    order, key = row_keys(companies, bars.traded, sessions)
    close = pick(bars.close, order) / 100
    shares = pick(companies.shares * paths.share_factor, order)
    book = pick(paths.book, order)
    earnings = book * pick(np.broadcast_to(companies.return_on_equity, paths.close.shape), order)
    revenue = book * pick(np.broadcast_to(sales, paths.close.shape), order)
    turnover = pick(bars.volume, order) / (shares * _FLOAT_SHARE) * 100
    pe = np.where(earnings > 0, close / np.where(earnings > 0, earnings, 1.0), np.nan)
    columns: dict[str, NDArray[np.float64]] = {
        "close": close,
        "turnover_rate": turnover.round(4),
        "turnover_rate_f": (turnover * 1.3).round(4),
        "pe": pe.round(4),
        "pe_ttm": pe.round(4),
        "pb": (close / book).round(4),
        "ps": (close / revenue).round(4),
        "ps_ttm": (close / revenue).round(4),
        "total_share": shares.round(),
        "float_share": (shares * _FLOAT_SHARE).round(),
        "free_share": (shares * _FLOAT_SHARE / 1.3).round(),
        "total_mv": (close * shares).round(2),
        "circ_mv": (close * shares * _FLOAT_SHARE).round(2),
    }
    rows = len(close)
    arrays = {
        f.name: pa.array(columns[f.name], from_pandas=True)
        if f.name in columns
        else pa.nulls(rows, f.type.arrow)
        for f in DAILY_BASIC.fields
    }
    return pa.table(key | arrays, schema=DAILY_BASIC.schema)


def row_keys(
    companies: Companies, traded: NDArray[np.bool_], sessions: NDArray[np.datetime64]
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], dict[str, pa.Array]]:
    """Return the (company, session) indices of all rows in key order, and the key columns of their table."""
    by_symbol = np.argsort(companies.symbols)
    rank, day = np.nonzero(traded.T[by_symbol])
    company = by_symbol[rank]
    symbols = pa.DictionaryArray.from_arrays(company.astype(np.int32), companies.symbols.tolist()).cast(
        pa.string()
    )
    return (company, day), {"symbol": symbols, "trade_date": pa.array(sessions[day].astype("datetime64[D]"))}


def pick(
    values: NDArray[np.float64] | NDArray[np.int64], order: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> NDArray[Any]:
    """Return the values of shape (T, N) that belong to the rows of `row_keys`."""
    company, day = order
    return values[day, company]
