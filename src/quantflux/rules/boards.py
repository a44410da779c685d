"""The board of a symbol, and what a table of the rule book says of many symbols on one day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache

import numpy as np

from quantflux.core.symbols import board_of, is_share
from quantflux.rules.dated import DatedTable

FUND = "fund"
"""The scope of rules for what is no share: funds, bonds and indices, whose codes do not tell them apart."""


def boards_of(symbols: Sequence[str] | np.ndarray) -> list[str | None]:
    """Return the board of each canonical symbol; None for indices, funds and bonds."""
    return [_board(str(symbol)) for symbol in symbols]


@lru_cache(maxsize=16_384)  # every listed share
def _board(symbol: str) -> str | None:
    return board_of(symbol).value if is_share(symbol) else None


def by_scope(
    tables: Mapping[str, DatedTable],
    scopes: Sequence[str | None],
    column: str,
    day: date | None = None,
    missing: float = np.nan,
) -> np.ndarray:
    """Return a column of numbers for each scope, float64 of shape (N,).

    Parameters
    ----------
    scopes : sequence of str or None, length N
        Such as boards, one for each symbol.
    day : date, optional
        The latest rows unless given.
    missing : float
        For a scope without a row in force.
    """
    rows = {scope: table.on(day or date.max) for scope, table in tables.items()}
    values = {scope: row[column] for scope, row in rows.items() if row is not None}
    return np.array([values.get(scope or "", missing) for scope in scopes], dtype=np.float64)
