"""On which day what was bought may be sold again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def settlement_days(symbols: Sequence[str] | np.ndarray) -> np.ndarray:
    """Return after how many trading days a purchase may be sold: 1 is T+1, 0 the same day; int64, shape (N,).

    Shares wait for the next day. So does what is no share, funds of bonds, gold and foreign shares among them, which
    could be sold at once: their codes do not tell what a fund holds.

    Examples
    --------
    >>> settlement_days(["600519.SH", "200011.SZ"]).tolist()
    [1, 1]
    """
    return np.ones(len(symbols), dtype=np.int64)
