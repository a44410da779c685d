"""The daily market that every factor rival computes on, as arrays in a folder.

Prices are adjusted backward and rounded to what a 4-byte float holds, because that is what Qlib's files store: so
every rival, whatever its own precision, is given the same numbers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.scene import LAST_DAY, SEED
from quantflux.core.calendar import TradingCalendar
from quantflux.data.sources.synthetic import SyntheticMarket

FIELDS = ("open", "high", "low", "close", "volume", "vwap", "amount")
"""What is written: backward-adjusted yuan, shares as traded, and yuan."""


@dataclass(frozen=True)
class MarketSize:
    """How large a market the rivals compute on: so many companies, and sessions up to the last day."""

    companies: int
    sessions: int

    @property
    def first_day(self) -> date:
        """The first session."""
        return TradingCalendar.for_exchange("SSE").offset(LAST_DAY, 1 - self.sessions)


SIZES = {
    "small": MarketSize(48, 600),
    "standard": MarketSize(800, 3654),
    "full": MarketSize(5000, 2430),
}
"""`standard` has the shape of the table in Qlib's documentation: 800 stocks, 14 years of weekdays."""


def write_market(size: MarketSize, folder: Path) -> None:
    """Write one (T, N) float64 array per field, `sessions.npy` and `symbols.json`.

    A cell without trade is NaN: before the listing, in suspensions, after the delisting. Companies that never trade
    in the span are left out, and symbols are sorted.
    """
    market = SyntheticMarket(SEED, drawn(size.companies), size.first_day, LAST_DAY)
    columns: list[tuple[str, dict[str, NDArray[np.float64]]]] = []
    for table in market.daily_tables():
        columns += _columns_by_symbol(table, market.sessions)
    columns = sorted(columns[: size.companies], key=lambda column: column[0])
    for field in FIELDS:
        values = np.stack([fields[field] for _, fields in columns], axis=1)
        np.save(folder / f"{field}.npy", values.astype(np.float32).astype(np.float64))
    np.save(folder / "sessions.npy", market.sessions.astype("datetime64[D]"))
    (folder / "symbols.json").write_text(json.dumps([symbol for symbol, _ in columns]), encoding="utf-8")


def drawn(companies: int) -> int:
    """How many to draw so that enough of them trade: one in fifteen is listed on a board that opens too late."""
    return companies + companies // 8 + 8


def _columns_by_symbol(
    table: pa.Table, sessions: NDArray[np.datetime64]
) -> list[tuple[str, dict[str, NDArray[np.float64]]]]:
    """Return each symbol of a block with its fields over all sessions, rounded bars adjusted backward."""
    symbols = table.column("symbol").combine_chunks().dictionary_encode()
    codes = symbols.indices.to_numpy()
    days = np.searchsorted(sessions, table.column("trade_date").to_numpy().astype("datetime64[D]"))
    raw = {n: table.column(n).to_numpy().astype(np.float64) for n in (*FIELDS[:5], "amount", "adj_factor")}
    factor = raw.pop("adj_factor")
    fields = {name: raw[name] * factor for name in ("open", "high", "low", "close")}
    fields |= {"volume": raw["volume"], "amount": raw["amount"]}
    fields["vwap"] = raw["amount"] / raw["volume"] * factor
    whole = {name: np.full((len(symbols.dictionary), len(sessions)), np.nan) for name in FIELDS}
    for name in FIELDS:
        whole[name][codes, days] = fields[name]
    return [
        (symbol, {name: whole[name][i] for name in FIELDS})
        for i, symbol in enumerate(symbols.dictionary.to_pylist())
    ]


def write_gapless(size: MarketSize, folder: Path, companies: int) -> None:
    """Write the first so many companies of a market that traded on each of its days.

    Where rivals treat gaps differently, they can be compared here.
    """
    write_market(size, folder)
    close = np.load(folder / "close.npy")
    chosen = np.flatnonzero(np.isfinite(close).all(axis=0))[:companies]
    if len(chosen) < companies:
        raise RuntimeError(f"{len(chosen)} companies traded on all days, {companies} were wanted")
    for field in FIELDS:
        np.save(folder / f"{field}.npy", np.load(folder / f"{field}.npy")[:, chosen])
    symbols = json.loads((folder / "symbols.json").read_text(encoding="utf-8"))
    (folder / "symbols.json").write_text(json.dumps([symbols[i] for i in chosen]), encoding="utf-8")
