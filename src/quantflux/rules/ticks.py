"""The steps in which prices move."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from quantflux.core.symbols import exchange_of
from quantflux.rules.boards import FUND, boards_of, by_scope
from quantflux.rules.dated import Tables, shipped_tables


@cache
def tick_tables() -> Tables:
    """Return the dated ticks by board; B shares by board and exchange."""
    return shipped_tables("ticks.toml", {"tick": {"tick": float, "currency": str}})


def ticks_of(symbols: Sequence[str] | np.ndarray) -> np.ndarray:
    """Return the tick of each symbol in the money of its price, float64 of shape (N,).

    What is no share is taken for a fund.

    Examples
    --------
    >>> ticks_of(["600519.SH", "900901.SH", "200011.SZ", "510300.SH"]).tolist()
    [0.01, 0.001, 0.01, 0.001]
    """
    scopes = [
        tick_scope(str(symbol), board) for symbol, board in zip(symbols, boards_of(symbols), strict=True)
    ]
    return by_scope(tick_tables()["tick"], scopes, "tick")


def tick_scope(symbol: str, board: str | None) -> str:
    """Return the scope of a symbol in the table of ticks."""
    if board is None:
        return FUND
    return f"b_share_{exchange_of(symbol).value.lower()}" if board == "b_share" else board
