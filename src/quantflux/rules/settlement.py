"""On which day what was bought may be sold again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache

import numpy as np

from quantflux.rules.boards import FUND, boards_of, by_scope
from quantflux.rules.dated import Tables, shipped_tables


@cache
def settlement_tables() -> Tables:
    """Return the dated waiting days by board."""
    return shipped_tables("settlement.toml", {"settlement": {"days": int}})


def settlement_days(symbols: Sequence[str] | np.ndarray, day: date | None = None) -> np.ndarray:
    """Return after how many trading days a purchase may be sold: 1 is T+1, 0 the same day; int64, shape (N,).

    What is no share waits for the next day, too. Funds of bonds, gold and foreign shares need not, but their codes do
    not tell what a fund holds.

    Parameters
    ----------
    day : date, optional
        The rules of today unless given.

    Examples
    --------
    >>> settlement_days(["600519.SH", "200011.SZ"]).tolist()
    [1, 1]
    >>> settlement_days(["600601.SH", "900901.SH"], date(2001, 11, 30)).tolist()
    [1, 0]
    """
    scopes = [board or FUND for board in boards_of(symbols)]
    return by_scope(settlement_tables()["settlement"], scopes, "days", day, missing=1).astype(np.int64)
