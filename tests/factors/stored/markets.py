"""A small market that is written to a store piece by piece, and what its factors must come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from quantflux.core.clock import FixedClock
from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.data.adapters.memory import MemoryStore, open_store
from quantflux.data.panels import PanelTier
from quantflux.data.schema import DAILY, DAILY_BASIC, INSTRUMENTS
from quantflux.expressions import Node, parse
from quantflux.factors.fields import catalogue
from quantflux.factors.stored import ValueKeeper
from tests.factors.fields.reports import INCOME, filled, written

CLOCK = FixedClock(datetime(2041, 1, 1, tzinfo=UTC))
FIRST = date(2023, 1, 2)
NAMES = tuple(f"{600000 + i}.SH" for i in range(0, 24, 3))
LATER = (*(f"{600000 + i}.SH" for i in range(1, 24, 3)), "000001.SZ", "920001.BJ")
"""Symbols that may be listed later; they stand between and around the others."""

EVERY_FAMILY = {
    "elementwise": "volume / amount",
    "rolling": "ts_std(close / delay(close, 1), 5)",
    "ordering": "ts_rank(volume, 7) - ts_argmax(close, 9)",
    "pairs": "ts_corr(close, volume, 6)",
    "recursive": "ema(close, 8) / close + ts_sum(ema(volume, 3), 4)",
    "endless": "obv(close, volume)",
    "across": "rank(delta(close, 3))",
    "past_of_across": "ts_mean(zscore(vwap / close), 6)",
    "across_twice": "rank(ts_max(rank(volume), 5)) - row_mean(close)",
}
GROUPED = {"grouped": "group_demean(rank(close / delay(close, 2)), industry)", "plain": "delta(close, 1)"}
FUNDAMENTAL = {"growth": "revenue_ttm / ts_mean(volume, 3)"}
VALUED = {"cheap": "rank(1 / pb) + ts_mean(close, 3)"}


def expressions(texts: Mapping[str, str]) -> dict[str, Node]:
    return {name: parse(f"mask({text}, close)", fields=catalogue()) for name, text in texts.items()}


def day(number: int) -> date:
    """Return a day of the market; every fifth is followed by a gap, as by a weekend."""
    return FIRST + timedelta(days=number + 2 * (number // 5))


def bars(
    symbols: Sequence[str],
    days: Sequence[int],
    *,
    factor: float | None = 1.5,
    amount: bool = True,
    seed: int = 0,
) -> pa.Table:
    """Return bars, each a function of its symbol, day and seed alone; of several symbols, one in twelve is missing."""
    rows = []
    for symbol in symbols:
        for number in days:
            rng = np.random.default_rng([seed, int(symbol[:6]), number])
            if len(symbols) > 2 and rng.random() < 0.08:
                continue
            low, close, high = np.sort(np.round(np.exp(rng.normal(3, 0.3, 3)), 2)).tolist()
            rows.append(
                (
                    symbol,
                    day(number),
                    low,
                    high,
                    low,
                    close,
                    100 * int(rng.integers(1, 10**5)),
                    (low + high) / 2,
                )
            )
    symbol_, day_, open_, high_, low_, close_, volume_, price = zip(*rows, strict=True)
    return filled(
        DAILY,
        symbol=symbol_,
        trade_date=day_,
        open=open_,
        high=high_,
        low=low_,
        close=close_,
        volume=volume_,
        amount=[round(v * p, -1) if amount else None for v, p in zip(volume_, price, strict=True)],
        adj_factor=[factor] * len(rows),
    )


def basics(symbols: Sequence[str], days: Sequence[int], seed: int = 0) -> pa.Table:
    keys = [(symbol, number) for symbol in symbols for number in days]
    pb = [float(np.random.default_rng([seed, int(s[:6]), n]).uniform(0.5, 9)) for s, n in keys]
    return filled(DAILY_BASIC, symbol=[s for s, _ in keys], trade_date=[day(n) for _, n in keys], pb=pb)


def listing(symbols: Sequence[str], first: date = FIRST, shift: int = 0) -> pa.Table:
    kinds = ("coal", "steel", "banks")
    return filled(
        INSTRUMENTS,
        symbol=list(symbols),
        valid_from=[first] * len(symbols),
        instrument_id=list(symbols),
        name=list(symbols),
        board=["main"] * len(symbols),
        status=["normal"] * len(symbols),
        industry=[kinds[(i + shift) % 3] for i in range(len(symbols))],
    )


def reports(symbol: str, last: float, announced: str = "2023-01-20") -> pa.Table:
    """Return the reports of a company that make one figure for a trailing year."""
    return written(
        INCOME,
        "revenue",
        [
            ("2021-12-31", "1", "2022-03-01", 10.0),
            ("2022-09-30", "1", "2022-10-20", 9.0),
            ("2021-09-30", "1", "2021-10-20", 7.0),
            ("2022-12-31", "1", announced, last),
        ],
        symbol,
    )


class Market:
    """A store, the door to it, and a keeper beside it."""

    def __init__(self, folder: Path, *, panels: bool = False, store: MemoryStore | None = None) -> None:
        self.store = store or open_store(clock=CLOCK)
        tier = PanelTier(self.store, folder / "panels", clock=CLOCK) if panels else None
        self.data = DataAccessLayer(self.store, tier, clock=CLOCK)
        self.folder = folder
        self.keeper = ValueKeeper(self.data, folder / "values", threads=2)
        self._fresh = 0

    def start(self, rows: int = 60) -> Market:
        self.data.write(DAILY, bars(NAMES, range(rows)))
        return self

    def values(self, wanted: Mapping[str, Node]) -> Panel:
        """Return all values, brought up to date by as little as that takes."""
        stored = self.keeper.values(wanted)
        return stored.panel(stored.rows())

    def computed_anew(self, wanted: Mapping[str, Node]) -> Panel:
        """Return all values, computed from the first day on in a folder of their own."""
        self._fresh += 1
        keeper = ValueKeeper(self.data, self.folder / f"fresh-{self._fresh}", threads=1)
        stored = keeper.values(wanted)
        return stored.panel(stored.rows())


def assert_same(found: Panel, expected: Panel) -> None:
    """Require the same bits, NaN where there is NaN."""
    assert found.times.tolist() == expected.times.tolist()
    assert found.symbols.tolist() == expected.symbols.tolist()
    for name in expected:
        same = (found[name] == expected[name]) | (np.isnan(found[name]) & np.isnan(expected[name]))
        where = [(str(found.times[i]), str(found.symbols[j])) for i, j in np.argwhere(~same)[:3]]
        assert same.all(), f"{name} differs in {np.count_nonzero(~same)} values, such as {where}"
