"""The price limits that the synthetic market obeys: those of the dated tables that imports are judged by, and more.

Two things that an import cannot know are known here: the special-treatment status of a company on a day, and a first
day under the 44 % rule (taken both ways, of the first price, and for the time before that rule as well).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quantflux.data.sources.synthetic.universe import BOARDS, Companies
from quantflux.rules.limits import limit_tables

NO_LIMIT = -1
"""In a table of limits: any price is allowed."""


def limit_percent(companies: Companies, sessions: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return the limit of each day and company in percent, or `NO_LIMIT`; shape (T, N)."""
    day = np.arange(len(sessions))[:, None]
    age = day - companies.listed
    fresh = companies.listed >= 0
    special = (day >= companies.st_from) & (day < companies.st_until)

    def of(table: str, column: str, unit: int = 1) -> NDArray[np.int64]:
        by_board = [_dated(table, board.name, column, unit, sessions) for board in BOARDS]
        return np.stack(by_board, axis=1)[:, companies.board]

    percent, narrowed = of("price_limit", "ratio", 100), of("special_limit", "ratio", 100)
    percent = np.where(special & (narrowed > 0), narrowed, percent)
    cap = of("first_day", "up", 100)
    percent = np.where(fresh & (age == 0) & (cap > 0), cap, percent)
    unlimited = fresh & (age >= 0) & (age < of("free_days", "days")) & (cap == 0)
    return np.asarray(np.where(unlimited, NO_LIMIT, percent), dtype=np.int64)


def _dated(
    table: str, board: str, column: str, unit: int, sessions: NDArray[np.datetime64]
) -> NDArray[np.int64]:
    """Return the value in force on each session, 0 where the board has none.

    Days before the first row take it, but for special treatment, which was not always there.
    """
    dated = limit_tables()[table].get(board)
    if dated is None:
        return np.zeros(len(sessions), dtype=np.int64)
    before = 0.0 if table == "special_limit" else dated.rows[0][column]
    return np.asarray(np.round(dated.over(sessions, column, before) * unit), dtype=np.int64)
