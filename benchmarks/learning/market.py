"""The market that everybody learns from: arrays for the rivals, and an installation with the same rows for us."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.factors.market import MarketSize, drawn, write_market
from benchmarks.scene import LAST_DAY, SEED
from quantflux.config import Settings
from quantflux.data.schema import DAILY
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.factors.universe import is_seasoned
from quantflux.platform import Platform


def write_scene(size: MarketSize, market: Path, installation: Path) -> None:
    """Write the arrays of `benchmarks.factors.market`, `chosen.npy`, and the rows that they were made of.

    `chosen` says where a name traded and had done so long enough: our universe, which the rivals are given.
    """
    market.mkdir(parents=True)
    write_market(size, market)
    traded = np.isfinite(np.load(market / "close.npy"))
    np.save(market / "chosen.npy", traded & is_seasoned(traded))
    write_installation(size, installation, json.loads((market / "symbols.json").read_text(encoding="utf-8")))


def write_installation(size: MarketSize, folder: Path, symbols: list[str] | None = None) -> None:
    """Write daily bars of some symbols, or of all, into a store, and the panels over it."""
    source = SyntheticMarket(SEED, drawn(size.companies), size.first_day, LAST_DAY)
    wanted = None if symbols is None else pa.array(symbols)
    with Platform.open(Settings(data_dir=folder)) as platform:
        for table in source.daily_tables():
            kept = (
                table if wanted is None else table.filter(pc.is_in(table["symbol"].cast(pa.string()), wanted))
            )
            if kept.num_rows:
                platform.store.write(DAILY, kept)
        platform.data.panel(["close"])
