"""Small random markets with gaps, late listings and delistings, and panels made by hand."""

from __future__ import annotations

import numpy as np

from quantflux.core.panel import Panel
from quantflux.factors import Market
from quantflux.rules import OpenLocks


def symbols(count: int) -> list[str]:
    return [f"{600000 + i}.SH" for i in range(count)]


def days(count: int) -> np.ndarray:
    return np.busday_offset(np.datetime64("2024-01-01"), np.arange(count), roll="forward").astype(
        "datetime64[D]"
    )


def random_panel(rows: int = 90, columns: int = 14, seed: int = 1) -> Panel:
    """Raw bars with an adj_factor that steps, suspensions, one late listing and one delisting."""
    rng = np.random.default_rng(seed)
    close = 10 * np.exp(np.cumsum(rng.normal(0, 0.02, (rows, columns)), axis=0))
    factor = np.cumprod(np.where(rng.random((rows, columns)) < 0.01, 1.1, 1.0), axis=0)
    close = np.round(close / factor, 2)
    gap = rng.random((rows, columns)) < 0.06
    gap[: rows // 3, 0] = True
    gap[2 * rows // 3 :, 1] = True
    fields = {
        "open": np.round(close * np.exp(rng.normal(0, 0.005, close.shape)), 2),
        "high": close * 1.01,
        "low": close * 0.99,
        "close": close,
        "volume": rng.integers(1_000, 90_000, close.shape) * 100.0,
        "adj_factor": factor,
    }
    fields["amount"] = fields["volume"] * close
    return Panel(days(rows), symbols(columns), {k: np.where(gap, np.nan, v) for k, v in fields.items()})


def market_of(panel: Panel, *, up: np.ndarray | None = None, down: np.ndarray | None = None) -> Market:
    """The market of adjusted bars, nobody locked unless said."""
    nobody = np.zeros(panel.shape, dtype=bool)
    return Market.of(panel, OpenLocks(nobody if up is None else up, nobody if down is None else down))


def hand_panel(close: list[list[float]], opening: list[list[float]] | None = None) -> Panel:
    """Adjusted bars from written-out numbers."""
    closes = np.array(close, dtype=np.float64)
    opens = closes if opening is None else np.array(opening, dtype=np.float64)
    volume = np.where(np.isnan(closes), np.nan, 1_000.0)
    fields = {"open": opens, "high": closes, "low": closes, "close": closes, "volume": volume}
    return Panel(days(len(closes)), symbols(closes.shape[1]), fields)
